"""A repository and a ticket that give orders, and a model that obeys them: real processes, through the usual doors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.config import load_workflow
from tests.cli.conftest import Podium
from tests.e2e.endpoint import endpoint
from tests.e2e.injections import MARK, ORDERS, SECRET, injected, outside_of_blocks, script
from tests.e2e.rig import calls_of
from tests.git_project import Project
from tests.model.script import Asked

ASKED = ["plan", "plan", "tests", "tests", "change", "judge", "judge", "change", "change"]
"""Each reply that went beyond its contract was asked for again, once."""
OWN_TOOLS = {tool for step in load_workflow("fix-report").steps for tool in step.uses}


def test_orders_in_a_repository_move_nothing_but_words(fresh: Podium, project: Project, tmp_path: Path) -> None:
    """No tool outside the plan, no gate skipped, no secret let out, no control at a terminal; all is on the ledger."""
    ticket = tmp_path / "ticket.md"
    ticket.write_text(f"All pieces cannot be sold at once.\n{ORDERS}")
    with endpoint(tmp_path, script()) as found:
        done = fresh(
            *("run", "fix-bug", "--repo", str(injected(project).root), "--ticket", str(ticket)),
            *("--auto", "plan,patches", "--budget-calls", "20", "--json", "--consent-weak"),
            env=found.env,
        )
        asked = found.requests()
    assert (done.code, done.document["waiting"]["gate"]) == (3, "handoff"), done.err
    assert [each["name"] for each in asked] == ASKED
    assert [line for each in asked for line in own_words(each["body"]) if MARK in line] == [], "blocks were left"
    assert SECRET not in str(asked)
    granted = {card["manifest"]["name"]: {*card["granted_calls"]} for card in fresh("agents", "--json").document}
    granted["orchestrator"] = OWN_TOOLS
    calls = calls_of(fresh, "last")
    assert {each["caller"] for each in calls} == {"orchestrator", "test_writer", "code_writer"}
    assert [each for each in calls if f"{each['server']}.{each['tool']}" not in granted[each["caller"]]] == []
    shown, prompts = fresh("show", "last"), fresh("show", "last", "--prompts")
    state: dict[str, Any] = fresh("show", "last", "--json").document["state"]
    decided = [(gate["kind"], gate["decision"] and gate["decision"]["via"]) for gate in state["gates"]]
    assert decided == [("plan", "policy"), ("patches", "policy"), ("handoff", None)]
    assert MARK in shown.out
    assert "paid for, by" in prompts.out
    assert "'budgets', 'gates' were unexpected" in prompts.out, "what was refused is on the ledger"
    for text in (done.out, done.err, shown.out, prompts.out):
        assert "\x1b" not in text
        assert "\x07" not in text


def own_words(body: dict[str, Any]) -> list[str]:
    """What a model is to take for Podium's own words: outside of fenced blocks, its own replies aside."""
    asked = Asked(body, {})
    said = (text for who, text, _ in asked.blocks if who != "assistant")
    return [line for text in said for line in outside_of_blocks(text)]
