"""Runs in which a model plans and writes: real processes, a real socket, scripted replies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TEST, Podium
from tests.e2e.endpoint import KEY, Endpoint, endpoint, rules
from tests.e2e.rig import crew_of, fixing, going, run_of
from tests.git_project import Project

RIGHT = {
    "summary": "Sell the last piece, too",
    "blocks": [{"search": "        if wanted < self.pieces:\n", "replace": "        if wanted <= self.pieces:\n"}],
}
WRONG = {
    "summary": "Never sell",
    "blocks": [{"search": "        if wanted < self.pieces:\n", "replace": "        if wanted > 99:\n"}],
}

HARD = {
    "stock.py": "class Stock:\n    def __init__(self, pieces):\n        self.pieces = pieces\n\n"
    "    def sell(self, wanted):\n        raise NotImplementedError\n",
    "test_stock.py": "from stock import Stock\n\n\ndef test_it():\n    assert Stock(3).sell(2)\n"
    "    assert not Stock(1).sell(2)\n",
}
"""What no small edit repairs."""

MOST_TOKENS = 32_000
"""What a model may write, by `configs/models.toml`."""


@pytest.fixture
def willing(tmp_path: Path) -> Iterator[Endpoint]:
    """A model that is wrong once, and right when it is told so."""
    with endpoint(tmp_path, rules(change=[{"reply": WRONG}, {"reply": RIGHT}])) as found:
        yield found


def holders_of_the_key() -> list[str]:
    """Command lines of processes whose environment, as /proc shows it, holds the key."""
    found: list[str] = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdecimal() and KEY.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def by_model(project: Project, *more: str) -> tuple[str, ...]:
    return fixing(project, "--engine", "model", "--auto", "all", *more)


def test_a_model_repairs_a_bug_after_it_was_told_what_failed(
    fresh: Podium, project: Project, willing: Endpoint
) -> None:
    """From ticket to branch: the first answer fails its test, the second passes; what it cost is said."""
    done = fresh(*by_model(project), env=willing.env)
    assert done.code == 0, done.err
    bundle = done.document["bundle"]
    assert "wanted <= self.pieces" in bundle["patch"]["diff"]
    spent = bundle["metrics"]["spent"]
    asked = willing.requests()
    assert spent["requests"] == len(asked) == 2
    assert spent["usage"]["input_tokens"] == 200
    assert TEST.rpartition("::")[2] in str(asked[0]["body"])
    assert done.document["state"]["metrics"]["spending"][0]["agent"] == "code_writer"
    replayed = fresh("replay", "last", "--json", env=willing.env)
    assert replayed.code == 0, replayed.err
    assert len(willing.requests()) == 2, "a replay asks nobody"
    stats = fresh("stats", "last", "--json").document
    assert stats["runs"][0]["spent"]["requests"] == 2, stats


def test_the_key_is_nowhere_but_with_the_model_server(fresh: Podium, project: Project, willing: Endpoint) -> None:
    """Not in the ledger, a log, the bundle, an environment in /proc, nor in anything a command printed."""
    stopped = (
        "run",
        "fix-bug",
        "--repo",
        str(project.root),
        "--test",
        TEST,
        "--engine",
        "model",
        "--auto",
        "plan,handoff",
    )
    with going(fresh, "up", env=willing.env) as up:
        up.end()
    done = fresh(*stopped, "--json", env=willing.env)
    assert done.code == 3, done.err
    assert holders_of_the_key() == []
    before = len(willing.requests())
    approved = fresh("resume", "last", "--auto", "all", "--json", env=willing.env)
    assert len(willing.requests()) == before, "what was answered is not asked again"
    assert approved.code == 0, approved.err
    fresh("down")
    assert all(asked["key"] == KEY for asked in willing.requests()), "it did reach the endpoint"
    for text in (done.out, done.err, approved.out, approved.err):
        assert KEY not in text
    files = [path for path in fresh.state.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert files == []


def test_a_run_killed_while_a_model_thinks_is_resumed_for_one_question_more(
    fresh: Podium, project: Project, tmp_path: Path
) -> None:
    """What was answered before is not asked again; the question that was under way is, once."""
    script = rules(change=[{"reply": WRONG}, {"reply": RIGHT, "hang_after": 3}, {"reply": RIGHT}])
    with endpoint(tmp_path, script) as found:
        with going(fresh, *by_model(project), env=found.env) as run:
            assert [found.wait_until_asked() for _ in range(2)] == ["change"] * 2
            assert holders_of_the_key() == [], "while the model server uses it"
            run.kill()
        fresh("down")
        done = fresh("resume", "last", "--json", env=found.env)
        assert done.code == 0, done.err
        assert len(found.requests()) == 3
        replayed = fresh("replay", "last", "--json")
        assert (replayed.code, replayed.document["verdict"]) == (0, "identical")


@pytest.mark.parametrize(("tokens", "code"), [("1M", 0), ("40k", 5)])
def test_a_question_whose_model_server_was_killed_counts_as_the_most_it_could_cost(
    fresh: Podium, project: Project, tmp_path: Path, tokens: str, code: int
) -> None:
    """It is asked again within the budget, and not beyond; both accounts of the ledger say the same."""
    with endpoint(tmp_path, rules(change=[{"reply": RIGHT, "hang_after": 3}, {"reply": RIGHT}])) as found:
        with going(fresh, *by_model(project, "--budget-tokens", tokens), env=found.env) as run:
            found.wait_until_asked()
            os.kill(crew_of(fresh)["model"], signal.SIGKILL)
            done = run.end()
        assert done.code == code, done.err
        assert len(found.requests()) == (2 if code == 0 else 1)
    state = done.document["state"]
    spent = state["metrics"]["spent"]
    assert spent["requests"] == (2 if code == 0 else 1)
    assert spent["usage"]["output_tokens"] >= MOST_TOKENS
    assert code == 0 or "may spend 40,000 tokens in all; spent so far: $" in state["reason"]
    (stats,) = fresh("stats", "last", "--json").document["runs"]
    assert (stats["spent"], stats["disagreement"]) == (spent, "")


TOKEN = "ghp_" + "a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6"


def with_a_token(project: Project) -> Project:
    text = (project.root / "stock.py").read_text()
    project.commit({"stock.py": text.replace('"""What is on the shelf."""', f'TOKEN = "{TOKEN}"')})
    return project


def test_a_secret_in_the_project_does_not_leave(fresh: Podium, project: Project, willing: Endpoint) -> None:
    """It is masked on the way to the model; the report of a run that waits says so, and the bundle."""
    command = [word for word in by_model(with_a_token(project)) if word != "--json"]
    waits = fresh(*[word if word != "all" else "plan" for word in command], env=willing.env)
    assert waits.code == 3, waits.err
    said = "Secrets were masked in what models were shown: GitHub Token."
    assert said in waits.out
    assert said in fresh("show", "last").out
    done = fresh("resume", "last", "--auto", "all", "--json", env=willing.env)
    assert done.code == 0, done.err
    asked = str(willing.requests())
    assert TOKEN not in asked
    assert "[masked: " in asked
    assert any(risk.startswith("Secrets were found") for risk in done.document["bundle"]["risks"])


def test_what_holds_a_secret_is_not_asked_where_the_person_wants_it_so(
    fresh: Podium, project: Project, willing: Endpoint, tmp_path: Path
) -> None:
    """Nothing leaves, and the reason names what was found and where to change that."""
    file = tmp_path / "models.toml"
    file.write_text('secrets = "refuse"\n')
    done = fresh(*by_model(with_a_token(project)), env={**willing.env, "PODIUM_MODELS": str(file)})
    assert done.code == 1, done.err
    assert "it would be shown secrets (GitHub Token)" in str(done.document["state"]["reason"])
    assert willing.requests() == []


def test_a_budget_below_the_next_call_refuses_it_before_it_is_made(
    fresh: Podium, project: Project, willing: Endpoint
) -> None:
    """Nothing was asked, nothing applied; exit code and message say so."""
    done = fresh(*by_model(project, "--budget-tokens", "50"), env=willing.env)
    assert done.code == 5, done.err
    reason = str(done.document["state"]["reason"])
    assert "50 tokens" in reason
    assert "spent so far: nothing" in reason
    assert willing.requests() == []
    assert project.git("branch", "--list", "podium/*") == ""


def test_a_dollar_budget_counts_what_the_first_call_cost(fresh: Podium, project: Project, tmp_path: Path) -> None:
    """The first call fits, the second would not: it is not made, and the reason says what was spent on what."""
    with endpoint(
        tmp_path, rules(change=[{"reply": WRONG, "usage": {"input_tokens": 100_000, "output_tokens": 20}}])
    ) as found:
        done = fresh(*by_model(project, "--budget-usd", "0.50"), env=found.env)
        assert done.code == 5, done.err
        assert "code_writer" in str(done.document["state"]["reason"])
        assert len(found.requests()) == 1
    spent = done.document["state"]["metrics"]["spent"]
    assert (spent["requests"], spent["cost_usd"]) == (1, "0.2002"), (
        "100,000 tokens in and 20 out, by configs/prices.toml"
    )


def test_auto_asks_no_model_where_the_search_finds_something(
    fresh: Podium, project: Project, willing: Endpoint
) -> None:
    """The free try comes first."""
    done = fresh(*fixing(project, "--auto", "all"), env=willing.env)
    assert done.code == 0, done.err
    assert willing.requests() == []


def test_without_a_key_auto_is_the_search_and_says_so(fresh: Podium, tmp_path: Path) -> None:
    """Where the search finds nothing and there is no key, that is what the reason says; nothing is asked."""
    project = Project(tmp_path / "hard")
    project.commit(HARD)
    done = fresh(
        *fixing(project, "--auto", "all", "--budget-seconds", "20", test="test_stock.py::test_it"),
        env={"ANTHROPIC_API_KEY": ""},
    )
    assert done.code == 1
    assert "The model was not asked: ANTHROPIC_API_KEY is not set" in str(done.document["state"]["reason"])


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("overloaded", {"status": 529}),
        ("refused", {"text": "I will not.", "stop": "refusal"}),
        ("cut off", {"text": '{"summary": "x", "blo', "stop": "max_tokens"}),
        ("not what was asked", {"text": "Hello!"}),
        ("broken off", {"reply": RIGHT, "break_after": 3}),
    ],
)
def test_a_model_that_never_answers_properly_ends_the_run_and_not_the_machine(
    fresh: Podium, project: Project, tmp_path: Path, kind: str, step: dict[str, Any]
) -> None:
    """Bounded requests, an honest reason, nothing handed over."""
    with endpoint(tmp_path, rules(change=[step])) as found:
        env = {**found.env, "PODIUM_MODELS": str(quick(tmp_path))}
        done = fresh(*by_model(project), env=env)
        assert done.code == 1, done.err
        assert 1 <= len(found.requests()) <= 20, kind
    assert done.document["state"]["reason"]
    assert run_of(fresh)
    assert project.git("branch", "--list", "podium/*") == ""


def quick(folder: Path) -> Path:
    """Models whose endpoint is tried again once only."""
    file = folder / "models.toml"
    file.write_text('[endpoints.anthropic]\nkey_env = "ANTHROPIC_API_KEY"\nmax_retries = 1\ntimeout_s = 10\n')
    return file


REPORT: dict[str, list[Mapping[str, object]]] = {
    "plan": [
        {
            "reply": {
                "goal": "The last piece can be sold.",
                "relevant": [{"path": "stock.py", "why": "It sells."}],
                "work": [
                    {
                        "id": "show",
                        "agent": "test_writer",
                        "path": "tests/test_last.py",
                        "instruction": "Show that all pieces can be sold at once.",
                    },
                    {
                        "id": "mend",
                        "agent": "code_writer",
                        "path": "stock.py",
                        "instruction": "Let sell() sell the last piece.",
                        "after": ["show"],
                    },
                ],
            }
        }
    ],
    "tests": [
        {
            "reply": {
                "summary": "Sell all there is",
                "text": "from stock import Stock\n\n\ndef test_all_pieces_are_sold():\n    assert Stock(2).sell(2)\n",
                "tests": [{"name": "test_all_pieces_are_sold", "criteria": ["c1"]}],
            }
        }
    ],
    "change": [{"reply": RIGHT}],
}


def reporting(project: Project, *more: str) -> tuple[str, ...]:
    words = "All pieces cannot be sold at once."
    return ("run", "fix-bug", words, "--repo", str(project.root), "--auto", "all", "--json", "--consent-weak", *more)


def test_a_bug_that_is_only_described_gets_a_failing_test_first(
    fresh: Podium, project: Project, tmp_path: Path
) -> None:
    """Planned, shown by a new test that fails, mended; each criterion is answered."""
    project.git("rm", "-q", "tests/test_stock.py")
    project.commit(
        {"tests/test_some.py": "from stock import Stock\n\n\ndef test_some():\n    assert Stock(2).sell(1)\n"}
    )
    criteria = tmp_path / "criteria.md"
    criteria.write_text("- All pieces can be sold.\n- It is fast.\n")
    with endpoint(tmp_path, rules(**REPORT)) as found:
        done = fresh(*reporting(project, "--criteria", str(criteria)), env=found.env)
        assert done.code == 0, done.err
        assert [asked["name"] for asked in found.requests()] == ["plan", "tests", "change"]
    bundle = done.document["bundle"]
    assert bundle["failing"] == ["tests/test_last.py::test_all_pieces_are_sold"]
    assert [each["status"] for each in bundle["criteria"]] == ["met", "not verified"]
    assert [each["agent"] for each in bundle["commits"]] == ["test_writer", "code_writer"]
    assert {each["agent"] for each in bundle["metrics"]["spending"]} == {"orchestrator", "test_writer", "code_writer"}
