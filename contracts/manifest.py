"""What a server says of itself: its manifest, its tools, and its card in the registry."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from contracts.base import Model, Name, Sha256, UtcTime, sha256

Scope = Annotated[
    str,
    StringConstraints(
        pattern=r"^(work:(read|write)|sandbox:run|net:model|files:(read|write):/.*|net:connect:[1-9][0-9]{0,4})$"
    ),
]
"""What a server may ask of the kernel. Calling other servers is asked for with `Manifest.calls`.

- `work:read`, `work:write`: read, or write, runs' trees and repositories; who may read them may have them sent, too
- `sandbox:run`: run programs in the sandbox
- `net:model`: reach one model endpoint, holding its key
- `files:read:/PATH`, `files:write:/PATH`: read, or read and write, a file or everything below a folder
- `net:connect:PORT`: connect to that TCP port, on any address, and look up names
"""


def granted_paths(scopes: Iterable[Scope], how: str) -> tuple[Path, ...]:
    """The paths that scopes grant for `how`: `read` or `write`."""
    prefix = f"files:{how}:"
    return tuple(Path(scope.removeprefix(prefix)) for scope in scopes if scope.startswith(prefix))


def granted_ports(scopes: Iterable[Scope]) -> tuple[int, ...]:
    """The TCP ports that scopes let a server connect to."""
    return tuple(int(scope.rpartition(":")[2]) for scope in scopes if scope.startswith("net:connect:"))


class ToolSpec(Model):
    """A tool as it is published; its digest pins it."""

    name: str
    title: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None = None
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = True
    open_world: bool = False
    more: dict[str, Any] = Field(default={}, description="Whatever else its definition has: icons, `_meta` …")

    def canonical(self) -> bytes:
        """With sorted keys: in which order a server writes a schema means nothing."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()


class Manifest(Model):
    """What a server needs; the crew file grants it or not."""

    name: Name
    title: str
    version: str = "0.1.0"
    description: str
    scopes: tuple[Scope, ...] = ()
    calls: tuple[str, ...] = Field(default=(), description="`server.tool` names it calls.")


def tools_digest(tools: Iterable[ToolSpec]) -> Sha256:
    """One digest over tool definitions, in name order."""
    ordered = sorted(tools, key=lambda spec: spec.name)
    return sha256("".join(spec.digest() for spec in ordered).encode())


class Card(Model):
    """A server's entry in the registry; kept alive by a heartbeat."""

    manifest: Manifest
    tools: tuple[ToolSpec, ...]
    tools_sha256: Sha256 = Field(description="`tools_digest` of the tools: what an approval of them names.")
    granted_scopes: tuple[Scope, ...]
    granted_calls: tuple[str, ...]
    instance: str = Field(description="Distinguishes replicas.")
    pid: int
    started_at: UtcTime
    confinement: str = Field(description="How the kernel holds this process, in words.")
    weak: bool = Field(default=False, description="Whether it does not hold all of it, by a person's consent.")
    sandbox: str = Field(default="", description="Level its sandbox reached, for servers that have one.")
    deadlines_s: dict[str, float | None] = Field(
        default={}, description="By tool, how long it may work on a call; None: that depends on the call's parameters."
    )
    refuses: str = Field(default="", description="Why every call is refused; empty when calls are answered.")
