"""Podium's own servers, and Podium in front of them, as the MCP registry would describe them."""

from __future__ import annotations

from importlib.metadata import version

from contracts.manifest import Manifest
from contracts.server_json import Argument, Option, ServerJson, Word, describe
from servers.alone.fit import why_not_alone
from servers.crew_member import CLASSES, load_own

GATEWAY = Manifest(
    name="podium",
    title="Podium",
    description="A crew of narrow specialists for coding tasks; people decide at gates, a ledger keeps every call.",
    version=version("podium"),
)

_REPO = Option(
    name="--repo",
    description="The git checkout it works on; read, never changed.",
    format="filepath",
    is_required=True,
    placeholder="/home/ada/shop",
)


def descriptions() -> dict[str, ServerJson]:
    """By server's name, in order."""
    found = {"podium": describe(GATEWAY, *_words("mcp"), version=version("podium"))}
    for name in CLASSES:
        manifest = load_own(name).manifest
        found[name] = describe(manifest, *_started(manifest), version=version("podium"))
    return dict(sorted(found.items()))


def _started(manifest: Manifest) -> tuple[Argument, ...]:
    """Alone where it can be, else as a member of the crew."""
    if why_not_alone(manifest):
        return _words("mcp", "--only", manifest.name)
    return (*_words("serve", manifest.name, "--stdio"), _REPO)


def _words(*words: str) -> tuple[Argument, ...]:
    return tuple(Word(value=word) for word in words)
