"""What works on this machine, and what to do about the rest. Looks, and changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from bus.broker import BrokerFailed, find_server
from bus.connect import identities
from bus.grants import NOTARY
from bus.identity import key_age
from contracts.endpoint import access, shown
from contracts.manifest import Card
from contracts.sandbox import SandboxLevel
from orchestrator import doctor_kernel
from orchestrator.doctor_check import Check, first_line
from orchestrator.house import House
from orchestrator.keys import Taken
from orchestrator.text import duration
from orchestrator.tracing import INSTALL, endpoint, exporter_is_there

MIN_GIT = (2, 35)
MIN_FREE_BYTES = 1 << 30

SANDBOX_LEVELS: dict[SandboxLevel, str] = {
    "full": "namespaces by bubblewrap: no network, a private file system, no survivors",
    "reduced": "Landlock and seccomp: no network, only granted files; no namespaces",
    "weak": "seccomp without sockets, resource limits and a scratch copy; readable files stay readable",
    "none": "nothing",
}


def machine(state: Path, taken: Taken) -> Iterator[Check]:
    """What can be seen without starting anything; `taken` is what the environment had for the model server."""
    yield _python()
    yield _git()
    yield _nats_server()
    yield doctor_kernel.bubblewrap()
    yield doctor_kernel.landlock()
    yield doctor_kernel.seccomp()
    yield _state(state)
    yield _disk(state)
    yield _models(taken)
    if endpoint():
        yield _traces()


def crew(cards: tuple[Card, ...], seconds: float) -> Iterator[Check]:
    """What a started crew says of itself; `seconds` is how long it took to be there."""
    names = ", ".join(card.manifest.name for card in cards)
    yield Check(name="crew", level="ok" if cards else "fail", found=f"{names or 'nobody'} after {duration(seconds)}")
    for card in cards:
        if card.sandbox:
            yield _sandbox(card)


def clock(apart: timedelta) -> Check:
    """Whether this machine's clock is the broker's; `apart` is how far it is ahead."""
    if not apart:
        return Check(name="clock", level="ok", found="agrees with the broker's")
    return Check(
        name="clock",
        level="warn",
        found=f"{apart.total_seconds():+,.0f} s from the broker's",
        way_out="Set the one that is wrong: approvals expire by the broker's, and `podium gc` removes nothing.",
    )


def _sandbox(card: Card) -> Check:
    level = card.sandbox
    words = next((text for name, text in SANDBOX_LEVELS.items() if name == level), "")
    better = (
        ""
        if level in ("full", "reduced")
        else "Install bubblewrap, or use a kernel >= 6.12 with Landlock. "
        "Until then your own repository needs `--consent-weak`."
    )
    return Check(
        name=f"sandbox of {card.manifest.name}",
        level="ok" if level in ("full", "reduced") else "warn" if level == "weak" else "fail",
        found=f"{level}: {words}" if words else level,
        way_out=better,
    )


def _models(taken: Taken) -> Check:
    """Which endpoints could be asked; without any, patches are searched for all the same."""
    if taken.models is None or taken.problem is not None:
        return Check(name="models", level="fail", found=str(taken.problem))
    found = {name: access(each, taken.values) for name, each in taken.models.endpoints.items()}
    ready = [f"{name} ({shown(each.base_url)})" for name, each in found.items() if not each.why_not]
    missing = [f"{name}: {each.why_not}" for name, each in found.items() if each.why_not]
    roles = ", ".join(f"{role} {model}" for role, model in taken.models.roles.items())
    if ready:
        return Check(name="models", level="ok", found="; ".join([f"can be asked: {', '.join(ready)}", *missing, roles]))
    return Check(
        name="models",
        level="ok",
        found=f"{'; '.join(missing)}: patches are searched for, nothing is written by a model",
        way_out="For the other workflows set a key, or name an endpoint of your own: docs/models.md.",
    )


def _traces() -> Check:
    if exporter_is_there():
        return Check(name="traces", level="ok", found=f"exported to {endpoint()} when a run ends")
    found = f"{endpoint()} is to have them, but OpenTelemetry's exporter is not installed"
    return Check(name="traces", level="warn", found=found, way_out=f"{INSTALL}; or unset the variable.")


def house_check(running: House | None, taken: Taken) -> Check:
    """Whether a house runs, and whether it would ask models as this environment says."""
    if running is None:
        return Check(name="house", level="ok", found="not running; commands start what they need")
    stays = "stays until `podium down`" if running.keep else "belongs to a command that is at work"
    found = f"running (process {running.pid}); {stays}"
    if unlike := taken.unlike(running.keys):
        way_out = "`podium down`: the next command starts one with what is set here."
        return Check(name="house", level="warn", found=f"{found}; it was started {unlike}", way_out=way_out)
    return Check(name="house", level="ok", found=found)


def _python() -> Check:
    return Check(name="python", level="ok", found=f"{platform.python_version()} at {sys.executable}")


def _git() -> Check:
    said = first_line("git", "--version")
    if said is None:
        return Check(name="git", level="fail", found="not found", way_out=f"Install git {_dotted(MIN_GIT)} or newer.")
    number = tuple(int(part) for part in said.split()[2].split(".")[:2] if part.isdigit())
    if number < MIN_GIT:
        return Check(name="git", level="fail", found=said, way_out=f"Install git {_dotted(MIN_GIT)} or newer.")
    return Check(name="git", level="ok", found=said)


def _nats_server() -> Check:
    url = os.environ.get("PODIUM_NATS_URL")
    if url:
        return Check(name="broker", level="ok", found=f"{url} (PODIUM_NATS_URL); none is started")
    try:
        server = find_server()
    except BrokerFailed as error:
        return Check(name="broker", level="fail", found=str(error), way_out="`make demo` installs it into .venv.")
    said = first_line(server, "--version")
    if said is None:
        return Check(
            name="broker",
            level="fail",
            found=f"{server} does not run",
            way_out="Is the file system mounted noexec? Reinstall with `make clean demo`, or set PODIUM_NATS_URL.",
        )
    return Check(name="broker", level="ok", found=f"{said} at {server}")


def _state(state: Path) -> Check:
    there = next(path for path in (state, *state.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Check(
            name="state",
            level="fail",
            found=f"{state}: {error.strerror} ({there})",
            way_out="Make it writable, or set PODIUM_STATE_DIR to a directory that is.",
        )
    return Check(name="state", level="ok", found=str(state) if there == state else f"{state} (made when needed)")


def keys(state: Path, max_age_days: int | None) -> Iterator[Check]:
    """Whether somebody has had a key for longer than the crew file allows; nothing where it sets no limit."""
    if max_age_days is None:
        return
    folder = identities(state)
    ages = {file.stem: key_age(folder, file.stem).days for file in folder.glob("*.nk")}
    old = sorted(name for name, days in ages.items() if days >= max_age_days and name != NOTARY)
    if not old:
        yield Check(name="keys", level="ok", found=f"none is older than {max_age_days} days")
        return
    found = f"older than {max_age_days} days: {', '.join(old)}"
    way_out = "`podium agents rotate --all`, or start anew: a house that starts gives them others."
    yield Check(name="keys", level="warn", found=found, way_out=way_out)


def _disk(state: Path) -> Check:
    there = next(path for path in (state, *state.parents) if path.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / (1 << 30):.1f} GiB free at {there}"
    if free < MIN_FREE_BYTES:
        return Check(name="disk", level="warn", found=found, way_out="A full store refuses calls: make room.")
    return Check(name="disk", level="ok", found=found)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
