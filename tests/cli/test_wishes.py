"""What people type for tickets, criteria, models and budgets."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from contracts.spending import Allowance
from contracts.workflow import Budgets
from orchestrator.cli.amounts import MODELS, TOKENS, USD
from orchestrator.cli.commands import podium
from orchestrator.cli.trouble import Trouble
from orchestrator.cli.wishes import Wishes, request_of
from tests.cli.typed import typed


@pytest.mark.parametrize(
    ("typed", "tokens"), [("200000", 200_000), ("500k", 500_000), ("2M", 2_000_000), ("1.5k", 1500)]
)
def test_tokens_are_typed_in_thousands_and_millions(typed: str, tokens: int) -> None:
    assert TOKENS.convert(typed, None, None) == tokens


@pytest.mark.parametrize("typed", ["many", "-1", "5kk", "1e3", ""])
def test_what_is_no_number_of_tokens_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="500k"):
        TOKENS.convert(typed, None, None)


@pytest.mark.parametrize("typed", ["-2", "nan", "inf", "two"])
def test_what_is_no_money_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter, match=r"0\.50"):
        USD.convert(typed, None, None)


def test_more_money_than_any_run_may_spend_is_refused() -> None:
    """Sums stay within what can be counted to the cent."""
    with pytest.raises(click.BadParameter, match="1,000,000 at most"):
        USD.convert("1e30", None, None)
    with pytest.raises(ValidationError):
        Allowance(usd=Decimal("1e30"))


def test_money_is_exact() -> None:
    assert USD.convert("$0.10", None, None) == Decimal("0.10")


def test_models_are_named_by_role() -> None:
    named = MODELS.convert("planner=claude-opus-5-5,writer=local/qwen2.5:1.5b", None, None)
    assert named == {"planner": "claude-opus-5-5", "writer": "local/qwen2.5:1.5b"}
    with pytest.raises(click.BadParameter, match="planner, writer"):
        MODELS.convert("judge=x", None, None)


def test_the_request_comes_from_words_a_file_or_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    assert request_of(("the", "total", "is", "wrong"), None, needed=True) == "the total is wrong"
    assert request_of((), typed("\ufefffrom a file\n"), needed=True) == "from a file"
    monkeypatch.setattr("sys.stdin", typed("piped\n", "<stdin>"))
    assert request_of(("-",), None, needed=True) == "piped"


@pytest.mark.parametrize(("words", "file"), [((), ""), (("one",), "two")])
def test_no_request_and_two_requests_are_errors(words: tuple[str, ...], file: str) -> None:
    with pytest.raises(Trouble) as caught:
        request_of(words, typed(file) if file else None, needed=True)
    assert caught.value.code == 2


@pytest.mark.parametrize("char", ["\0", "\a", "\x1b", "\x7f", "\x85", "\udcff"])
def test_a_request_is_plain_text(char: str) -> None:
    """A character that no ledger, commit or terminal takes for text is said before anything begins."""
    for words, file in (((f"one{char}two",), None), ((), typed(f"one{char}two"))):
        with pytest.raises(Trouble) as caught:
            request_of(words, file, needed=True)
        assert caught.value.code == 2
    assert request_of((), typed("one\r\n\ttwo"), needed=True) == "one\r\n\ttwo"


def test_budgets_that_are_named_take_the_place_of_the_workflows() -> None:
    wishes = Wishes("add-endpoint", Path(), budget_usd=Decimal("0.5"), budget_minutes=2, candidates=3)
    before = Budgets.model_validate({"model": {"tokens": 1000, "usd": 9}})
    after = wishes.budgets(before)
    assert (after.model.usd, after.model.tokens, after.model.wall_s, after.candidates) == (Decimal("0.5"), 1000, 120, 3)


def test_a_search_without_a_failing_test_is_a_usage_error() -> None:
    done = CliRunner().invoke(podium, ["run", "fix-bug", "--engine", "search", "it is wrong"])
    assert done.exit_code == 2
    assert "--test" in done.output
