"""Prompts on show: every question and answer, in full, and nothing in them can command a terminal."""

from __future__ import annotations

from dataclasses import replace

from contracts.failure import Failure
from contracts.model import Attempt
from orchestrator.asked import asked
from orchestrator.cli.prompts import Prompts, draw_prompts
from orchestrator.exchanges import exchanges
from orchestrator.view import console
from tests.orchestrator.builders import build, make_site
from tests.orchestrator.crew import RUN
from tests.replay.kept import KeptStage
from tests.replay.test_stats import PAID, QUESTION, reply


async def prompts(kept: KeptStage, run: str = RUN) -> Prompts:
    found, unread = asked((await exchanges(kept.bus, ["model"]))[0], run)
    return Prompts(run=run, prompts=found, unread=unread)


def drawn(found: Prompts) -> str:
    to = console(err=False)
    with to.capture() as shown:
        to.print(draw_prompts(found))
    return shown.get()


async def test_questions_are_shown_in_order_with_who_asked_and_what_it_cost(kept: KeptStage) -> None:
    """The planner's and an agent's: step, template, model, way, usage, cost, system, turns, reply."""
    make_site(kept)
    outcome = await build(kept)
    writing = next(call for call in outcome.state.calls if call.tool == "write")
    await kept.nested(writing, "model", "complete", QUESTION, reply(PAID))
    found = await prompts(kept)
    assert [(each.caller, each.step) for each in found.prompts] == [
        ("orchestrator", "understand/plan"),
        (writing.server, "write-tests/1/say/write"),
    ]
    shown = drawn(found)
    for word in ("1 of 2", "understand/plan", "prompt plan (", "m at there, by tool, ok", "unknown", "something new"):
        assert word in shown
    assert "2 requests, 1,357 tokens, $0.0125" in shown
    flat = " ".join(shown.split())
    assert " ".join(found.prompts[0].params.turns[0].text.split()) in flat
    assert '"goal": "Something new."' in flat


async def test_what_was_paid_for_in_vain_is_shown_with_what_the_model_was_told_then(kept: KeptStage) -> None:
    """A reply that was not taken, why not, and the turn that asked for another one."""
    outcome = await kept.run()
    attempt = Attempt(way="schema", text="Forty-two \x1b[2J.", why_not="no JSON in it", told="Answer again.")
    paid = reply(PAID).model_copy(update={"attempts": (attempt,)})
    await kept.nested(outcome.state.calls[0], "model", "complete", QUESTION, paid)
    flat = " ".join(drawn(await prompts(kept)).split())
    assert (
        "paid for, by schema, and not taken: no JSON in it reply, as it came: Forty-two \\x1b[2J. user: Answer" in flat
    )


async def test_what_is_shown_cannot_command_a_terminal(kept: KeptStage) -> None:
    """Escapes in prompts, replies and failures are made visible."""
    outcome = await kept.run()
    nasty = reply(PAID).model_copy(update={"reply": None, "text": "\x1b[2Jgone\u202e", "outcome": "invalid"})
    call = outcome.state.calls[0]
    await kept.nested(call, "model", "complete", QUESTION.model_copy(update={"system": "\x1b]0;x\x07"}), nasty)
    await kept.nested(call, "model", "complete", QUESTION, Failure(kind="budget", message="too \x1b[31mmuch"))
    shown = drawn(await prompts(kept))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2Jgone\\u202e" in shown
    assert "no reply: too \\x1b[31mmuch" in shown


async def test_a_question_its_caller_did_not_sign_is_not_shown_as_theirs(kept: KeptStage) -> None:
    """What nobody vouches for says nothing about who asked what."""
    outcome = await kept.run()
    await kept.nested(outcome.state.calls[0], "model", "complete", QUESTION, reply(PAID))
    found, _ = await exchanges(kept.bus, ["model"])
    assert len(asked(found, RUN)[0]) == 1
    assert asked([replace(each, sealed=False) for each in found], RUN) == ((), 0)


async def test_a_run_that_asked_no_model_says_so(kept: KeptStage) -> None:
    """Other runs' questions are not shown."""
    outcome = await kept.run()
    await kept.nested(outcome.state.calls[0], "model", "complete", QUESTION, reply(PAID))
    assert "No model was asked in r-none" in drawn(await prompts(kept, "r-none"))
    assert len((await prompts(kept)).prompts) == 1


async def test_a_question_of_another_version_is_counted(kept: KeptStage) -> None:
    """What cannot be read is not passed over in silence."""
    outcome = await kept.run()
    await kept.nested(outcome.state.calls[0], "model", "complete", outcome.state.task, reply(PAID))
    assert "1 question of another version" in drawn(await prompts(kept))
