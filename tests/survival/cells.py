"""A cell: a scene with processes killed in it. The matrix is all cells with one kill; others are drawn by lot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict

from bus.grants import NOTARY
from tests.survival.scenes import ASKS_AGAIN

ORCHESTRATOR = "orchestrator"
PERSON = "person"
GATEWAY = "host_host"
BROKER = "broker"
HOUSE = "house"
KEEPER = "keeper"
WARDEN = "warden"
ITSELF = "itself"

Passages = Counter[tuple[str, str]]
"""How often each point is passed in an undisturbed run, by (point, process)."""

_COMMANDS = (ORCHESTRATOR, PERSON, GATEWAY, HOUSE)
"""Whom nobody starts again but a person."""
_COMING_UP = ("house.", "member.")
_IN_HAND = ("ack.", "execute.", "result.", "member.")
"""Points that every member passes: broker and house are killed at them in the workspace's hands only."""
_JOB_BEGUN = "job.begun"
_GUARDS = (KEEPER, WARDEN)
"""Whom a job has, of whoever has begun it; they die at `_JOB_BEGUN`."""
_AFTER_A_DEATH = ("note.before_store", "note.after_store")
_FIRST_DEATH = ("execute.after", "workspace")


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kill(_Value):
    """SIGKILL to `victim`: at the nth passage of a point by a process, or so long after the run began."""

    victim: str
    point: str = ""
    process: str = ""
    nth: int = 1
    after_s: float = 0.0

    @property
    def of(self) -> str:
        """Who dies."""
        return self.process if self.victim == ITSELF else self.victim

    def __str__(self) -> str:
        when = f"{self.point} {self.process} {self.nth}" if self.point else f"after {self.after_s:.2f} s"
        return f"{when} → {self.victim}"


class Cell(_Value):
    """One experiment."""

    scene: str
    kills: tuple[Kill, ...] = ()
    seed: int | None = None
    """What it was drawn by, if it was."""
    warm: bool = False
    """Undisturbed, in a house that is up."""

    def __str__(self) -> str:
        by = "" if self.seed is None else f" (seed {self.seed})"
        return f"{self.scene}{by}: {'; '.join(map(str, self.kills)) or 'undisturbed'}"

    @property
    def cold(self) -> bool:
        """Whether the house's coming up is part of it."""
        return not self.warm and (not self.kills or any(kill.point.startswith(_COMING_UP) for kill in self.kills))

    @property
    def resumes(self) -> int:
        """How often a person may have to go on with it: not for what the house looks after once it is up."""
        return sum(kill.of in _COMMANDS or kill.point.startswith(_COMING_UP) for kill in self.kills)

    @property
    def asks_again(self) -> int:
        """How many questions to a model may be put once more; see `ASKS_AGAIN`."""
        return sum(not kill.point or kill.point in ASKS_AGAIN.get(kill.process, ()) for kill in self.kills)


class Found(BaseModel):
    """What came of a cell."""

    cell: Cell
    exits: list[int] = []
    """How each command ended, in order."""
    problem: str = ""
    """Why it was not handed over; "" when it was."""
    evidence: dict[str, Any] = {}
    missed: list[Kill] = []
    """Kills whose moment never came."""
    passages: list[tuple[str, str, int]] = []
    seconds: float = 0.0


def matrix(passages: Mapping[str, Passages], *, every: bool = False) -> Iterator[Cell]:
    """A cell for each point and process of each scene, in the first scene that has it.

    The orchestrator dies at the first, the middle and the last passage, others in the middle; with `every`, at each.
    Broker and house die while a process stands at the point, and so do the keeper and the warden of each that has begun
    a job. How often the notary signs is a matter of time: it dies at the first time.
    """
    seen: set[tuple[str, str]] = set()
    shared: set[str] = set()
    for scene, of in passages.items():
        for (point, process), times in sorted(of.items()):
            if (point, process) in seen or point in _AFTER_A_DEATH:
                continue
            seen.add((point, process))
            times = 1 if process == NOTARY else times
            for nth in _chosen(times, process, every):
                yield Cell(scene=scene, kills=(Kill(victim=ITSELF, point=point, process=process, nth=nth),))
            for victim in _GUARDS if point == _JOB_BEGUN else ():
                yield Cell(scene=scene, kills=(Kill(victim=victim, point=point, process=process),))
            if process == HOUSE or point in shared or (point.startswith(_IN_HAND) and process != "workspace"):
                continue
            shared.add(point)
            for victim in (BROKER, HOUSE):
                nth = (times + 1) // 2
                yield Cell(scene=scene, kills=(Kill(victim=victim, point=point, process=process, nth=nth),))
    yield from _second_executions(passages)


def _second_executions(passages: Mapping[str, Passages]) -> Iterator[Cell]:
    """Deaths at what only a call's second execution passes; whoever is at the first one dies for that."""
    point, process = _FIRST_DEATH
    first = Kill(victim=ITSELF, point=point, process=process)
    scene = next(scene for scene, of in passages.items() if of[_FIRST_DEATH])
    for point, victim in product(_AFTER_A_DEATH, (ITSELF, BROKER, HOUSE)):
        yield Cell(scene=scene, kills=(first, Kill(victim=victim, point=point, process=process)))


def _chosen(times: int, process: str, every: bool) -> list[int]:
    if every:
        return list(range(1, times + 1))
    middle = (times + 1) // 2
    return sorted({1, middle, times}) if process == ORCHESTRATOR else [middle]


def drawn(passages: Passages, scene: str, seconds: float, seed: int) -> Cell:
    """One to three kills of anybody, each at a passage or a moment of an undisturbed run; the same for a seed."""
    lot = Random(seed)
    moments = sorted((point, process, nth) for (point, process), n in passages.items() for nth in range(1, n + 1))
    moments = [each for each in moments if each[1] != HOUSE]
    victims = sorted({process for _, process in passages} - {PERSON} | {BROKER, HOUSE, *_GUARDS})
    kills: list[Kill] = []
    for _ in range(lot.randint(1, 3)):
        victim = lot.choice(victims)
        if lot.random() < 0.5:
            point, process, nth = lot.choice(moments)
            kills.append(Kill(victim=victim, point=point, process=process, nth=nth))
        else:
            kills.append(Kill(victim=victim, after_s=round(lot.uniform(0, seconds), 3)))
    return Cell(scene=scene, kills=tuple(kills), seed=seed)
