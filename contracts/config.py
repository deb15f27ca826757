"""What people configure: the crew's grants, and `podium.toml` in a project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from contracts.base import Model, Name, RelPath
from contracts.gate_policy import GatePolicy
from contracts.manifest import Scope
from contracts.model import Form, Role, Way
from contracts.spending import MOST_USD, Allowance
from contracts.terms import Terms


def _pairs(value: object) -> object:
    return tuple(cast(dict[str, str], value).items()) if isinstance(value, dict) else value


Environment = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_pairs)]
"""Environment variables: a table where people write it."""


CONCURRENCY = 64
"""Calls a server works on at once, where nobody says how many."""


class Grant(Model):
    """What one server may do; what is not granted does not exist for it."""

    scopes: tuple[Scope, ...] = ()
    calls: tuple[str, ...] = Field(default=(), description="`server.tool` names it may call.")
    concurrency: int = Field(
        default=CONCURRENCY, ge=1, le=1000, description="Calls it works on at once; more wait in the ledger."
    )
    deadline_s: float = Field(
        default=600, gt=0, le=24 * 3600, description="For each call to a server behind `command` or `url`."
    )


class ServerConfig(Grant):
    """`[servers.NAME]`: what a server may do, and how it is started where it is not one of Podium's own.

    Without a way to start it, the grant is for whoever joins under that name (`podium serve`).
    """

    agent: str = Field(default="", description="An agent of one's own: a Python file, see docs/adding-an-agent.md.")
    command: tuple[str, ...] = Field(default=(), description="Any MCP server on stdio: program and arguments.")
    env: Environment = Field(default=(), description="Environment variables of `command`, beside the usual few.")
    url: str = Field(default="", description="Any MCP server over Streamable HTTP.")
    away: bool = Field(
        default=False, description="One of Podium's own that the house does not start: `podium serve NAME --away` does."
    )

    @model_validator(mode="after")
    def _one_way_to_start(self) -> Self:
        if sum(map(bool, (self.agent, self.command, self.url))) > 1:
            raise ValueError("`agent`, `command` and `url` exclude each other")
        return self


EVERY_SERVER = "*"
"""In a host's `calls`: every tool of every server that holds no key."""


class HostConfig(Model):
    """`[hosts.NAME]`: what an MCP host may call."""

    calls: tuple[str, ...] = Field(default=(), description=f"`server.tool`, `server.*`, or `{EVERY_SERVER}`.")
    decides: bool = Field(
        default=False,
        description="This host's own word counts at gates: its model may approve, and no person need be asked.",
    )

    def granted(self, crew: Mapping[str, Iterable[Scope]]) -> tuple[str, ...]:
        """The calls as `server.tool` and `server.*`, in a crew that holds these scopes by server."""
        every = tuple(f"{server}.*" for server, scopes in crew.items() if "net:model" not in scopes)
        return tuple(dict.fromkeys(one for call in self.calls for one in (every if call == EVERY_SERVER else (call,))))


class CrewConfig(Model):
    """`crew.toml`: who is in the crew, and which hosts may call it, each with its grant."""

    servers: dict[Name, ServerConfig] = Field(default={})
    hosts: dict[Name | Literal["*"], HostConfig] = Field(
        default={}, description="`*` stands for every host that is not named."
    )
    key_max_age_days: int | None = Field(
        default=None, ge=1, description="Who has had a key for longer is given another one when a house starts."
    )

    def over(self, other: Self) -> Self:
        """Both; of what stands in both, this one's entry, and the other's `concurrency` where it names none."""
        servers = {**other.servers, **self.servers}
        for name in other.servers.keys() & self.servers.keys():
            if "concurrency" not in servers[name].model_fields_set:
                concurrency = other.servers[name].concurrency
                servers[name] = servers[name].model_copy(update={"concurrency": concurrency})
        age = self.key_max_age_days or other.key_max_age_days
        hosts = {**other.hosts, **self.hosts}
        return self.model_copy(update={"servers": servers, "hosts": hosts, "key_max_age_days": age})


def host_config(hosts: Mapping[str, HostConfig], name: str) -> HostConfig:
    """What is configured for host `name`: its own entry, else the one of every host, else nothing."""
    return hosts.get(name) or hosts.get("*") or HostConfig()


class Joining(Model):
    """Who asks to be admitted to a crew for as long as it stays: a server, or a host that calls."""

    name: Name
    server: ServerConfig | None = Field(default=None, description="None: a host.")
    terms: Terms = Field(default=Terms(), description="Of a host: what it keeps of its grant, whatever that becomes.")


class TestConfig(Model):
    """`[test]`: how this project runs its tests."""

    __test__ = False

    python: str | None = Field(default=None, description="Interpreter that has the project's dependencies.")
    command: tuple[str, ...] = Field(default=(), description="Instead of pytest; it must write JUnit XML.")
    junit: str | None = Field(default=None, description="Where `command` writes its JUnit XML, inside the tree.")

    @model_validator(mode="after")
    def _a_command_reports(self) -> Self:
        if self.command and not self.junit:
            raise ValueError('command needs junit, the path of the XML file it writes: junit = "report.xml"')
        return self


class GatesConfig(Model):
    """`[gates]`: who decides; a word, or a table with the conditions of `auto-if`."""

    plan: GatePolicy | Literal["human", "auto"] | None = None
    patches: GatePolicy | Literal["human", "auto"] | None = None
    handoff: GatePolicy | Literal["human", "auto"] | None = None


MODELS_KEY = "PODIUM_MODELS_JSON"
"""Under this name a `ModelsConfig` travels beside the keys."""

BASE_URL_KEY = "ANTHROPIC_BASE_URL"
"""Where endpoints are that name no address of their own."""


class EndpointConfig(Model):
    """`[endpoints.NAME]` of `models.toml`: a server that speaks the Messages API."""

    base_url: str = Field(default="", description="Empty: ANTHROPIC_BASE_URL, else Anthropic's own.")
    key_env: str = Field(default="", description="Environment variable that holds its key; empty: it needs none.")
    structured: tuple[Way, ...] = Field(
        default=("schema", "tool", "prompt"), min_length=1, description="Ways to a structured reply, tried in order."
    )
    temperature: float | None = Field(default=None, ge=0, le=2, description="Sent where the endpoint takes one.")
    timeout_s: float = Field(default=600, gt=0, le=24 * 3600, description="For one request, from sending to its end.")
    max_retries: int = Field(default=4, ge=0, le=10, description="After 408, 409, 429, 5xx, or a broken stream.")


class ModelConfig(Model):
    """`[models."PATTERN"]`: what is known of models whose name matches (`fnmatch`); the first that does counts."""

    form: Form = Field(default="blocks", description="The form of change it is best at.")
    context_tokens: int = Field(
        default=100_000, ge=2000, description="What it reads and writes at once; the planner shows it that much less."
    )
    max_tokens: int | None = Field(
        default=None,
        ge=1,
        le=128_000,
        description="Output tokens of one reply at most, thinking included, in place of what who asks would allow.",
    )


class Rates(Model):
    """US dollars per million tokens."""

    input: Decimal = Field(ge=0, le=MOST_USD)
    output: Decimal = Field(ge=0, le=MOST_USD)
    cache_read: Decimal = Field(ge=0, le=MOST_USD)
    cache_write: Decimal = Field(ge=0, le=MOST_USD)


class LongPrompt(Rates):
    """What every token of a request costs, its output too, whose prompt is longer than `over_tokens`."""

    over_tokens: int = Field(ge=1, description="Tokens of the prompt, those from and into the cache among them.")


class Price(Rates):
    """What a model costs."""

    long_prompt: LongPrompt | None = Field(default=None, description="None: a long prompt costs the same.")


class PriceTable(Model):
    """`configs/prices.toml`: what providers ask, on a day."""

    as_of: date
    source: str
    models: dict[str, Price] = Field(description="By model name; a dated name falls back to the one without its date.")


class ModelsConfig(Model):
    """`models.toml`: where models are, and which one does what."""

    default: Name = Field(default="anthropic", description="The endpoint of models that are named without one.")
    endpoints: dict[Name, EndpointConfig] = Field(default={})
    roles: dict[Role, str] = Field(default={}, description="`[ENDPOINT/]MODEL` per role.")
    models: dict[str, ModelConfig] = Field(default={})
    prices: dict[str, Price] = Field(default={}, description="By model, over those of `configs/prices.toml`.")
    secrets: Literal["mask", "refuse"] = Field(
        default="mask", description="What is done where a secret would leave for a model."
    )


class BudgetsConfig(Model):
    """`[budgets]`: ceilings; what is left out stays as the workflow has it."""

    search_s: float | None = Field(default=None, gt=0, le=24 * 3600)
    test_timeout_s: float | None = Field(default=None, gt=0, le=24 * 3600)
    max_proposals: int | None = Field(default=None, ge=1, le=50)
    fix_rounds: int | None = Field(default=None, ge=0, le=10)
    candidates: int | None = Field(default=None, ge=1, le=10)
    model: Allowance | None = None
    agents: dict[Name, Allowance] | None = None


class ProjectConfig(Model):
    """`podium.toml` at the root of a person's repository."""

    test: TestConfig = Field(default_factory=TestConfig)
    gates: GatesConfig = Field(default_factory=GatesConfig)
    budgets: BudgetsConfig = Field(default_factory=BudgetsConfig)
    avoid: tuple[RelPath, ...] = Field(default=(), description="Path prefixes no patch may change.")
