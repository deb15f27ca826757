"""Keys of model endpoints on their way from a person's environment to the model server, past everybody else.

They go through a file without a name that the house passes on unread. A command that was started with them takes them
out of its own environment before it starts any program, so that no other program it starts, and nobody who looks into
`/proc`, finds them. Addresses go the same way: one may hold a password.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from contracts.config import BASE_URL_KEY, MODELS_KEY, ModelsConfig
from contracts.keys import KeyMarks
from orchestrator.config import address_problem, load_models, own_models
from orchestrator.errors import ConfigError

_ALWAYS = frozenset({"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS"})
"""What the SDK would take for keys, whichever of them an endpoint names; Podium gives it none but that one."""

_NAMED = re.compile(r"""\bkey_env\s*=\s*["'](\w+)["']""")


@dataclass(frozen=True)
class Taken:
    """What was in the environment for the model server."""

    values: Mapping[str, str] = field(repr=False)
    """Keys, and the address of endpoints without one, by the name of their variable; only what was set."""
    models: ModelsConfig | None
    """Where models are; None where the file that says so is wrong."""
    own: bool
    """Whether that is the person's own word, not only what ships with Podium."""
    problem: ConfigError | None = None
    """Why nothing can be asked with it."""

    @property
    def handed(self) -> Mapping[str, str]:
        """All of it, as the model server reads it; nothing where something is wrong with it."""
        if self.models is None or self.problem is not None:
            return {}
        return {**self.values, MODELS_KEY: self.models.model_dump_json()}

    def unlike(self, marks: KeyMarks | None) -> str:
        """How a house that has `marks` differs from what the person says here, in words; "" where it does not.

        Somebody who says nothing here takes the house as it is, and a house of a version without marks is taken so.
        """
        if marks is None:
            return ""
        said = self.handed if self.own else self.values
        other, without = list[str](), list[str]()
        for name in marks.differing(said):
            (other if name in marks.digests else without).append("models.toml" if name == MODELS_KEY else name)
        words = (("with another", other), ("without", without))
        return " and ".join(f"{how} {' and '.join(names)}" for how, names in words if names)


def take_keys() -> Taken:
    """What the model server needs of the environment, which does not hold it afterwards. It may be called again."""
    models, problem = None, None
    try:
        models = load_models()
        named = {endpoint.key_env for endpoint in models.endpoints.values()} - {""}
    except ConfigError as error:
        problem = error
        named = _named_all_the_same()
    global _taken
    _taken = {**_taken, **{name: os.environ[name] for name in (*named, BASE_URL_KEY) if os.environ.get(name)}}
    _forget(named | _ALWAYS | {BASE_URL_KEY})
    address = _taken.get(BASE_URL_KEY, "")
    if problem is None and address and (wrong := address_problem(address)):
        problem = ConfigError(BASE_URL_KEY, "", wrong, "Write http://HOST:PORT or https://HOST, or unset it.")
    return Taken(_taken, models, own_models() is not None, problem)


_taken: dict[str, str] = {}
"""What was in the environment; a second house of this process needs it, too."""


def _named_all_the_same() -> set[str]:
    """Variables that a file names as keys which cannot be read as what it should be."""
    file = own_models()
    with suppress(OSError):
        return set(_NAMED.findall(file.read_text(encoding="utf-8", errors="replace"))) if file else set()
    return set()


def anonymous_file(keys: Mapping[str, str]) -> int:
    """A file without a name that holds `keys` as JSON; its descriptor."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("keys", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as unlinked:
            fd = os.dup(unlinked.fileno())
    os.write(fd, json.dumps(dict(keys)).encode())
    return fd


def _forget(names: Set[str]) -> None:
    """Take variables out of this process's environment, also where `/proc/self/environ` shows it from.

    That shows the memory the process was started with (proc(5)), which unsetting a variable leaves as it is.
    """
    for name in names:
        os.environ.pop(name, None)
    if sys.platform != "linux":
        return
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[47]), int(fields[48])  # env_start and env_end, fields 50 and 51
        block = ctypes.string_at(start, end - start)
        place = 0
        for entry in block.split(b"\0"):
            name, _, value = entry.partition(b"=")
            if os.fsdecode(name) in names:
                ctypes.memset(start + place + len(name) + 1, 0x20, len(value))
            place += len(entry) + 1
