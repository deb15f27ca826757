"""`configs/servers/` describes Podium's servers in the MCP registry's form, and says what is so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.manifest import Manifest
from contracts.server_json import ServerJson, Word, describe
from orchestrator.cli.commands import podium
from orchestrator.config import CONFIGS
from servers.crew_member import CLASSES, load_own
from servers.descriptions import descriptions

FOLDER = CONFIGS / "servers"
FILES = sorted(FOLDER.iterdir())


def test_the_files_are_what_the_manifests_say() -> None:
    """`make docs` writes them; one for each server, and one for the gateway."""
    assert {file.name: file.read_text(encoding="utf-8") for file in FILES} == {
        f"{name}.json": description.text() for name, description in descriptions().items()
    }
    assert {file.stem for file in FILES} == {*CLASSES, "podium"}


@pytest.mark.parametrize("name", CLASSES)
def test_a_description_has_its_servers_words_and_rights(name: str) -> None:
    """Under the field names of the form."""
    said: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    manifest = load_own(name).manifest
    assert (said["name"], said["title"], said["description"]) == (
        f"io.podium/{name}",
        manifest.title,
        manifest.description,
    )
    rights = said["_meta"]["io.modelcontextprotocol.registry/publisher-provided"]["io.podium"]
    assert rights == {"scopes": list(manifest.scopes), "calls": list(manifest.calls)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_command_it_names_is_one_of_podiums(file: Any) -> None:
    """Its words and options are understood by the command line."""
    (package,) = ServerJson.model_validate_json(file.read_bytes()).packages
    words: list[str] = []
    for argument in package.package_arguments:
        words += [argument.value] if isinstance(argument, Word) else [argument.name, argument.placeholder]
    assert package.identifier == "podium"
    command = podium.get_command(podium.make_context("podium", words), words[0])
    assert command is not None
    assert command.make_context(words[0], words[1:]).params


FINE = {"name": "some", "title": "Some", "description": "Does something.", "version": "1.0.0"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("description", "x" * 101), ("description", ""), ("title", ""), ("version", "latest"), ("version", "^1.0")],
)
def test_what_the_form_does_not_allow_is_refused(field: str, value: str) -> None:
    """Lengths and versions, before anything is written."""
    assert describe(Manifest.model_validate(FINE), version="1.0.0").name == "io.podium/some"
    with pytest.raises(ValidationError):
        describe(Manifest.model_validate({**FINE, field: value}), version="1.0.0")
