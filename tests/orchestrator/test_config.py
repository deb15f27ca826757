"""The files people change: what ships is right, and what is wrong is said with file, key and way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.config import BudgetsConfig, ProjectConfig
from contracts.workflow import Budgets, Workflow
from orchestrator import config
from orchestrator.config import (
    load_host,
    load_project,
    load_workflow,
    policy,
    tuned,
    workflows,
)
from orchestrator.errors import ConfigError
from orchestrator.loop import WORKFLOWS
from servers.crew import CREW_FILE, read_crew

BASE = """name = "base"
title = "The base"
[budgets]
max_proposals = 7
[[steps]]
id = "one"
title = "One"
agent = "workspace"
[[steps]]
id = "two"
title = "Two"
agent = "workspace"
"""


def test_every_workflow_that_ships_has_a_loop() -> None:
    """Each file in configs/workflows is read and named after its file, and the code knows how to run it."""
    assert set(workflows()) == set(WORKFLOWS)
    assert [load_workflow(name).name for name in workflows()] == list(workflows())


def test_the_crew_that_ships_covers_every_tool_a_workflow_needs() -> None:
    """No workflow names an agent that is not in the crew, and every grant to call names a server of the crew."""
    crew = {member.name: member for member in read_crew(CREW_FILE).members}
    for name in workflows():
        used = {tool.split(".")[0] for step in load_workflow(name).steps for tool in step.uses}
        assert used <= {*crew, "doc_writer"}  # the example's, whom a person serves
    assert {call.split(".")[0] for member in crew.values() for call in member.calls} <= set(crew)


def test_no_member_of_the_crew_holds_two_dangerous_powers() -> None:
    """Writing files, running code and reaching the model are three members' powers."""
    for member in read_crew(CREW_FILE).members:
        assert len({"work:write", "sandbox:run", "net:model"} & set(member.scopes)) <= 1


def test_a_repository_without_podium_toml_has_the_defaults(tmp_path: Path) -> None:
    """The file is optional."""
    assert load_project(tmp_path) == ProjectConfig()


def test_podium_toml_tunes_budgets_gates_and_rounds(tmp_path: Path) -> None:
    """What the file says replaces what the workflow says; the rest stays."""
    (tmp_path / "podium.toml").write_text(
        'avoid = ["vendor/"]\n[gates]\nplan = "auto"\npatches = { mode = "auto-if", max_changed_lines = 4 }\n'
        "[budgets]\nsearch_s = 5\nfix_rounds = 0\n[test]\npython = '.venv/bin/python'\n"
    )
    project, workflow = load_project(tmp_path), load_workflow("fix-bug")
    found = policy(workflow, project)
    assert (found.plan.mode, found.patches.max_changed_lines, found.handoff.mode) == ("auto", 4, "human")
    changed = tuned(workflow, project)
    assert (changed.budgets.search_s, changed.fix_rounds) == (5, 0)
    assert changed.budgets.test_timeout_s == workflow.budgets.test_timeout_s


@pytest.mark.parametrize(
    ("auto", "modes"),
    [
        ("", ("human", "human", "human")),
        ("all", ("auto", "auto", "auto")),
        ("plan, patches", ("auto", "auto", "human")),
    ],
)
def test_auto_on_the_command_line_comes_last(auto: str, modes: tuple[str, str, str]) -> None:
    """`--auto` overrides what the files say, for the gates it names."""
    found = policy(load_workflow("fix-bug"), ProjectConfig(), auto)
    assert (found.plan.mode, found.patches.mode, found.handoff.mode) == modes


def test_auto_cannot_name_what_is_no_gate() -> None:
    """An escalation, or a misspelt name, is refused."""
    for wrong in ("escalation", "plam", "all,none"):
        with pytest.raises(ConfigError, match="no gate"):
            policy(load_workflow("fix-bug"), ProjectConfig(), wrong)


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        (b"[budgets]\nserch_s = 5\n", "budgets.serch_s", "nothing of this name"),
        (b"[budgets]\nsearch_s = 'long'\n", "budgets.search_s", "found 'long'"),
        (b"[budgets]\nsearch_s = -1\n", "budgets.search_s", "greater than 0"),
        (b"[gates]\nplan = 'maybe'\n", "gates.plan", "found 'maybe'"),
        (b"[test\n", "", "is not TOML"),
        (b"[test]\npyhton = 'x'\n", "test.pyhton", "nothing of this name"),
        (b"[test]\ncommand = ['x']\n", "test", "command needs junit"),
        (b"\xff\xfe", "", "not UTF-8"),
        (b"a" * 2_000_000, "", "larger than"),
    ],
)
def test_a_broken_file_is_said_with_its_key(tmp_path: Path, text: bytes, key: str, reason: str) -> None:
    """The error names the file, the key and what was found, and has a way out."""
    (tmp_path / "podium.toml").write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        load_project(tmp_path)
    assert caught.value.file.endswith("podium.toml")
    assert caught.value.key.startswith(key)
    assert reason in caught.value.reason
    assert caught.value.way_out


def test_a_folder_named_podium_toml_is_said(tmp_path: Path) -> None:
    """Anything that cannot be read is an error of the file, not a crash."""
    (tmp_path / "podium.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_project(tmp_path)


def test_an_unknown_workflow_is_said_with_those_there_are() -> None:
    """A misspelt name, or one that leads out of the folder, finds no file."""
    for name in ("fix-bugs", "../crew"):
        with pytest.raises(ConfigError, match="fix-bug"):
            load_workflow(name)


def some_workflows(folder: Path, **files: str) -> Path:
    """A folder of configuration with `base`, and with what extends it."""
    (folder / "workflows").mkdir()
    for name, text in {"base": BASE, **files}.items():
        said = text if text.startswith("name") else f'name = "{name}"\ntitle = "T"\n{text}'
        (folder / "workflows" / f"{name}.toml").write_text(said)
    return folder


def test_a_workflow_takes_over_what_it_does_not_say_itself(tmp_path: Path) -> None:
    """Also from one that itself takes over; a table that it gives stands as a whole, and steps can be left out."""
    made = some_workflows(
        tmp_path,
        middle='extends = "base"\npurpose = "feature"\n',
        top='extends = "middle"\nfix_rounds = 0\nwithout = ["two"]\n[budgets]\nsearch_s = 5\n',
    )

    base, top = load_workflow("base", made), load_workflow("top", made)

    assert [step.id for step in top.steps] == ["one"]
    assert (top.purpose, top.fix_rounds, top.budgets) == ("feature", 0, Budgets(search_s=5))
    assert (top.steps[0], top.gates) == (base.steps[0], base.gates)
    assert base.budgets.max_proposals == 7


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ('extends = "top"', "extends", "a circle: top extends top"),
        ('extends = "round"', "extends", "a circle: top extends round extends top"),
        ('extends = "bas"', "extends", "no such workflow: bas"),
        ('extends = "../crew"', "extends", "../crew"),
        ('extends = "base"\nwithout = ["three"]', "without", "base has no step three"),
        ('extends = "base"\n[[instead]]\nid = "three"\ntitle = "x"\nagent = "a"', "instead", "base has no step three"),
        ('without = ["one"]', "extends", "Field required"),
        ('extends = "base"\nstep = 1', "step", "nothing of this name exists"),
    ],
)
def test_a_workflow_that_cannot_take_over_is_said_with_its_key(
    tmp_path: Path, text: str, key: str, reason: str
) -> None:
    """A circle, a workflow or a step that is not there; with the file that says it."""
    made = some_workflows(tmp_path, top=text, round='extends = "top"')

    with pytest.raises(ConfigError) as caught:
        load_workflow("top", made)

    assert (caught.value.key, caught.value.way_out != "") == (key, True)
    assert reason in caught.value.reason


def test_workflows_that_ship_differ_as_they_say() -> None:
    """What extends another has its steps, without those it leaves out."""
    whole = [step.id for step in load_workflow("add-endpoint").steps]
    for name in ("add-option", "fix-report"):
        assert [step.id for step in load_workflow(name).steps] == whole
    assert [step.id for step in load_workflow("write-tests").steps] == [each for each in whole if each != "write-code"]
    found = [load_workflow(name).purpose for name in ("add-endpoint", "add-option", "fix-report", "write-tests")]
    assert found == ["feature", "feature", "bug", "existing"]


def test_steps_of_a_workflow_have_names_of_their_own() -> None:
    """Two steps of one id would share a place in the journal."""
    workflow = load_workflow("fix-bug")
    with pytest.raises(ValueError, match="found twice: ingest"):
        Workflow.model_validate({**workflow.model_dump(), "steps": [workflow.steps[0], workflow.steps[0]]})


def test_a_projects_budgets_change_what_they_name_and_nothing_else() -> None:
    """A limit that is not named stays as the workflow has it."""
    workflow = load_workflow("add-endpoint")
    budgets = BudgetsConfig.model_validate({"model": {"calls": 5}, "agents": {"test_writer": {"tokens": 9}}})
    tuned = config.tuned(workflow, ProjectConfig(budgets=budgets)).budgets
    assert (tuned.model.calls, tuned.model.tokens) == (5, workflow.budgets.model.tokens)
    assert tuned.agents["test_writer"].tokens == 9


@pytest.mark.parametrize("name", ["writer", "code-writer", "model", "workspace"])
def test_a_budget_that_would_hold_nobody_is_an_error_that_says_who_can_have_one(name: str) -> None:
    """A role is no agent; what a model costs is its asker's; and whoever tidies up is never refused."""
    budgets = BudgetsConfig.model_validate({"agents": {name: {"calls": 0}}})
    with pytest.raises(ConfigError) as caught:
        config.tuned(load_workflow("fix-bug"), ProjectConfig(budgets=budgets))
    assert caught.value.key == f"budgets.agents.{name}"
    assert caught.value.way_out == (
        "There are: code_writer, doc_writer, orchestrator, repository, static_analyzer, test_runner, test_writer."
    )


def test_a_hosts_own_word_counts_where_the_persons_own_crew_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default no host's does; an entry is for that host, and an own one counts over the shipped one."""
    own = tmp_path / "crew.toml"
    monkeypatch.setenv("PODIUM_CREW", str(own))
    assert (load_host("cursor").decides, load_host("cursor").calls) == (False, ("*",))
    own.write_text("[hosts.cursor]\ndecides = true\n", encoding="utf-8")
    assert [load_host(name).decides for name in ("cursor", "code")] == [True, False]
    own.write_text("[hosts.cursor]\ndecide = true\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="nothing of this name exists"):
        load_host("cursor")
