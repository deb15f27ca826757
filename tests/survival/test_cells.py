"""Which cells there are, and that the harness can fail: what counts as a difference, a double, a leftover."""

from __future__ import annotations

from typing import Any

import pytest

from tests.survival.cells import BROKER, HOUSE, ITSELF, KEEPER, WARDEN, Cell, Found, Kill, Passages, drawn, matrix
from tests.survival.verdict import Verdict, judge, table

PASSAGES = Passages(
    {
        ("event.before_store", "orchestrator"): 9,
        ("commit.before_ref", "workspace"): 1,
        ("execute.after", "model"): 2,
        ("execute.after", "workspace"): 6,
        ("house.ready", "house"): 1,
    }
)
KILL = Kill(victim=ITSELF, point="commit.before_ref", process="workspace")
CELL = Cell(scene="search", kills=(KILL,))
GOLDEN: dict[str, Any] = {
    "tree": "7c91d7",
    "commits": 1,
    "commit objects": 2,
    "branch moves": 1,
    "requests to the model": 1,
    "decisions": {"gate.RUN.plan.decision": 1},
    "calls": {"apply/1/commit workspace.commit": 1},
    "left behind": [],
}


def judged(cell: Cell = CELL, exits: tuple[int, ...] = (0,), missed: tuple[Kill, ...] = (), **other: Any) -> Verdict:
    """A cell that came out as undisturbed, but for what is `other`."""
    changed = {name.replace("_", " "): value for name, value in other.items()}
    golden = Found(cell=Cell(scene="search"), evidence=GOLDEN)
    return judge(golden, Found(cell=cell, exits=list(exits), missed=list(missed), evidence={**GOLDEN, **changed}))


def test_the_matrix_has_every_point_in_every_process_and_kills_broker_and_house_at_each() -> None:
    """The orchestrator dies at the first, middle and last passage; what all members pass, broker and house see once."""
    cells = [cell.kills[0] for cell in matrix({"search": PASSAGES, "again": PASSAGES})]
    assert [kill.nth for kill in cells if kill.of == "orchestrator"] == [1, 5, 9]
    assert {(kill.point, kill.process) for kill in cells if kill.victim == ITSELF} == set(PASSAGES)
    shared = [(kill.point, kill.process, kill.victim) for kill in cells if kill.victim != ITSELF]
    assert sorted(shared) == sorted(
        (point, process, victim)
        for point, process in PASSAGES
        if process not in ("house", "model")
        for victim in (BROKER, HOUSE)
    )


def test_whoever_has_begun_a_job_loses_its_keeper_and_its_warden() -> None:
    """Once each, of each member that has jobs."""
    passages = PASSAGES | Passages({("job.begun", "test_runner"): 5, ("job.begun", "static_analyzer"): 2})
    kills = [cell.kills[0] for cell in matrix({"search": passages})]
    guards = [(kill.process, kill.victim) for kill in kills if kill.victim in (KEEPER, WARDEN)]
    assert sorted(guards) == [(name, kind) for name in ("static_analyzer", "test_runner") for kind in (KEEPER, WARDEN)]


def test_whoever_does_a_call_for_the_second_time_is_killed_over_its_note() -> None:
    """A note is made only after a death; the notary, who signs by the clock, dies at its first signature."""
    passages = PASSAGES | Passages({("sign.after_store", "notary"): 9, ("note.after_store", "workspace"): 1})
    cells = list(matrix({"search": passages}))
    pairs = [cell.kills for cell in cells if len(cell.kills) == 2]
    assert all(first == Kill(victim=ITSELF, point="execute.after", process="workspace") for first, _ in pairs)
    assert {(second.point, second.victim) for _, second in pairs} == {
        (point, victim) for point in ("note.before_store", "note.after_store") for victim in (ITSELF, BROKER, HOUSE)
    }
    assert {cell.kills[0].nth for cell in cells if cell.kills[0].process == "notary"} == {1}


def test_every_passage_is_a_cell_where_that_is_asked_for() -> None:
    """`--every`."""
    alone = [cell.kills[0] for cell in matrix({"search": PASSAGES}, every=True) if len(cell.kills) == 1]
    assert sum(kill.victim == ITSELF for kill in alone) == sum(PASSAGES.values())


def test_a_seed_draws_the_same_kills_again_and_another_seed_others() -> None:
    """One to three of them, by passage or by the clock."""
    cells = [drawn(PASSAGES, "search", 8.0, seed) for seed in range(40)]
    assert cells == [drawn(PASSAGES, "search", 8.0, seed) for seed in range(40)]
    assert len({cell.kills for cell in cells}) > 30
    assert {len(cell.kills) for cell in cells} == {1, 2, 3}
    kills = [kill for cell in cells for kill in cell.kills]
    assert {bool(kill.point) for kill in kills} == {True, False}
    assert {HOUSE, BROKER, "keeper", "orchestrator", "workspace"} <= {kill.victim for kill in kills}


def test_what_came_out_as_undisturbed_is_right() -> None:
    """No difference, no double, nothing left."""
    verdict = judged()
    assert (verdict.ok, verdict.hit) == (True, True)


@pytest.mark.parametrize(
    ("other", "twice"),
    [
        ({"tree": "ffffff"}, False),
        ({"commits": 2}, True),
        ({"commits": 0}, False),
        ({"commit_objects": 3}, True),
        ({"branch_moves": 2}, True),
        ({"requests_to_the_model": 2}, True),
        ({"decisions": {"gate.RUN.plan.decision": 2}}, True),
        ({"decisions": {}}, False),
        ({"calls": {"apply/1/commit workspace.commit": 2}}, True),
        ({"locks_in_.git": ["index.lock"]}, False),
    ],
)
def test_what_came_out_otherwise_is_a_difference_and_more_of_an_effect_a_double(
    other: dict[str, Any], twice: bool
) -> None:
    """Whatever is compared."""
    verdict = judged(**other)
    assert not verdict.ok
    assert len(verdict.differences) == 1
    assert bool(verdict.doubles) == twice


def test_what_is_left_behind_is_wrong_also_where_nothing_else_differs() -> None:
    """Files and processes."""
    verdict = judged(left_behind=["work/r-1", "nats-server -c x"])
    assert (verdict.ok, verdict.differences, len(verdict.left)) == (False, (), 2)
    assert "left:    work/r-1" in table([verdict])


def test_a_run_that_a_person_had_to_go_on_with_is_right_only_where_their_own_command_died() -> None:
    """The house heals its members and its broker; a command, and the house itself, nobody else starts again."""
    dies = Cell(scene="search", kills=(Kill(victim=ITSELF, point="value.after", process="orchestrator"),))
    assert not judged(exits=(1, 0)).ok
    assert judged(dies, exits=(-9, 0)).ok
    assert not judged(dies, exits=(-9, 1, 0)).ok
    assert judged(exits=(3, 0, 0)).ok, "a gate waits"


def test_a_question_that_was_lost_with_a_model_server_may_be_asked_once_more_and_no_other() -> None:
    """Where it was answered and nothing is stored of that; nowhere else."""
    lost = Cell(scene="model", kills=(Kill(victim=ITSELF, point="ask.after", process="model"),))
    early = Cell(scene="model", kills=(Kill(victim=ITSELF, point="ask.before", process="model"),))
    assert judged(lost, requests_to_the_model=2).ok
    assert not judged(lost, requests_to_the_model=3).ok
    assert not judged(early, requests_to_the_model=2).ok


def test_a_kill_whose_moment_never_came_is_said() -> None:
    """A cell that was not hit proves nothing."""
    verdict = judged(missed=(KILL,))
    assert (verdict.ok, verdict.hit) == (True, False)
    assert "NO" in table([verdict])
