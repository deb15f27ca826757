"""Reads the files people change: workflows, and a project's podium.toml. (The house reads the crew's.)"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from contracts.base import Model
from contracts.config import CrewConfig, GatesConfig, HostConfig, ModelsConfig, ProjectConfig, host_config
from contracts.endpoint import shown
from contracts.gate_policy import AUTO, HUMAN, GatePolicy, Policy
from contracts.spending import Allowance
from contracts.workflow import Extension, Workflow
from orchestrator.ceilings import ALWAYS
from orchestrator.errors import ConfigError
from orchestrator.metrics import agent_of

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
"""What ships with Podium."""

PROJECT_FILE = "podium.toml"
MAX_BYTES = 1 << 20
"""Size of a configuration file."""

M = TypeVar("M", bound=Model)


def load_project(repo: Path) -> ProjectConfig:
    """`podium.toml` of a repository; the defaults where there is none.

    Raises:
        ConfigError: it is broken.
    """
    file = repo / PROJECT_FILE
    if not file.exists():
        return ProjectConfig()
    return read(file, ProjectConfig)


def load_workflow(name: str, configs: Path = CONFIGS) -> Workflow:
    """A workflow by name, with what it takes over from the one it extends.

    Raises:
        ConfigError: there is none of that name, or it or one that it extends is broken.
    """
    known = workflows(configs)
    if name not in known:
        raise ConfigError(str(configs / "workflows"), name, "no such workflow", f"There are: {', '.join(known)}.")
    return _extended(name, configs, ())


def _extended(name: str, configs: Path, below: tuple[str, ...]) -> Workflow:
    """The workflow that `below` extend, one the next."""
    file = configs / "workflows" / f"{name}.toml"
    said = parsed(file)
    given = {key: said.pop(key) for key in Extension.model_fields if key in said}
    if given:
        extension = valid(file, given, Extension)
        base, known = extension.extends, workflows(configs)
        if base in (*below, name):
            way = " extends ".join((*below, name, base))
            raise ConfigError(str(file), "extends", f"a circle: {way}", "Let one of them stand by itself.")
        if base not in known:
            raise ConfigError(str(file), "extends", f"no such workflow: {base}", f"There are: {', '.join(known)}.")
        over = _extended(base, configs, (*below, name))
        instead = {step.id: step for step in extension.instead}
        for key, named in (("without", set(extension.without)), ("instead", set(instead))):
            if unknown := sorted(named - {step.id for step in over.steps}):
                raise ConfigError(str(file), key, f"{base} has no step {', '.join(unknown)}", "Correct or remove it.")
        steps = tuple(instead.get(step.id, step) for step in over.steps if step.id not in extension.without)
        said = {**over.model_copy(update={"steps": steps}).model_dump(), **said}
    workflow = valid(file, said, Workflow)
    if workflow.name != name:
        raise ConfigError(str(file), "name", f"found {workflow.name!r}, expected {name!r}", "Name it after its file.")
    return workflow


def workflows(configs: Path = CONFIGS) -> tuple[str, ...]:
    """The names of the workflows there are."""
    return tuple(sorted(file.stem for file in (configs / "workflows").glob("*.toml")))


def load_models(configs: Path = CONFIGS) -> ModelsConfig:
    """Where models are: what ships with Podium, and over it the person's own `models.toml`. Never a repository's.

    Raises:
        ConfigError: one of them is broken, or the one that is named is not there.
    """
    shipped, file = read(configs / "models.toml", ModelsConfig), own_models()
    if file is None:
        return shipped
    own = read(file, ModelsConfig)
    merged = own.model_copy(
        update={
            "default": own.default if "default" in own.model_fields_set else shipped.default,
            "endpoints": {**shipped.endpoints, **own.endpoints},
            "roles": {**shipped.roles, **own.roles},
            "models": {**own.models, **{name: one for name, one in shipped.models.items() if name not in own.models}},
            "prices": {**shipped.prices, **own.prices},
            "secrets": own.secrets if "secrets" in own.model_fields_set else shipped.secrets,
        }
    )
    for name, endpoint in merged.endpoints.items():
        if endpoint.base_url and (wrong := address_problem(endpoint.base_url)):
            raise ConfigError(str(file), f"endpoints.{name}.base_url", wrong, "Write http://HOST:PORT or https://HOST.")
    if merged.default not in merged.endpoints:
        raise ConfigError(str(file), "default", f"there is no endpoint {merged.default!r}", "Name one of [endpoints].")
    return merged


def address_problem(address: str) -> str:
    """Why `address` is none of an endpoint; "" when it may be one."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"{shown(address)!r} is no address ({error})"
    return "" if parts.scheme in ("http", "https") and host else f"{shown(address)!r} is no http address"


def crew_file() -> Path:
    """The person's own crew file, whether it is there or not; it goes over the one that ships with Podium.

    The file PODIUM_CREW names, else `podium/crew.toml` in the user's folder for configuration. Never a repository's.
    """
    return _persons_own("crew.toml", "PODIUM_CREW")


def load_crew(configs: Path = CONFIGS) -> CrewConfig:
    """What the shipped crew file and the person's own say together.

    Raises:
        ConfigError: one of them is broken.
    """
    shipped, own = read(configs / "crew.toml", CrewConfig), crew_file()
    return read(own, CrewConfig).over(shipped) if own.exists() else shipped


def load_host(name: str, configs: Path = CONFIGS) -> HostConfig:
    """What the crew files say of MCP host `name`.

    Raises:
        ConfigError: one of them is broken.
    """
    return host_config(load_crew(configs).hosts, name)


def own_models() -> Path | None:
    """The person's own `models.toml`, if they have one: the file PODIUM_MODELS names, whether it is there or not.

    Else `podium/models.toml` in the user's folder for configuration.
    """
    file = _persons_own("models.toml", "PODIUM_MODELS")
    return file if os.environ.get("PODIUM_MODELS") or file.exists() else None


def _persons_own(name: str, variable: str) -> Path:
    if named := os.environ.get(variable):
        return Path(named).expanduser().absolute()
    from platformdirs import user_config_path

    return user_config_path("podium") / name


def tuned(workflow: Workflow, project: ProjectConfig) -> Workflow:
    """`workflow` with the project's budgets.

    Raises:
        ConfigError: they name an agent that no workflow has, or one that no limit holds.
    """
    budgets = project.budgets
    given = {name: found for name in type(budgets).model_fields if (found := getattr(budgets, name)) is not None}
    rounds = given.pop("fix_rounds", workflow.fix_rounds)
    if budgets.model is not None:
        given["model"] = _over(workflow.budgets.model, budgets.model)
    if budgets.agents is not None:
        known = _agents()
        if unknown := sorted(set(budgets.agents) - known):
            where = f"budgets.agents.{unknown[0]}"
            raise ConfigError(PROJECT_FILE, where, "there is no such agent", f"There are: {', '.join(sorted(known))}.")
        named = workflow.budgets.agents
        given["agents"] = {**named, **{name: _over(named.get(name), one) for name, one in budgets.agents.items()}}
    return workflow.model_copy(update={"fix_rounds": rounds, "budgets": workflow.budgets.model_copy(update=given)})


def _agents() -> set[str]:
    """Who can have a budget: whoever is asked in some workflow, as far as a limit can hold them."""
    asked = {tool.partition(".")[0] for name in workflows() for step in load_workflow(name).steps for tool in step.uses}
    return {agent_of(server) for server in asked} - ALWAYS


def _over(before: Allowance | None, given: Allowance) -> Allowance:
    """What is given, and where nothing is, what was before: a limit that is not named stays."""
    return (before or Allowance()).model_copy(update=given.model_dump(exclude_unset=True))


def policy(workflow: Workflow, project: ProjectConfig, auto: str = "") -> Policy:
    """Who decides: the workflow's policy, over it the project's, over it `--auto`.

    `auto` is `all` or a comma-separated list of plan, patches, handoff.

    Raises:
        ConfigError: `auto` names something else.
    """
    kinds = tuple(Policy.model_fields)
    named = {part.strip() for part in auto.split(",") if part.strip()}
    unknown = sorted(named - {*kinds, "all"})
    if unknown:
        raise ConfigError("--auto", "", f"{', '.join(unknown)} is no gate", f"Name {', '.join(kinds)}, or all.")
    over = {kind: AUTO for kind in kinds if named & {kind, "all"}}
    return workflow.gates.model_copy(update={**_gates(project.gates), **over})


def _gates(gates: GatesConfig) -> dict[str, GatePolicy]:
    given = {"plan": gates.plan, "patches": gates.patches, "handoff": gates.handoff}
    words = {"human": HUMAN, "auto": AUTO}
    return {
        kind: words[found] if isinstance(found, str) else found for kind, found in given.items() if found is not None
    }


def read(file: Path, model: type[M]) -> M:
    """A TOML file as `model`.

    Raises:
        ConfigError: it cannot be read, is no TOML, or says something `model` does not know.
    """
    return valid(file, parsed(file), model)


def parsed(file: Path) -> dict[str, Any]:
    """What a TOML file says.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ConfigError(str(file), "", f"larger than {MAX_BYTES} bytes", "It holds a few settings only.")
        return tomllib.loads(raw.decode())
    except OSError as error:
        raise ConfigError(str(file), "", f"cannot be read: {error.strerror}", "Check its path and mode.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), "", f"is not UTF-8: {error.reason}", "Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(file), "", f"is not TOML: {error}", "See https://toml.io for the format.") from error


def valid(file: Path, said: Mapping[str, Any], model: type[M]) -> M:
    """What `file` says, as `model`.

    Raises:
        ConfigError: it says something `model` does not know.
    """
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise _explained(file, error) from error


def _explained(file: Path, error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return ConfigError(str(file), key, f"nothing of this name exists{more}", "Correct or remove it.")
    found = "" if first["type"] == "missing" else f"; found {first['input']!r}"
    return ConfigError(str(file), key, f"{first['msg']}{found}{more}", "Correct it.")
