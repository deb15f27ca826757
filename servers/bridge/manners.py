"""How a server of either era wants to be spoken to, and what its results look like on the bus. Pure.

The bus carries requests of 2026-07-28, which are complete in themselves. A server of that era gets them as they are.
One of the handshake era (2025-11-25 and before) has learnt who asks once, at the start; what its results lack of the
newer revision is added, and nothing else of them is touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    LOG_LEVEL_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    SERVER_INFO_META_KEY,
)

from bus.wire import PROTOCOL_VERSION, JsonObject, as_object

CLIENT: JsonObject = {"name": "podium", "version": "0.1.0"}
ABLE: JsonObject = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
"""What a server of the handshake era may ask: whoever calls it may be able to answer."""

ENVELOPE: JsonObject = {
    PROTOCOL_VERSION_META_KEY: PROTOCOL_VERSION,
    CLIENT_INFO_META_KEY: CLIENT,
    CLIENT_CAPABILITIES_META_KEY: ABLE,
}
"""`_meta` of what the bridge asks for itself."""

_OURS = "io.podium/"
_ENVELOPE = {*ENVELOPE, LOG_LEVEL_META_KEY}
_LISTS = {"tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"}
_GONE = {"initialize", "ping", "logging/setLevel", "subscriptions/listen"}
"""Methods that are no requests on this bus, whatever a server of the handshake era would make of them."""


@dataclass(frozen=True)
class Welcome:
    """What a server said of itself when the connection was made."""

    version: str
    info: JsonObject
    capabilities: JsonObject
    instructions: str | None = None

    @property
    def modern(self) -> bool:
        """Whether requests are complete in themselves, without a handshake."""
        return self.version >= PROTOCOL_VERSION  # revisions are dates

    def takes(self, method: str) -> bool:
        """Whether a request from the bus is to be passed on."""
        return self.modern or method not in _GONE

    def outward(self, params: JsonObject, token: str) -> JsonObject:
        """A request's parameters as the server gets them; `token` takes the place of the caller's progress token."""
        meta = {key: value for key, value in as_object(params.get("_meta")).items() if not key.startswith(_OURS)}
        if "progressToken" in meta:
            meta["progressToken"] = token
        if self.modern:
            return {**params, "_meta": meta}
        meta = {key: value for key, value in meta.items() if key not in _ENVELOPE}
        rest = {key: value for key, value in params.items() if key not in ("_meta", "inputResponses", "requestState")}
        return {**rest, "_meta": meta} if meta else rest

    def inward(self, method: str, result: JsonObject) -> JsonObject:
        """A result as the bus carries it. One that does not say of which type it is is complete, whoever gave it."""
        if self.modern:
            return result if "resultType" in result else {"resultType": "complete", **result}
        added: JsonObject = {"resultType": "complete"}
        if method in _LISTS:
            added |= {"ttlMs": 0, "cacheScope": "private"}
        meta = {SERVER_INFO_META_KEY: self.info, **as_object(result.get("_meta"))}
        return {**added, **result, "_meta": meta}

    def discovered(self) -> JsonObject:
        """The result of `server/discover`, made from a handshake."""
        told: JsonObject = {
            "supportedVersions": [PROTOCOL_VERSION],
            "capabilities": self.capabilities,
            "ttlMs": 0,
            "cacheScope": "private",
        }
        if self.instructions is not None:
            told["instructions"] = self.instructions
        return self.inward("server/discover", told)
