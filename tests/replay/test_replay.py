"""Replay: the same again from the recording alone, or the first place where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bus.claims import CLAIM, Claim
from bus.wire import response
from contracts.base import sha256
from contracts.bundle import Bundle
from contracts.failure import Failure
from contracts.gate import GateDecision, GateRequest
from contracts.gate_policy import HUMAN
from contracts.prompt import Prompt, Template
from contracts.spending import NOTHING
from contracts.task import Task
from contracts.test_runner import Counts
from orchestrator import bundle as bundles
from orchestrator import checks, finish, minds, repairing, words
from orchestrator.cli.commands import podium
from orchestrator.errors import CouldNot
from orchestrator.gates import decide
from orchestrator.policies import answer
from orchestrator.ports import TakenIn
from orchestrator.recording import Recording, RecordingError
from orchestrator.recording_file import load
from orchestrator.replay import Replay, replay
from tests.orchestrator.builders import build, make_site, retry
from tests.orchestrator.crew import BAD, GOOD, RUN, ScriptedCheckout, proposal, suite
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW
from tests.orchestrator.test_resume import Killed, frail
from tests.replay.kept import KeptStage, make_kept
from tests.replay.record import BY_MODEL, ENDPOINT, OTHER
from tests.replay.record import GOOD as FIX_BUG

PLAN_GATE = AUTO_ALL.model_copy(update={"plan": HUMAN})


async def identical(kept: KeptStage) -> Replay:
    """Replay what stands in the ledger, and see that it is the same and touched nothing."""
    before = (list(kept.crew.effects), kept.checkout.taken, list(kept.checkout.delivered))
    stored = _lengths(kept)
    found = await replay(await kept.recording())
    assert found.divergence is None
    assert found.verdict == "identical"
    assert before == (kept.crew.effects, kept.checkout.taken, kept.checkout.delivered)
    assert stored == _lengths(kept)
    return found


def _lengths(kept: KeptStage) -> dict[str, int]:
    """Of the ledger's streams; buckets come and go with who connects."""
    return {name: len(stream) for name, stream in kept.broker.streams.items() if name.startswith("LEDGER_")}


async def diverged(recording: Recording) -> tuple[str, str, str]:
    """Where a replay diverges, with both digests."""
    found = await replay(recording)
    assert found.verdict == "diverged"
    assert found.divergence is not None
    told = found.divergence
    assert told.recorded != told.replayed
    return told.step, told.recorded_sha256 or "", told.replayed_sha256 or ""


def test_a_recorded_run_is_replayed_identically_without_a_house() -> None:
    """A real run of the search, replayed from its file by the command: exit 0, every call answered, nothing spent."""
    done = CliRunner().invoke(podium, ["replay", str(FIX_BUG), "--json"])

    assert done.exit_code == 0, done.output
    found = Replay.model_validate_json(done.output)
    assert (found.verdict, found.status, found.ended, found.foreign) == ("identical", "handed_over", True, 0)
    assert found.events > 50
    assert (found.calls, found.nested_calls > 0) == (12, True)


async def test_a_run_whose_bodies_were_removed_is_not_replayed_and_says_so() -> None:
    """What was said then is not known any more: that is no divergence."""
    recording = load(FIX_BUG)
    answer = next(kept for kept in recording.messages if kept.subject.startswith("result.orchestrator."))
    claim = Claim(sha256=sha256(answer.body), size=len(answer.body), chunk_bytes=1 << 20)
    gone = replace(answer, body=claim.canonical(), headers={**answer.headers, CLAIM: "1"})
    messages = tuple(gone if kept is answer else kept for kept in recording.messages)
    with pytest.raises(RecordingError, match=r"bodies of 1 message of .* were removed by `podium gc`"):
        await replay(replace(recording, messages=messages))


@pytest.mark.parametrize(("file", "models"), [(BY_MODEL, 2), (ENDPOINT, 4)], ids=["fix-bug", "add-endpoint"])
def test_a_run_that_models_had_a_part_in_is_replayed_for_nothing(file: Path, models: int) -> None:
    """Identical, prompts included, without an endpoint: what it cost then is said, and that it costs nothing now."""
    done = CliRunner().invoke(podium, ["replay", str(file), "--json"])

    assert done.exit_code == 0, done.output
    found = Replay.model_validate_json(done.output)
    assert (found.verdict, found.status, found.model_calls) == ("identical", "handed_over", models)
    assert found.spent_then.requests == models
    assert found.spent_now == NOTHING


def test_a_run_of_another_version_diverges_at_the_step_that_differs() -> None:
    """Recorded by a Podium that worded commits otherwise: exit 1, the step and both digests are named."""
    done = CliRunner().invoke(podium, ["replay", str(OTHER), "--json"])

    assert done.exit_code == 1, done.output
    told = Replay.model_validate_json(done.output).divergence
    assert told is not None
    assert told.step == "apply/1/commit"
    assert told.recorded_sha256 != told.replayed_sha256
    assert told.recorded_sha256 is not None
    assert told.recorded_sha256 in told.recorded
    assert told.replayed_sha256 is not None
    assert told.replayed_sha256 in told.replayed
    shown = CliRunner().invoke(podium, ["replay", str(OTHER)]).output
    assert "apply/1/commit" in shown
    assert told.recorded_sha256 in shown.replace("\n", "")
    assert told.replayed_sha256 in shown.replace("\n", "")


@pytest.mark.parametrize("file", [FIX_BUG, OTHER], ids=lambda file: file.stem)
def test_recordings_are_small_and_name_nobody(file: Path) -> None:
    """They are kept in the repository: no home folders, no host, no person but the one who is made up."""
    text = file.read_text(encoding="utf-8")
    assert len(text) < 200_000
    assert "/home/" not in text
    assert "/root/" not in text
    assert '\\"by\\":\\"ann\\"' in text


async def test_a_run_of_two_rounds_is_replayed(kept: KeptStage) -> None:
    """Taken back and tried again: every event is asked for anew and found."""
    kept.crew.proposals = (proposal(BAD), proposal(GOOD))
    outcome = await kept.run()
    assert outcome.state.metrics.rounds == 2
    found = await identical(kept)
    assert (found.ended, found.events, found.calls) == (True, outcome.state.events, len(outcome.state.calls))


async def test_a_failed_run_fails_again_for_the_same_reason(kept: KeptStage) -> None:
    """No proposal, a failing agent, a repository that cannot be taken in: each ends as it did."""
    kept.crew.proposals = ()
    assert (await kept.run()).state.status == "failed"
    assert (await identical(kept)).status == "failed"


async def test_what_a_model_planned_and_judged_is_replayed_for_nothing(kept: KeptStage) -> None:
    """Written by a model, mended once: the prompts made now are those asked then, what they had cost is said."""
    crew = make_site(kept)
    crew.replies["judge"] = [retry()]
    crew.texts["new.py"] = ["1\n", "2\n"]
    outcome = await build(kept)
    assert (outcome.state.status, outcome.state.metrics.fix_rounds) == ("handed_over", 1)
    found = await identical(kept)
    assert found.model_calls == 2
    assert found.spent_then.usage.input_tokens == 200
    assert found.spent_then.cost_usd is None
    assert found.spent_now.requests == 0


async def test_a_prompt_that_reads_differently_now_diverges(kept: KeptStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The template is part of what is asked: the step of the call is named, with both digests."""
    make_site(kept)
    await build(kept)
    plain = minds.prompt("plan")
    other = replace(plain, system=Template("plan", "Plan well."))

    def prompt(name: str) -> Prompt:
        return other

    monkeypatch.setattr(minds, "prompt", prompt)
    where, recorded, replayed = await diverged(await kept.recording())
    assert where == "understand/plan"
    assert recorded != replayed


async def test_an_answer_that_was_a_failure_is_one_again(kept: KeptStage) -> None:
    """Failures are answers: retried then, retried now, and the run ends the same."""
    kept.crew.failures["code_writer.propose"] = Failure(kind="unavailable", message="gone", retry=True)
    outcome = await kept.run()
    assert [call.tool for call in outcome.state.calls].count("propose") == 3
    assert (await identical(kept)).status == "failed"


async def test_what_failed_on_the_persons_machine_fails_again_without_being_tried(kept: KeptStage) -> None:
    """A repository that could not be taken in is not looked for again."""

    class Gone(ScriptedCheckout):
        async def take_in(self, task: Task) -> TakenIn:
            raise CouldNot("There is no repository.", "Give another one.")

    kept.checkout = Gone()
    assert (await kept.run()).state.reason == "There is no repository."
    assert (await identical(kept)).ended


async def test_a_folder_that_could_not_be_written_is_not_written_now(kept: KeptStage) -> None:
    """The bundle's folder was in the way then; it is not, now, and stays away all the same."""
    kept.paths.bundles.write_text("in the way")
    assert (await kept.run()).state.status == "failed"
    kept.paths.bundles.unlink()
    await identical(kept)
    assert not kept.paths.bundles.exists()


async def test_a_run_that_had_no_time_left_has_none_now(kept: KeptStage) -> None:
    """The clock was what ended it; that is recorded, and not measured again."""
    model = WORKFLOW.budgets.model.model_copy(update={"wall_s": 1e-9})
    workflow = WORKFLOW.model_copy(update={"budgets": WORKFLOW.budgets.model_copy(update={"model": model})})
    outcome = await kept.conductor().start(TASK, workflow, AUTO_ALL)
    assert outcome.state.over_budget, outcome.state.reason
    assert (await identical(kept)).ended


@pytest.mark.parametrize("verdict", ["reject", "abort"])
async def test_a_person_who_said_no_says_it_again(kept: KeptStage, verdict: str) -> None:
    """Decisions come from the ledger: nobody is asked."""
    waiting = (await kept.run(PLAN_GATE)).waiting
    assert waiting is not None
    await decide(kept.bus, waiting, said(waiting, verdict))
    assert (await kept.conductor().resume(RUN)).exit_code == 4
    assert (await identical(kept)).status == "aborted"


def said(request: GateRequest, verdict: str) -> GateDecision:
    return answer(
        request, "abort" if verdict == "abort" else "reject", by="ann", via="command", reason="leave the shop alone"
    )


async def test_an_aborted_run_is_replayed_to_where_it_was_ended(kept: KeptStage) -> None:
    """`podium abort` comes from outside: up to there everything is the same, and the cleaning up is."""
    await kept.run(PLAN_GATE)
    await kept.conductor().abort(RUN, by="ann", reason="enough")
    found = await identical(kept)
    assert (found.status, found.ended) == ("aborted", True)


async def test_a_run_that_waits_is_replayed_as_far_as_it_goes(kept: KeptStage) -> None:
    """The open gate is where the recording ends; that is said, and no divergence."""
    await kept.run(PLAN_GATE)
    found = await identical(kept)
    assert (found.status, found.ended) == ("waiting", False)


async def test_killed_anywhere_and_resumed_a_run_is_replayed(tmp_path: Path) -> None:
    """Whatever stands in the ledger after a kill is replayed as far as it goes, and all of it after the resume."""
    for dies_at in range(2, 110, 5):
        kept = make_kept(tmp_path / str(dies_at))
        kept.crew.proposals = (proposal(BAD), proposal(GOOD))
        steady, kept.bus = kept.bus, frail(kept, dies_at, dies_at % 2 == 0)
        try:
            await kept.run()
        except Killed:
            assert not (await identical(kept)).ended
            kept.bus = steady
            assert (await kept.conductor().resume(RUN)).exit_code == 0
        else:
            assert dies_at > 60
        assert (await identical(kept)).ended


def subject(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(text: str) -> str:
        return f"other: {text}"

    monkeypatch.setattr(words, "subject", other)


def summary(monkeypatch: pytest.MonkeyPatch) -> None:
    def some(found: Counts) -> str:
        return "some"

    monkeypatch.setattr(words, "counts", some)


def without_lint(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_lint(*_: object) -> None:
        """Leaves the step out."""

    monkeypatch.setattr(repairing, "lint", no_lint)


def linted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = checks.lint

    async def twice(run: object, plan: object, patch: object, number: object, when: str) -> object:
        await plain(run, plan, patch, number, "early")  # pyright: ignore[reportArgumentType] - passed through
        return await plain(run, plan, patch, number, when)  # pyright: ignore[reportArgumentType] - passed through

    monkeypatch.setattr(repairing, "lint", twice)


def ending(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = finish.hand_over

    async def elsewhere(run: object, job: object, bundle: object) -> object:
        ended = await plain(run, job, bundle)  # pyright: ignore[reportArgumentType] - passed through
        return ended.model_copy(update={"branch": "elsewhere"})

    monkeypatch.setattr(finish, "hand_over", elsewhere)


def question(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = repairing.propose

    async def renamed(*args: object) -> object:
        shown = await plain(*args)  # pyright: ignore[reportArgumentType] - passed through
        return shown.model_copy(update={"note": "another note"})

    monkeypatch.setattr(repairing, "propose", renamed)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (subject, "apply/1/commit"),
        (summary, "reproduce"),
        (without_lint, "analyse/1/before"),
        (linted_twice, "analyse/1/early"),
        (question, "patches/1"),
        (ending, "ending"),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
async def test_code_that_does_something_else_diverges_there(
    kept: KeptStage, monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None], step: str
) -> None:
    """Another parameter, summary, question or ending; a step more or less: the step is named, and both digests."""
    await kept.run()
    change(monkeypatch)
    where, recorded, replayed = await diverged(await kept.recording())
    assert where == step
    assert recorded != replayed


async def test_a_bundle_is_made_once_and_not_again(kept: KeptStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was recorded as a value is taken as it is: neither made nor written in a replay."""
    await kept.run()

    def never(*_: object) -> Bundle:
        raise AssertionError("made again")

    monkeypatch.setattr(bundles, "make", never)
    monkeypatch.setattr(bundles, "write", never)
    await identical(kept)


async def test_an_answer_that_was_changed_in_the_file_counts_for_nothing(kept: KeptStage) -> None:
    """Its seal does not hold any more: it is left out and counted, and its place is a divergence."""
    await kept.run()
    recording = await kept.recording()
    messages = list(recording.messages)
    at = next(n for n, each in enumerate(messages) if each.subject.startswith("result.orchestrator.test_runner."))
    messages[at] = replace(messages[at], body=messages[at].body.replace(b"0.5", b"0.6"))
    changed = replace(recording, messages=tuple(messages))
    where, recorded, replayed = await diverged(changed)
    assert (where, bool(recorded), replayed) == ("reproduce/tests", True, "")
    assert (await replay(changed)).foreign == 1


async def test_an_event_and_a_decision_that_nobody_entitled_stored_have_no_place(kept: KeptStage) -> None:
    """The run is replayed to its end without them; that they stand there is a divergence all the same."""
    await kept.run()
    forger = kept.broker.connect("code_writer")
    await forger.store(f"run.{RUN}.resumed", b"{}")
    where, recorded, replayed = await diverged(await kept.recording())
    assert (where, recorded, replayed) == (f"run.{RUN}.resumed", "", sha256(b"{}"))
    kept.broker.streams["LEDGER_runs"].pop()
    await forger.store(f"gate.{RUN}.plan.decision", b"{}")
    assert (await diverged(await kept.recording()))[0] == f"gate.{RUN}.plan.decision"


async def test_an_answer_its_own_server_replaced_is_seen_by_its_digest(kept: KeptStage) -> None:
    """Sealed anew by the server's own key it still is not the answer that the run went by."""
    outcome = await kept.run()
    call = outcome.state.calls[1]
    assert call.server == "test_runner"
    forger = make_kept(kept.paths.work.parent / "forger").broker
    forger.identities = kept.broker.identities
    other = suite({"tests/test_x.py::test_y": "failed"}, duration_s=9.0)
    bus = forger.connect("test_runner")
    name = f"result.orchestrator.test_runner.{call.call_id}"
    body = response(call.call_id, {"content": [], "structuredContent": other.model_dump(mode="json"), "isError": False})
    await bus.store(name, body)
    forged = forger.streams["LEDGER_test_runner"][0]
    recording = await kept.recording()
    messages = tuple(replace(forged, seq=each.seq) if each.subject == name else each for each in recording.messages)
    where, recorded, replayed = await diverged(replace(recording, messages=messages))
    assert where == "reproduce/tests"
    assert replayed == other.digest()
    assert recorded != replayed


async def test_options_of_a_new_run_without_a_step_are_refused() -> None:
    """They would do nothing."""
    done = CliRunner().invoke(podium, ["replay", str(FIX_BUG), "--auto", "all"], standalone_mode=False)
    assert "belong to a new run" in str(done.exception)


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    """A file of something else is named with the command that writes the right thing."""
    file = tmp_path / "notes.jsonl"
    file.write_text("{}\n")
    done = CliRunner().invoke(podium, ["replay", str(file)])
    assert done.exit_code == 1
    assert "podium audit export" in str(done.exception)
    assert load(FIX_BUG).run.startswith("r-")
