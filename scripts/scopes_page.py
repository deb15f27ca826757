"""docs/scopes.md: server x scope x enforcer, from the functions that the enforcers go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bus.grants import Permissions, is_host
from contracts.config import MODELS_KEY, ModelsConfig
from orchestrator.config import CONFIGS, read
from orchestrator.gateway.offer import exposed
from orchestrator.gateway.reach import opened
from servers.crew import CREW_FILE, Crew, read_crew
from servers.crew_member import load_own
from servers.enforced import Inside, Kernel, Right, at_broker, in_kernel, inside, rights, with_yours
from servers.place import Place
from servers.specialist import tool_names

STATE = Path("/state")
PLACE = Place(STATE, "nats://127.0.0.1:4222")

NOT_HERE = "—"

HEAD = """# Scopes, and who enforces them

Written by `python -m scripts.write_docs`; a test holds it to the code. Each cell is what its enforcer lets through with
the scope and not without it: the function that the enforcer goes by is asked twice, and the difference stands here.
So a cell cannot say more than is enforced, and {none} stands where an enforcer makes no difference.

    python -m tests.enforcers              # tries what each cell opens, without the scope, at that layer alone
    python -m tests.enforcers --json

prints this table with what came of it: what is refused without the scope, goes through with it, and goes through
without it once that one enforcer is taken away. {yours} stands for a server of your own, `host_desk` for any MCP host,
*a token* for whoever comes to the gateway over HTTP; its row names the tools for which that scope is the least.

| who | scope | broker permissions | kernel | in the process | gateway |
| --- | --- | --- | --- | --- | --- |
"""

TAIL = """
What holds where there is {none}:

- **A call, in the kernel**: a process reaches the broker's port whatever it may call. What it says there is the
  broker's to refuse, and the called server's.
- **Files, ports and programs, at the broker and in the process**: no message is needed to open a file. The kernel
  alone holds these, so a member that it cannot hold does not start ([security.md](security.md)).
- **Members, at the gateway**: they do not come that way. A host's calls do, and three enforcers know them.
- **A token's scope, at the broker and in the process**: all tokens of a gateway share its identity there, so that none
  can do more than its host was granted; within that, the gateway alone tells them apart.
- **A scope that makes no difference anywhere** is one that another of the same server includes: {idle}.

Beside scopes, everybody serves, answers and reads mail under their own name only:
[security.md](security.md#the-broker). For a run, a member holds of its scopes what that run employs it for:
[mcp-over-nats.md](mcp-over-nats.md#on-behalf-of-a-run).
"""


def scopes_page() -> str:
    """The page."""
    crew = with_yours(read_crew(CREW_FILE), Path("/srv/yours"), 8080)
    every = [(right, _cells(right)) for right in rights(crew)]
    idle = ", ".join(f"`{right.scope}` of {right.holder}" for right, cells in every if set(cells) == {NOT_HERE})
    rows = [_row(right.holder, right.scope, *cells) for right, cells in every]
    by_scope: dict[str, list[str]] = {}
    for token in token_rights(crew):
        by_scope.setdefault(token.scope, []).extend(exposed(token.server, tool) for tool in token.tools)
    rows += [_row("a token", scope, *[NOT_HERE] * 3, _listed(tools)) for scope, tools in by_scope.items()]
    return HEAD.format(none=NOT_HERE, yours="`yours`") + "".join(rows) + TAIL.format(none=NOT_HERE, idle=idle or "none")


@dataclass(frozen=True)
class TokenRight:
    """What one scope of an access token opens at one server."""

    scope: str
    server: str
    tools: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.scope} {self.server}"


def token_rights(crew: Crew) -> Iterator[TokenRight]:
    """Every scope of a token, at every server of Podium's that a host is granted."""
    for right in rights(crew):
        server = right.scope.partition(".")[0]
        if is_host(right.holder):
            for scope, tools in opened(server, tools_of(server)).items():
                yield TokenRight(scope, server, tools)


def endpoint_keys() -> dict[str, str]:
    """Where models are, as `configs/models.toml` says it and the model server is handed it."""
    return {MODELS_KEY: read(CONFIGS / "models.toml", ModelsConfig).model_dump_json()}


def tools_of(server: str) -> dict[str, bool]:
    """The tools of one of Podium's own servers, and whether they change nothing."""
    kind = load_own(server)
    reading = tool_names(kind, read_only=True)
    return {name: name in reading for name in tool_names(kind)}


def _row(*cells: str) -> str:
    return f"| {' | '.join([cells[0], f'`{cells[1]}`', *cells[2:]])} |\n"


def _cells(right: Right) -> tuple[str, str, str, str]:
    within = inside(right)
    passed = [exposed(*call.split(".", 1)) for call in within.calls] if is_host(right.holder) else []
    return (
        _broker(at_broker(right)),
        _kernel(in_kernel(right, PLACE, endpoint_keys())),
        _inside(within),
        f"lists and passes on {_listed(passed)}" if passed else NOT_HERE,
    )


def _broker(subjects: Permissions) -> str:
    every = [f"publish `{one}`" for one in subjects.publish] + [f"subscribe `{one}`" for one in subjects.subscribe]
    if not every:
        return NOT_HERE
    return every[0] + (f" and {len(every) - 1} that go with it" if every[1:] else "")


def _kernel(opened: Kernel) -> str:
    rules = opened.rules
    said = [f"reads {_path(path)}" for path in rules.read] + [f"writes {_path(path)}" for path in rules.write]
    said += [f"connects to port {port}" for port in rules.connect_ports]
    said += ["looks up names"] if rules.resolve else []
    said += ["starts programs"] if rules.exec else []
    said += ["has programs run, and only in the sandbox"] if opened.sandbox else []
    return ", ".join(said) or NOT_HERE


def _path(path: Path) -> str:
    return "runs' trees" if path == PLACE.work else f"`{path}`"


def _inside(opened: Inside) -> str:
    said = [f"{call.partition('.')[0]} takes the call" for call in opened.calls]
    said += [f"is handed {'keys of models' if one == 'keys' else 'a sandbox'}" for one in opened.handed]
    return ", ".join(said) or NOT_HERE


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
