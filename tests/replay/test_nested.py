"""Agents' own calls in a replay: whatever is done to them in a recording is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

from bus.bus import Stored
from bus.wire import arguments_sha256, parse
from contracts.base import sha256
from contracts.failure import Failure
from contracts.spending import NOTHING
from orchestrator.auditing.records import spent_of
from orchestrator.cli.commands import podium
from orchestrator.recording import record
from orchestrator.recording_file import load
from orchestrator.replay import Replay, replay
from tests.replay.forgery import STEP, Copy, called, changed, without
from tests.replay.kept import SERVERS, KeptStage, save
from tests.replay.record import ENDPOINT
from tests.replay.test_stats import PAID, QUESTION, reply

READ, ASKED = "repository.read", "model.complete"
REPLY = ("return", "retrun")
USAGE = ('"input_tokens":100', '"input_tokens":1')
PATH = ('"path":"', '"path":"other/')


@dataclass(frozen=True)
class Attack:
    """What is done to a nested call of `tool` and its answer; `do` returns what stands in its place then, if anything.

    `signed`: the divergence names the digest of the answer, which is the one the agent had signed.
    `stands`: it names the digest of what `do` returns.
    """

    name: str
    tool: str
    do: Callable[[Copy, Stored, Stored], Stored | None]
    signed: bool = True
    stands: bool = True

    def carry_out(self, run: Copy) -> tuple[str, str]:
        """Do it; returns both digests, empty where there is none."""
        call = run.call(self.tool)
        answer = run.answer(call)
        now = self.do(run, call, answer)
        return sha256(answer.body) if self.signed else "", sha256(now.body) if now and self.stands else ""


WITHOUT_A_KEY = (
    Attack("the exchange is gone", READ, lambda run, call, answer: run.drop(call, answer)),
    Attack("the call is gone", READ, lambda run, call, answer: run.drop(call)),
    Attack("the answer is gone", ASKED, lambda run, call, answer: run.drop(answer)),
    Attack("the reply is another", ASKED, lambda run, call, answer: run.alter(answer, changed(answer, *REPLY))),
    Attack("the usage is another", ASKED, lambda run, call, answer: run.alter(answer, changed(answer, *USAGE))),
    Attack(
        "parameters are others", READ, lambda run, call, answer: run.alter(call, changed(call, *PATH)), stands=False
    ),
    Attack("answers are swapped", READ, lambda run, call, answer: run.swap(run.alter, answer, second(run))),
    Attack("the call stands twice", READ, lambda run, call, answer: run.double(call), signed=False),
    Attack("the call stands elsewhere", READ, lambda run, call, answer: run.double(call, "LEDGER_model"), signed=False),
    Attack("the answer stands twice", READ, lambda run, call, answer: run.double(answer), signed=False),
    Attack("a call of nobody", READ, lambda run, call, answer: run.add(new_id(call), call.body), signed=False),
    Attack("an answer of nobody", ASKED, lambda run, call, answer: run.add(answer.subject, b"{}"), signed=False),
)
WITH_KEYS = (
    Attack("the reply is another", ASKED, lambda run, call, answer: run.sign(answer, changed(answer, *REPLY))),
    Attack("the usage is another", ASKED, lambda run, call, answer: run.sign(answer, changed(answer, *USAGE))),
    Attack("answers are swapped", READ, lambda run, call, answer: run.swap(run.sign, answer, second(run))),
    Attack(
        "the call is for another step", READ, lambda run, call, answer: run.sign(call, other_step(call)), signed=False
    ),
    Attack("a call of no call", READ, lambda run, call, answer: run.ask_again(call, parent="0" * 32), signed=False),
    Attack("a call of another's", READ, lambda run, call, answer: run.ask_again(call, "test_writer"), signed=False),
    Attack("a call nobody intended", READ, lambda run, call, answer: run.ask_again(call, "orchestrator"), signed=False),
)


def second(run: Copy) -> Stored:
    return run.answer(run.call(READ, nth=2))


def new_id(call: Stored) -> str:
    return call.subject.replace(called(call), "0" * 32)


def other_step(call: Stored) -> bytes:
    return changed(call, STEP, "write-code/1/store/write")


@pytest.fixture
def run() -> Copy:
    return Copy.of(load(ENDPOINT))


def from_the_ledger(run: Copy, folder: Path) -> Replay:
    """Replay the run as a house would whose ledger holds it so."""

    async def again() -> Replay:
        return await replay(await record(run.recording.bus(), run.run, SERVERS))

    return anyio.run(again)


def from_a_file(run: Copy, folder: Path) -> Replay:
    """Replay the run as the command does that is given a file of it."""
    save(run.recording, folder / "run.jsonl", force=True)
    done = CliRunner().invoke(podium, ["replay", str(folder / "run.jsonl"), "--json"])
    found = Replay.model_validate_json(done.output)
    assert done.exit_code == (0 if found.verdict == "identical" else 1)
    return found


Door = Callable[[Copy, Path], Replay]
DOORS = pytest.mark.parametrize("door", [from_the_ledger, from_a_file], ids=lambda door: door.__name__)


def diverged(found: Replay, signed: str, stands: str) -> None:
    """See that the step is named, and both digests, as far as there are two."""
    assert found.divergence is not None
    told = found.divergence
    assert told.recorded != told.replayed
    assert (told.step, told.recorded_sha256 or "", told.replayed_sha256 or "") == (STEP, signed, stands)


@DOORS
def test_a_run_that_nobody_has_touched_is_identical(run: Copy, tmp_path: Path, door: Door) -> None:
    """Sealed anew by the same people it is the same run."""
    found = door(run, tmp_path)
    assert (found.verdict, found.foreign) == ("identical", 0)
    assert found.nested_calls > 20


@DOORS
@pytest.mark.parametrize("attack", WITHOUT_A_KEY, ids=lambda attack: attack.name)
def test_what_is_done_without_a_key_is_found_out(run: Copy, tmp_path: Path, attack: Attack, door: Door) -> None:
    """Whoever can only write to the store or the file."""
    digests = attack.carry_out(run)
    diverged(door(run, tmp_path), *digests)


@DOORS
@pytest.mark.parametrize("attack", WITH_KEYS, ids=lambda attack: attack.name)
def test_what_one_member_signs_another_contradicts(run: Copy, tmp_path: Path, attack: Attack, door: Door) -> None:
    """Whoever holds the key of one who had signed it, but not that of the other side."""
    digests = attack.carry_out(run)
    diverged(door(run, tmp_path), *digests)


def test_an_exchange_of_another_run_has_no_place_in_a_file(run: Copy, tmp_path: Path) -> None:
    """However well it is sealed; in the ledger other runs have theirs."""
    added = run.ask_again(run.call(READ), run="r-other")
    diverged(from_a_file(run, tmp_path), "", sha256(added.body))
    assert from_the_ledger(run, tmp_path).verdict == "identical"


def test_parameters_the_agent_signs_anew_do_not_fit_the_id(run: Copy, tmp_path: Path) -> None:
    """The id is derived from what was asked first."""
    call = run.call(READ)
    now = run.sign(call, changed(call, *PATH))
    diverged(from_a_file(run, tmp_path), "", arguments_sha256(now.body))


def test_a_call_that_the_agent_gives_no_account_of_is_found_out(run: Copy, tmp_path: Path) -> None:
    """It says what it asked, and has asked for more."""
    call = run.call(READ)
    account = run.account(lambda before: without(before, called(call)))
    diverged(from_a_file(run, tmp_path), account.digest(), sha256(call.body))


def test_what_an_execution_that_was_cut_short_has_asked_is_no_divergence(run: Copy, tmp_path: Path) -> None:
    """The call was delivered again, and what is asked then, and paid for, need not be the same in all."""
    call = run.ask_again(run.call(ASKED))
    account = run.account(lambda before: before)
    diverged(from_a_file(run, tmp_path), account.digest(), sha256(call.body))
    run.account(lambda before: before.model_copy(update={"attempt": 2}))
    assert from_a_file(run, tmp_path).verdict == "identical"


def test_an_answer_the_agent_did_not_wait_for_may_be_missing(run: Copy, tmp_path: Path) -> None:
    """It says so in its account: no digest. If it comes all the same, what it cost is no part of the agent's sum."""
    call = run.ask_again(run.call(ASKED))
    run.account(lambda before: before.model_copy(update={"answers": before.answers | {called(call): ""}}))
    assert from_a_file(run, tmp_path).verdict == "identical"
    run.drop(run.answer(call))
    assert from_a_file(run, tmp_path).verdict == "identical"


def test_usage_that_model_and_agent_both_sign_anew_does_not_add_up(run: Copy, tmp_path: Path) -> None:
    """What the agent said it spent is not what the model's answers to it come to."""
    answer = run.answer(run.call(ASKED))
    now = run.sign(answer, changed(answer, *USAGE))
    run.account(lambda before: before.model_copy(update={"answers": before.answers | {called(now): sha256(now.body)}}))
    diverged(from_a_file(run, tmp_path), amounts(answer), amounts(now))


def test_a_paid_call_that_all_keep_silent_about_does_not_add_up(run: Copy, tmp_path: Path) -> None:
    """The exchange is gone, and the agent signs an account without it: the sum it named is still there."""
    call = run.call(ASKED)
    answer = run.answer(call)
    run.drop(call, answer)
    run.account(lambda before: without(before, called(call)))
    diverged(from_a_file(run, tmp_path), amounts(answer), NOTHING.digest())


async def test_a_failure_says_nothing_of_what_was_asked_before_it(kept: KeptStage) -> None:
    """An agent that is given up on gives neither an account nor a sum."""
    kept.crew.failures["code_writer.propose"] = Failure(kind="internal", message="given up")
    outcome = await kept.run()
    proposing = next(call for call in outcome.state.calls if call.tool == "propose")
    await kept.nested(proposing, "model", "complete", QUESTION, reply(PAID))
    assert (await replay(await kept.recording())).verdict == "identical"


@pytest.mark.parametrize(("paid", "verdict"), [(1, "identical"), (2, "diverged")])
async def test_a_failure_that_names_a_sum_is_held_to_it(kept: KeptStage, paid: int, verdict: str) -> None:
    """Whether or not it has an account."""
    kept.crew.failures["code_writer.propose"] = Failure(kind="timeout", message="too slow", spent=PAID)
    outcome = await kept.run()
    proposing = next(call for call in outcome.state.calls if call.tool == "propose")
    for _ in range(paid):
        await kept.nested(proposing, "model", "complete", QUESTION, reply(PAID))
    assert (await replay(await kept.recording())).verdict == verdict


def amounts(answer: Stored) -> str:
    spent = spent_of(parse(answer.subject, answer.body))
    assert spent is not None
    return spent.digest()
