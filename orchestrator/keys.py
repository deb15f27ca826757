"""Keys of model endpoints on their way from a person's environment to the model server, past everybody else.

They go through a file without a name that the house passes on unread. The command that was started with them takes
them out of its own environment, so that no other program it starts, and nobody who looks into `/proc`, finds them.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from contracts.config import BASE_URL_KEY, MODELS_KEY
from orchestrator.config import address_problem, load_models
from orchestrator.errors import ConfigError

_UNUSED = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS")
"""What the SDK would take for keys, too; Podium gives it none but the one an endpoint names."""


def take_keys() -> Mapping[str, str]:
    """What the model server needs of the environment, which does not hold the keys afterwards.

    Raises:
        ConfigError: the file that says where models are is wrong.
    """
    models = load_models()
    named = {endpoint.key_env for endpoint in models.endpoints.values()} - {""}
    _forget(set(_UNUSED))
    global _taken
    _taken = {**_taken, **{name: os.environ[name] for name in named if os.environ.get(name)}}
    _forget(named)
    address = os.environ.get(BASE_URL_KEY, "")
    if address and (wrong := address_problem(address)):
        raise ConfigError(BASE_URL_KEY, "", wrong, "Write http://HOST:PORT or https://HOST, or unset it.")
    return {MODELS_KEY: models.model_dump_json(), **({BASE_URL_KEY: address} if address else {}), **_taken}


_taken: dict[str, str] = {}
"""Keys that were in the environment; a second house of this process needs them, too."""


def anonymous_file(keys: Mapping[str, str]) -> int:
    """A file without a name that holds `keys` as JSON; its descriptor."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("keys", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as unlinked:
            fd = os.dup(unlinked.fileno())
    os.write(fd, json.dumps(dict(keys)).encode())
    return fd


def _forget(names: set[str]) -> None:
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
