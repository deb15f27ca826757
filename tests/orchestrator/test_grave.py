"""Risks that no rule may take: what they are, and that a person accepts each by its name, whichever door they use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import diff
from contracts.gate import GateDecision, GateRequest
from contracts.gate_policy import GatePolicy, Policy
from contracts.run import GateClosedEvent, GateDecidedEvent
from orchestrator import gates
from orchestrator.deceptive import is_invisible
from orchestrator.errors import InvalidDecision
from orchestrator.gates import decide, pending
from orchestrator.grave import grave_risks
from orchestrator.policies import answer, problem
from orchestrator.run import Outcome
from tests.orchestrator.crew import GOOD, RUN, proposal
from tests.orchestrator.stage import AUTO_ALL, Stage

AUTO_IF = Policy(**dict.fromkeys(("plan", "patches", "handoff"), GatePolicy(mode="auto-if", max_changed_lines=100)))
CI = GOOD + diff.make(".github/workflows/ci.yml", "run: tests\n", "run: other\n")
BOTH = CI + diff.make("requirements-dev.txt", "a\n", "b\n")


def names(text: str) -> list[str]:
    return [risk.name for risk in grave_risks(text)]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((path, "dependencies") for path in ("setup.py", "a/b/Setup.py", "uv.lock", "web/package.json", "PIPFILE")),
        *((path, "automation") for path in ("Makefile", "sub/GNUmakefile", "x/.GitHub/y", "do.sh", ".gitattributes")),
        *((path, "dependencies") for path in ("requirements/dev.txt", "x/Requirements/base.in")),
        *((path, "automation") for path in (".claude/settings.json", "CLAUDE.md", ".gitlab/ci/x.yml")),
        *((path, "automation") for path in (".vscode/tasks.json", "Dockerfile.dev", "it.pth", "AGENTS.md")),
        *((path, "test-settings") for path in ("a/conftest.py", "sitecustomize.py", "pytest.ini", "Podium.toml")),
    ],
)
def test_files_that_act_outside_the_sandbox_are_grave_in_whatever_folder_and_case(path: str, name: str) -> None:
    """What installs, builds, checks or runs things on somebody's machine."""
    assert name in names(diff.make(path, "1\n", "2\n"))


@pytest.mark.parametrize("path", ["x.py", "docs/setup.md", "github/x.py", "makefiles/x.py", "tests/test_x.py"])
def test_ordinary_files_are_not(path: str) -> None:
    """Otherwise people would learn to tick."""
    assert names(diff.make(path, "1\n", "2\n")) == []


KEY = "ghp_" + "a1B2" * 9
BLOCK = f"-----BEGIN PRIVATE KEY-----\n{'A1b2' * 16}\n{'A1b2' * 16}\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(("text", "kind"), [(f"x = 1\nTOKEN = '{KEY}'\n", "GitHub Token"), (BLOCK, "Private Key")])
def test_a_secret_that_is_added_is_named_by_kind_and_file_and_not_told(text: str, kind: str) -> None:
    """What is shown of a risk is stored; one that was there before, or is taken out, leaves with no patch of ours."""
    (risk,) = grave_risks(diff.make("settings.py", "x = 1\n", text))
    assert (risk.name, f"settings.py has a {kind}" in risk.words) == ("secrets", True)
    assert "a1B2" not in risk.words
    assert "A1b2" not in risk.words
    assert names(diff.make("settings.py", text, "x = 1\n")) == []
    assert names(diff.make("settings.py", text, text + "y = 2\n")) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("if level != 'user\u202e \u2066// admin\u2069 \u2066':\n", "x.py has U+202E, x.py has U+2066"),
        ("a\u200bb = 1\n", "U+200B"),
        ("\u3164 = True\n", "U+3164"),
        ("x = 'a\U000e0101'\n", "U+E0101"),
        ("print('\x1b[2J')\n", "U+001B"),
    ],
)
def test_characters_that_do_not_show_are_named(text: str, words: str) -> None:
    """Bidirectional controls, zero widths, fillers, selectors, escapes: by file and code point."""
    (risk,) = grave_risks(diff.make("x.py", None, text))
    assert (risk.name, words in risk.words) == ("invisible-characters", True)


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("x.py", "def is_аdmin(): ...\n", r"x.py has '\u0430dmin'"),
        ("x.py", "𝐞𝐯𝐚𝐥('1')\n", r"x.py has '\U0001d41e"),
        ("pаyment.py", "1\n", r"the name 'p\u0430yment.py'"),
        ("сору/x.py", "1\n", "the name"),
    ],
)
def test_letters_that_look_like_others_are_named(path: str, text: str, words: str) -> None:
    """A word of two scripts, letters that programs read as other ones, a name that could be read as another."""
    (risk,) = grave_risks(diff.make(path, None, text))
    assert (risk.name, words in risk.words) == ("lookalike-letters", True)


@pytest.mark.parametrize(
    "text", ["# Привет, это проверка\n", "π = 3; größe = 'naïve — 日本語 🎉'\n", "Ω, μ and µ\n", "\ta\r\n"]
)
def test_other_languages_are_no_risk(text: str) -> None:
    """People write in their own scripts."""
    assert names(diff.make("x.py", None, text)) == []


def test_what_a_change_takes_away_is_no_risk_and_many_places_are_counted() -> None:
    """Cleaning up is welcome; a long list is not read."""
    assert names(diff.make("x.py", "a\u200b\n", "a\n")) == []
    (risk,) = grave_risks("".join(diff.make(f"{n}.py", None, "\u200b\n") for n in range(9)))
    assert risk.words.endswith("4.py has U+200B, 4 more.")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=30), st.integers(0, 30))
def test_no_invisible_character_gets_past(text: str, at: int) -> None:
    """Wherever it stands, whatever stands around it."""
    hidden = diff.make("x.py", "old\n", f"{text[:at]}\u2067{text[at:]}\n")
    assert "invisible-characters" in names(hidden)
    plain = diff.make("x.py", "old\n", f"{''.join(c for c in text if not is_invisible(c))}\n")
    assert "invisible-characters" not in names(plain)


async def handed(stage: Stage, text: str, policy: Policy = AUTO_ALL) -> tuple[Outcome, GateRequest]:
    """A run with that patch, as far as it goes by the policy, and what it waits on."""
    stage.crew.proposals = (proposal(text),)
    outcome = await stage.run(policy)
    assert outcome.waiting is not None
    return outcome, outcome.waiting


@pytest.mark.parametrize("policy", [AUTO_ALL, AUTO_IF], ids=["auto", "auto-if"])
async def test_no_rule_passes_a_grave_risk(stage: Stage, policy: Policy) -> None:
    """The run waits for a person at the handover, and nothing is delivered."""
    outcome, request = await handed(stage, CI, policy)
    assert (outcome.exit_code, request.gate) == (3, "handoff")
    assert stage.checkout.delivered == []


async def test_the_same_rules_pass_a_change_without_one(stage: Stage) -> None:
    """So it is the risk that stops them."""
    assert (await stage.run(AUTO_IF)).exit_code == 0


async def test_an_approval_that_names_the_risks_counts_and_the_ledger_has_the_names(stage: Stage) -> None:
    """In the decision, which is stored, and in the run's event of it."""
    _, request = await handed(stage, BOTH)
    names = ("dependencies", "automation")
    await decide(stage.bus, request, answer(request, "approve", by="ann", via="command", accepts=names))
    assert (await stage.conductor().resume(RUN)).exit_code == 0
    (decided,) = [
        e.what for e in stage.watcher.events if isinstance(e.what, GateDecidedEvent) and e.what.gate == "handoff"
    ]
    assert decided.decision.accepts == names


@pytest.mark.parametrize(
    ("accepts", "why"),
    [
        ((), "accept by name what no rule may: automation, dependencies"),
        (("dependencies",), "what no rule may: automation"),
        (("automation", "dependencies", "lookalike-letters"), "no risk lookalike-letters"),
    ],
)
async def test_an_approval_that_leaves_one_out_or_names_another_does_not_count(
    stage: Stage, accepts: tuple[str, ...], why: str
) -> None:
    """It is turned away at the door; and where it was stored past the door, the gate closes and asks anew."""
    _, request = await handed(stage, BOTH)
    decision = answer(request, "approve", by="ann", via="command", accepts=accepts)
    with pytest.raises(InvalidDecision, match=why):
        await decide(stage.bus, request, decision)
    await gates.store_decision(stage.bus, request, decision)
    outcome = await stage.conductor().resume(RUN)
    assert outcome.exit_code == 3
    assert any(isinstance(e.what, GateClosedEvent) and why in e.what.reason for e in stage.watcher.events)
    asked_anew = await pending(stage.bus, outcome.state)
    assert asked_anew is not None
    assert asked_anew.gate == "handoff_2"


async def test_a_rule_cannot_accept_a_risk_by_naming_it(stage: Stage) -> None:
    """Nor does turning it down need any name."""
    _, request = await handed(stage, CI)

    def said(verdict: str, via: str, *accepts: str) -> GateDecision:
        return answer(request, verdict, by="it", via=via, accepts=accepts, reason="no")  # pyright: ignore[reportArgumentType]

    assert problem(request, said("approve", "policy", "automation"), request.opened_at) == "a rule cannot accept risks"
    assert problem(request, said("approve", "terminal", "automation"), request.opened_at) == ""
    assert problem(request, said("reject", "command"), request.opened_at) == ""
