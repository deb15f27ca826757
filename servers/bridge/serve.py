"""Be a foreign server on the bus, until cancelled or told to leave."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from mcp.client import Transport

from bus.bus import Bus
from bus.registry import announced
from bus.serving import Allows, Incoming, Serving
from contracts.base import utc_now
from contracts.manifest import Card, Manifest, ToolSpec, granted_ports, tools_digest
from servers.approval import Approval
from servers.bridge.bridge import Bridge
from servers.bridge.program import found
from servers.bridge.transports import Said, by_command, by_url
from servers.confine import Held
from servers.crew_member import CrewError, Member

_PORTS = {"http": 80, "https": 443}


def port_of(url: str) -> int:
    """The TCP port a URL leads to."""
    parts = urlsplit(url)
    return parts.port or _PORTS.get(parts.scheme, 443)


def program_of(member: Member) -> Path:
    """The program of a member that is started by a command.

    Raises:
        CrewError: there is none.
    """
    program = found(member.command[0])
    if program is None:
        raise CrewError(f"{member.name}: there is no program {member.command[0]}")
    return program


def _transport(member: Member, scratch: Path, said: Said) -> Callable[[], Transport]:
    if member.url:
        return by_url(member.url)
    ports = granted_ports(member.scopes)
    return by_command(program_of(member), member.command[1:], ports, scratch / "home", dict(member.env), said)


async def serve_foreign(
    bus: Bus,
    member: Member,
    scratch: Path,
    allows: Allows,
    *,
    held: Held,
    ready: Callable[[], None],
    leave: anyio.Event,
) -> None:
    """Serve until cancelled or told to `leave`; `ready` is called once the server is in the registry.

    Whoever leaves has the server finish what it is at, see `bus.serving.Serving.run`, before it is hung up on.

    Raises:
        CrewError: the server cannot be started, or reached.
    """
    said, approval = Said(), Approval(member.name, member.pin)
    bridge = Bridge(bus, _transport(member, scratch, said), approval, member.scopes, member.deadline_s, said.last_words)
    instance, started_at, answered = secrets.token_hex(6), utc_now(), 0

    async def counted(incoming: Incoming) -> bytes:
        nonlocal answered
        answered += 1
        return await bridge.answer(incoming)

    def card(manifest: Manifest, tools: tuple[ToolSpec, ...]) -> Card:
        return Card(
            manifest=manifest,
            tools=tools,
            tools_sha256=tools_digest(tools),
            granted_scopes=member.scopes,
            granted_calls=(),
            instance=instance,
            pid=os.getpid(),
            started_at=started_at,
            confinement=held.words,
            weak=held.weak,
            deadlines_s={tool.name: member.deadline_s for tool in tools},
            refuses=approval.refuses,
        )

    async with anyio.create_task_group() as connection:
        await connection.start(bridge.run)
        async with anyio.create_task_group() as tasks:
            await tasks.start(Serving(bus, counted, allows).run, leave)
            async with announced(bus, card(bridge.manifest, bridge.tools), calls_answered=lambda: answered) as entry:

                async def defined(manifest: Manifest, tools: tuple[ToolSpec, ...]) -> None:
                    await entry.put(card(manifest, tools))

                bridge.on_defined = defined
                ready()
                await leave.wait()
        connection.cancel_scope.cancel()
