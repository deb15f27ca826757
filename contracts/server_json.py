"""How a server is described to the MCP ecosystem: the part of the registry's `server.json` that Podium uses.

The form is that of `SCHEMA`; its rules for what is used are the types here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from contracts.base import Model
from contracts.manifest import Manifest, Scope

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"

NAMESPACE = "io.podium"
"""In reverse-DNS form, as for the keys of `_meta`."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+([-.+a-z0-9]*)$", max_length=255)]


def _called(name: str) -> Any:
    return Field(validation_alias=name, serialization_alias=name)


class _Form(Model):
    """A part of the form; its field names are in camel case."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class Word(_Form):
    """A word of the command line, as it stands."""

    type: Literal["positional"] = "positional"
    value: str


class Option(_Form):
    """An option whose value the person gives."""

    type: Literal["named"] = "named"
    name: Annotated[str, StringConstraints(pattern=r"^--[a-z-]+$")]
    description: str
    format: Literal["string", "filepath"] = "string"
    is_required: bool = False
    placeholder: str = ""


Argument = Annotated[Word | Option, Field(discriminator="type")]


class Transport(_Form):
    """How it is spoken to."""

    type: Literal["stdio"] = "stdio"


class Package(_Form):
    """What is installed, and the arguments of its command."""

    registry_type: Literal["pypi"] = "pypi"
    identifier: str
    version: Version
    runtime_hint: Literal["uvx"] = "uvx"
    transport: Transport = Transport()
    package_arguments: tuple[Argument, ...]


class Rights(Model):
    """What a server needs, in Podium's own words: `contracts.manifest.Manifest`."""

    scopes: tuple[Scope, ...] = ()
    calls: tuple[str, ...] = ()


class Ours(_Form):
    """What only Podium understands."""

    rights: Annotated[Rights, _called(NAMESPACE)]


class Meta(_Form):
    """The one key whose content a registry keeps."""

    ours: Annotated[Ours, _called("io.modelcontextprotocol.registry/publisher-provided")]


class ServerJson(_Form):
    """One server."""

    form: Annotated[str, StringConstraints(pattern=f"^{re.escape(SCHEMA)}$"), _called("$schema")] = SCHEMA
    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", min_length=3, max_length=200)]
    title: Text
    description: Text
    version: Version
    packages: tuple[Package, ...]
    meta: Annotated[Meta, _called("_meta")]

    def text(self) -> str:
        """As it is kept in a file."""
        return self.model_dump_json(indent=2) + "\n"


def describe(manifest: Manifest, *arguments: Argument, version: str) -> ServerJson:
    """The server of `manifest`, started by Podium's command with `arguments`; `version` is the package's."""
    return ServerJson(
        name=f"{NAMESPACE}/{manifest.name}",
        title=manifest.title,
        description=manifest.description,
        version=manifest.version,
        packages=(Package(identifier="podium", version=version, package_arguments=arguments),),
        meta=Meta(ours=Ours(rights=Rights(scopes=manifest.scopes, calls=manifest.calls))),
    )
