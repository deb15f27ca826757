"""Which model a role is, where it is asked, and with which key; prices."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from decimal import Decimal
from typing import get_args

import pytest
from anthropic.types import Model

from contracts.config import EndpointConfig, LongPrompt, ModelConfig, ModelsConfig, Price, PriceTable
from contracts.endpoint import ANTHROPIC
from contracts.model import DescribeParams
from contracts.spending import Usage
from servers.minds.config import CONFIGS, choose, known_of, models_of, price_table
from servers.minds.prices import cost, price_of, worst_cost
from servers.model import ModelServer
from servers.specialist import ToolError
from tests.model.messages_server import messages_server
from tests.model.rig import GOOD, RUN, AskedCall, MemoryLedger, models, params, rig, room

CONFIG = ModelsConfig(
    default="home",
    endpoints={
        "home": EndpointConfig(key_env="ANTHROPIC_API_KEY"),
        "far": EndpointConfig(base_url="https://far.example", key_env="FAR_KEY"),
    },
    roles={"planner": "big", "writer": "far/small"},
    models={"small*": ModelConfig(form="function"), "*": ModelConfig(form="diff")},
)


@pytest.mark.parametrize(
    ("asked", "endpoint", "model"),
    [
        ("", "far", "small"),
        ("other", "home", "other"),
        ("far/other", "far", "other"),
        ("home/org/model", "home", "org/model"),
        ("far/org/model:7b", "far", "org/model:7b"),
    ],
)
def test_what_stands_before_the_first_slash_is_an_endpoint(asked: str, endpoint: str, model: str):
    chosen = choose(CONFIG, "writer", {"writer": asked} if asked else {}, {})
    assert (chosen.endpoint, chosen.model) == (endpoint, model)


@pytest.mark.parametrize("asked", ["farr/other", "org/model", "far/", "/other"])
def test_a_name_that_begins_with_no_endpoint_is_sent_nowhere(asked: str):
    """A misspelt endpoint would send the whole prompt to the default one."""
    with pytest.raises(ToolError, match="home, far") as failed:
        choose(CONFIG, "writer", {"writer": asked}, {})
    assert failed.value.failure.kind == "invalid"
    assert f"home/{asked}" in failed.value.failure.way_out


def test_a_role_without_a_model_is_said_with_a_way_out():
    with pytest.raises(ToolError, match="role writer") as failed:
        choose(CONFIG.model_copy(update={"roles": {}}), "writer", {}, {})
    assert "--model writer=" in failed.value.failure.way_out


def test_the_address_is_the_endpoints_own_else_the_environments_else_anthropics():
    keys = {"ANTHROPIC_API_KEY": "k", "FAR_KEY": "f"}
    elsewhere = keys | {"ANTHROPIC_BASE_URL": "http://localhost:1"}
    assert choose(CONFIG, "planner", {}, keys).base_url == ANTHROPIC
    assert choose(CONFIG, "planner", {}, elsewhere).base_url == "http://localhost:1"
    far = choose(CONFIG, "writer", {}, elsewhere)
    assert (far.base_url, far.key) == ("https://far.example", "f")


def test_without_a_key_only_a_server_of_ones_own_can_be_asked():
    assert choose(CONFIG, "planner", {}, {}).why_not == "ANTHROPIC_API_KEY is not set"
    assert choose(CONFIG, "writer", {}, {"ANTHROPIC_BASE_URL": "http://localhost:1"}).why_not == "FAR_KEY is not set"
    assert choose(CONFIG, "planner", {}, {"ANTHROPIC_BASE_URL": "http://localhost:1"}).why_not == ""
    keyless = CONFIG.model_copy(update={"endpoints": {"home": EndpointConfig(key_env="")}})
    assert choose(keyless, "planner", {}, {}).why_not == ""


def test_a_key_that_cannot_be_one_is_not_sent_and_not_said():
    chosen = choose(CONFIG, "planner", {}, {"ANTHROPIC_API_KEY": "s3cret\nword"})
    assert "ANTHROPIC_API_KEY holds characters" in chosen.why_not
    assert "s3cret" not in chosen.why_not + chosen.key
    assert choose(CONFIG, "planner", {}, {"ANTHROPIC_API_KEY": " s3cret\n"}).key == "s3cret"


def test_a_key_is_not_in_what_is_printed():
    assert "s3cret" not in repr(choose(CONFIG, "planner", {}, {"ANTHROPIC_API_KEY": "s3cret"}))


def test_the_first_pattern_that_fits_says_the_form():
    assert (known_of(CONFIG, "small-1").form, known_of(CONFIG, "big").form) == ("function", "diff")


async def test_describe_says_who_it_is_and_what_is_missing():
    ledger = MemoryLedger(models={"writer": "home/large"})
    server = ModelServer(room({}, ledger), models=CONFIG)
    found = await server.describe(DescribeParams(run=RUN, role="writer"), AskedCall())
    assert (found.endpoint, found.model, found.ready, found.form) == ("home", "large", False, "diff")
    assert found.why_not == "ANTHROPIC_API_KEY is not set"
    assert found.way_out.startswith("Set ANTHROPIC_API_KEY")
    with pytest.raises(ToolError, match="ANTHROPIC_API_KEY is not set") as failed:
        await server.complete(params(), AskedCall())
    assert (failed.value.failure.kind, failed.value.failure.retry) == ("unavailable", False)


async def test_keys_and_addresses_of_the_process_environment_are_not_used(monkeypatch: pytest.MonkeyPatch):
    async with messages_server([]) as trap, rig([{"reply": GOOD}]) as at:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "from-the-environment")
        monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "from-the-environment")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", trap.url)
        keyless = models(at.endpoint.url, key_env="")
        await ModelServer(room({}, MemoryLedger()), models=keyless).complete(params(), AskedCall())
    assert trap.requests == []
    assert "from-the-environment" not in str(at.endpoint.requests[0].headers)
    assert at.endpoint.requests[0].key == "none"


def test_the_client_is_not_imported_before_it_is_needed():
    heavy = "{'anthropic', 'httpx2', 'jsonschema', 'detect_secrets'} & set(sys.modules)"
    command = [sys.executable, "-c", f"import sys, servers.model; print({heavy})"]
    done = subprocess.run(command, cwd=CONFIGS.parent, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"


def test_what_ships_is_whole():
    config, table = models_of({}), price_table()
    assert config.default in config.endpoints
    for role in ("planner", "writer"):
        chosen = choose(config, role, {}, {"ANTHROPIC_API_KEY": "k"})
        price, priced_at = price_of(chosen.model, {}, table)
        assert chosen.why_not == ""
        assert price is not None, "a budget in dollars works as it ships"
        assert priced_at == table.as_of.isoformat()


def test_what_the_client_names_has_a_price_or_none_that_anybody_publishes():
    table = price_table()
    named = {name for literal in get_args(Model) for name in get_args(literal)}
    unknown = {name for name in named if price_of(name, {}, table)[0] is None}
    assert unknown == {"claude-mythos-5-2", "claude-mythos-preview"}


def test_the_houses_word_on_models_counts():
    assert models_of({"PODIUM_MODELS_JSON": CONFIG.model_dump_json()}) == CONFIG


def price(each: int) -> Price:
    dollars = Decimal(each)
    return Price(input=dollars, output=dollars, cache_read=dollars, cache_write=dollars)


def test_a_dated_name_has_the_price_of_the_undated_one_and_an_unknown_model_has_none():
    table = PriceTable(as_of=date(2026, 1, 2), source="here", models={"a": price(1), "b-20250101": price(2)})
    assert price_of("a-20251001", {}, table) == (price(1), "2026-01-02")
    assert price_of("b-20250101", {}, table) == (price(2), "2026-01-02")
    assert price_of("b", {}, table) == (None, "")
    assert price_of("a", {"a": price(3)}, table) == (price(3), "")
    assert cost(Usage(input_tokens=10), None) is None


def test_each_kind_of_token_has_its_price():
    each = Price(input=Decimal(1), output=Decimal(2), cache_read=Decimal(3), cache_write=Decimal(4))
    usage = Usage(input_tokens=1000, output_tokens=1000, cache_read_tokens=1000, cache_write_tokens=1000)
    assert cost(usage, each) == Decimal("0.01")


def test_a_long_prompt_has_its_own_prices_for_all_of_the_request():
    long = LongPrompt(
        over_tokens=1000, input=Decimal(5), output=Decimal(5), cache_read=Decimal(5), cache_write=Decimal(9)
    )
    each = price(1).model_copy(update={"long_prompt": long})
    short = Usage(input_tokens=400, cache_read_tokens=300, cache_write_tokens=300, output_tokens=1000)
    assert cost(short, each) == Decimal("0.002")
    assert cost(short.model_copy(update={"cache_read_tokens": 301}), each) == Decimal("0.011205")
    assert worst_cost(1000, 1000, each) == Decimal("0.002")
    assert worst_cost(1001, 1000, each) == Decimal("0.014009")
