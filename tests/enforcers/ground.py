"""Where things are tried: a state directory, a crew with a server of one's own in it, and a port that answers."""

from __future__ import annotations

import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.config import MODELS_KEY, EndpointConfig, ModelsConfig
from servers.crew import CREW_FILE, Crew, read_crew
from servers.enforced import with_yours
from servers.place import Place
from servers.sandbox.order import Policy
from servers.throwaway import open_scratch
from tests.sandbox.cells import python_for, scratch_root

_FOLDERS = ("state/work", "state/identities", "yours/read", "yours/write")


@dataclass(frozen=True)
class Ground:
    """What all attempts share."""

    folder: Path
    crew: Crew
    place: Place
    port: int
    """Where models are, and whatever else a member is granted to reach."""

    @property
    def keys(self) -> Mapping[str, str]:
        """What the model server is handed."""
        here = ModelsConfig(endpoints={"here": EndpointConfig(base_url=f"http://127.0.0.1:{self.port}")})
        return {"A_KEY": "secret", MODELS_KEY: here.model_dump_json()}

    def scratch(self, name: str) -> Path:
        """An empty scratch folder for a member."""
        return open_scratch(self.place.scratch(name))


def runnable(policy: Policy) -> Policy:
    """With an interpreter that whoever programs run as can read, where they run as a user who owns nothing."""
    return replace(policy, python=python_for("seccomp"))


@contextmanager
def ground() -> Generator[Ground]:
    """All of it, for as long as the block runs."""
    with scratch_root() as folder, socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True)
            (folder / name / "file").write_text("text")
        port = listening.getsockname()[1]
        place = Place(folder / "state", "nats://127.0.0.1:4222")
        yield Ground(folder, with_yours(read_crew(CREW_FILE), folder / "yours", port), place, port)
