"""What a run has brought about, counted where it took effect: in repositories, at the model, in the streams."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from bus.connect import connect
from contracts.ledger import RUNS_STREAM
from tests.git_project import Project

Evidence = dict[str, object]
"""By what is counted or kept: a value that is to be that of the undisturbed run."""

COUNTS = ("commits", "commit objects", "branch moves", "requests to the model")
"""Effects: more of them than in the undisturbed run is a double."""

_HEX = re.compile(r"\b[0-9a-f]{32,64}\b")
_TIMES = re.compile(r"(_s|_at|_ms)$")
_NOT_SAID = ("metrics",)
"""Times, resumes, and what a lost answer may have cost: true, and not the same each time."""


def of_branch(project: Project, run: str) -> Evidence:
    """What stands in the person's repository."""
    ref = f"refs/heads/podium/{run}"
    messages = project.git("log", "--format=%B%x00", f"main..{ref}")
    return {
        "tree": project.git("rev-parse", f"{ref}^{{tree}}").strip(),
        "commits": int(project.git("rev-list", "--count", f"main..{ref}")),
        "messages": anonymous(messages, run, project.root),
        "branch moves": len(project.git("reflog", "show", "--format=%H", ref).split()),
        "branches": len(project.git("for-each-ref", "--format=%(refname)").split()),
        "locks in .git": sorted(path.name for path in (project.root / ".git").rglob("*.lock")),
    }


def of_worktree(folder: Path) -> Evidence:
    """What stands in the run's folder, just before it is removed."""
    listed = _git(folder / "repo.git", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
    return {
        "commit objects": listed.split().count("commit"),
        "refs": sorted(
            name.replace(folder.name, "RUN")
            for name in _git(folder / "repo.git", "for-each-ref", "--format=%(refname)").split()
        ),
        "left in the worktree": _git(folder / "tree", "status", "--porcelain").splitlines(),
        "left beside it": sorted(
            str(path.relative_to(folder))
            for pattern in ("*.new", "applied", "repo.git/**/*.lock", "tree/**/.podium-*")
            for path in folder.glob(pattern)
        ),
    }


def of_bundle(folder: Path, run: str, root: Path) -> Evidence:
    """What is handed over, without names and times."""
    bundle = json.loads((folder / "bundle.json").read_text())
    said = {name: _plain(value) for name, value in bundle.items() if name not in _NOT_SAID}
    return {"bundle": anonymous(json.dumps(said, sort_keys=True), run, root)}


async def of_ledger(state: Path, url: str, run: str) -> Evidence:
    """What was decided and what was asked for, message by message of the stream of runs."""
    async with connect(state, url, "auditor") as bus:
        gates = Counter([kept.subject async for kept in bus.history(RUNS_STREAM, f"gate.{run}.>")])
        events = [json.loads(kept.body)["what"] async for kept in bus.history(RUNS_STREAM, f"run.{run}.>")]
    asked = Counter(
        f"{what['step']} {what['server']}.{what['tool']}" for what in events if "call_id" in what and "tool" in what
    )
    return {
        "decisions": {name.replace(run, "RUN"): times for name, times in sorted(gates.items())},
        "calls": dict(sorted(asked.items())),
        "events": _without_resumes(what["event"] for what in events),
    }


def _without_resumes(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(name for name in names if name != "resumed").items()))


def anonymous(text: str, run: str, root: Path) -> str:
    """`text` without what is another in each run: its name, its folder, ids and digests."""
    return _HEX.sub("ID", text.replace(str(root), "ROOT").replace(run, "RUN"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        of = cast("Mapping[str, Any]", value)
        return {name: _plain(each) for name, each in of.items() if not _TIMES.search(name)}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[Any]", value)]
    return value


def differences(expected: Evidence, found: Evidence, *, asks_again: int = 0) -> list[str]:
    """What is not as it was undisturbed, in words; `asks_again` more questions to a model are as it should be."""
    said: list[str] = []
    for name in sorted({*expected, *found}):
        was, now = expected.get(name), found.get(name)
        spare = asks_again if name == "requests to the model" else 0
        if was == now or (isinstance(was, int) and isinstance(now, int) and was < now <= was + spare):
            continue
        said.append(f"{name}: {_short(now, was)} instead of {_short(was, now)}")
    return said


def doubles(expected: Evidence, found: Evidence, *, asks_again: int = 0) -> list[str]:
    """Effects that came about more often than undisturbed."""
    spare = {"requests to the model": asks_again}
    counted = {name: (expected.get(name, 0), found.get(name, 0)) for name in COUNTS}
    said = [name for name, (was, now) in counted.items() if _number(now) > _number(was) + spare.get(name, 0)]
    for kind in ("decisions", "calls"):
        was, now = _counts(expected.get(kind)), _counts(found.get(kind))
        said += [name for name, times in now.items() if times > was.get(name, 0)]
    return said


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _counts(value: object) -> dict[str, int]:
    return cast("dict[str, int]", value) if isinstance(value, dict) else {}


def _short(value: object, other: object) -> str:
    """The part of a value that is not the other's."""
    text, against = str(value), str(other)
    same = next((at for at, (one, two) in enumerate(zip(text, against, strict=False)) if one != two), 0)
    return text if len(text) <= 120 else f"…{text[max(0, same - 30) : same + 60]}…"


def _git(folder: Path, *args: str) -> str:
    return subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(folder), *args], check=True, capture_output=True, text=True
    ).stdout
