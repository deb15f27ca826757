"""The first words with a server: which era is it of, and what does it say of itself?"""

from __future__ import annotations

from mcp import MCPError
from mcp_types import SERVER_INFO_META_KEY, UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION

from bus.mcp_sdk import Peer, PeerGone, http_headers
from bus.wire import PROTOCOL_VERSION, JsonObject, as_object
from servers.bridge.manners import ABLE, CLIENT, ENVELOPE, Welcome

DISCOVER_S = 10.0
HANDSHAKE_S = 90.0
"""A program that has to be fetched first, as `npx` does it, takes its time."""


class NotAsked(PeerGone):
    """It hung up when it was asked for more than a handshake."""


async def meet(peer: Peer, *, ask_first: bool = True) -> Welcome:
    """Ask with `server/discover`, and shake hands where that is not understood (specification 2026-07-28, versioning).

    Raises:
        NotAsked: it hung up on the question; connect again without `ask_first`.
        MCPError: it wants neither.
        PeerGone: it hung up.
    """
    if not ask_first:
        return await _shake_hands(peer)
    if (found := await _discover(peer)) is not None:
        return found
    try:
        return await _shake_hands(peer)
    except MCPError as wrong:
        # It was slow to start, and has understood the question meanwhile.
        if wrong.error.code == UNSUPPORTED_PROTOCOL_VERSION and (found := await _discover(peer)) is not None:
            return found
        raise


async def _discover(peer: Peer) -> Welcome | None:
    """What it is, if it is of 2026-07-28."""
    try:
        try:
            told = await _ask(peer)
        except MCPError as wrong:
            if not _would_take_ours(wrong):
                raise
            told = await _ask(peer)
    except MCPError:
        return None
    except PeerGone as gone:
        raise NotAsked from gone
    if PROTOCOL_VERSION not in told.get("supportedVersions", ()):
        return None
    info = as_object(as_object(told.get("_meta")).get(SERVER_INFO_META_KEY))
    return _welcome(PROTOCOL_VERSION, info, told)


async def _ask(peer: Peer) -> JsonObject:
    params: JsonObject = {"_meta": ENVELOPE}
    headers = http_headers(PROTOCOL_VERSION, "server/discover", params, None)
    return await peer.request("server/discover", params, headers=headers, timeout_s=DISCOVER_S)


def _would_take_ours(wrong: MCPError) -> bool:
    """Whether it refused a version, and names the one it was asked at among those it would take."""
    supported = as_object(wrong.error.data).get("supported")
    refused = wrong.error.code == UNSUPPORTED_PROTOCOL_VERSION
    return refused and isinstance(supported, list) and PROTOCOL_VERSION in supported


async def _shake_hands(peer: Peer) -> Welcome:
    params: JsonObject = {
        "protocolVersion": LATEST_HANDSHAKE_VERSION,
        "capabilities": ABLE,
        "clientInfo": CLIENT,
    }
    told = await peer.request("initialize", params, timeout_s=HANDSHAKE_S)
    version = str(told.get("protocolVersion"))
    if version not in HANDSHAKE_PROTOCOL_VERSIONS:
        raise MCPError(UNSUPPORTED_PROTOCOL_VERSION, f"it speaks protocol version {version!r}, which nobody here does")
    welcome = _welcome(version, as_object(told.get("serverInfo")), told)
    await peer.notify("notifications/initialized", {}, handshake_headers(version))
    return welcome


def handshake_headers(version: str) -> JsonObject:
    """What Streamable HTTP carries beside a request of the handshake era."""
    return {"mcp-protocol-version": version}


def _welcome(version: str, info: JsonObject, told: JsonObject) -> Welcome:
    instructions = told.get("instructions")
    return Welcome(
        version, info, as_object(told.get("capabilities")), instructions if isinstance(instructions, str) else None
    )
