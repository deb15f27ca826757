"""A confined specialist holds what its rules name and nothing else."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from servers.sandbox import landlock
from tests.sandbox.world import World, world

SPECIALIST = """
import errno, json, os, signal, socket, subprocess, sys, asyncio, ctypes
from pathlib import Path
from servers.confine import Confinement, confine
place, port, other, victim, abstract, connects, runs, resolves = sys.argv[1:]
words = confine(consent_weak=True, rules=Confinement(
    read=(Path(place) / "granted",), write=(Path(place) / "own",),
    connect_ports=(int(port),) if connects == "yes" else (), resolve=resolves == "yes", exec=runs == "yes",
)).words
def fast_open(): socket.socket().sendto(b"x", socket.MSG_FASTOPEN, ("127.0.0.1", int(other)))
def listen():
    s = socket.socket(); s.listen()
def namespace():
    if ctypes.CDLL(None).unshare(0x10000000): raise OSError
def gained():
    status = open("/proc/self/status").read()
    if "NoNewPrivs:\\t1" in status and "CapEff:\\t0000000000000000" in status: raise OSError
attempts = {
    "read granted": lambda: open(place + "/granted/file").read(),
    "write granted": lambda: open(place + "/granted/file", "w"),
    "read own": lambda: open(place + "/own/file").read(),
    "write own": lambda: open(place + "/own/new", "w"),
    "read secret": lambda: open(place + "/secret.txt").read(),
    "write outside": lambda: open(place + "/target.txt", "w"),
    "connect": lambda: socket.create_connection(("127.0.0.1", int(port)), 5),
    "connect elsewhere": lambda: socket.create_connection(("127.0.0.1", int(other)), 5),
    "fast open": fast_open,
    "udp": lambda: socket.socket(type=socket.SOCK_DGRAM),
    "mptcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262),
    "unix": lambda: socket.socket(socket.AF_UNIX).connect(place + "/s.sock"),
    "abstract": lambda: socket.socket(socket.AF_UNIX).connect("\\0" + abstract),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "listen": listen,
    "pair": socket.socketpair,
    "event loop": lambda: asyncio.run(asyncio.sleep(0)),
    "lazy import": lambda: __import__("sqlite3"),
    "exec": lambda: subprocess.run(["/bin/true"], check=True),
    "signal": lambda: os.kill(int(victim), 0),
    "environ": lambda: open(f"/proc/{victim}/environ").read(),
    "namespace": namespace,
    "keep privileges": gained,
}
done = []
for name, attempt in attempts.items():
    try: attempt()
    except (OSError, subprocess.CalledProcessError): continue
    done.append(name)
print(json.dumps([words, done]))
"""


def confined(target: World, *, connects: str, runs: str, resolves: str = "no") -> tuple[str, set[str]]:
    """The words, and which attempts got through."""
    for folder in ("granted", "own"):
        (target.place / folder).mkdir()
        (target.place / folder / "file").write_text("text")
    with socket.create_server(("127.0.0.1", 0)) as broker:
        ports = (str(broker.getsockname()[1]), str(target.tcp.getsockname()[1]))
        abstract = target.abstract.getsockname().decode().removeprefix("\0")
        last = (abstract, connects, runs, resolves)
        done = subprocess.run(
            [sys.executable, "-c", SPECIALIST, str(target.place), *ports, str(target.victim.pid), *last],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            check=False,
        )
    assert done.returncode == 0, done.stderr
    words, through = json.loads(done.stdout)
    return words, set(through)


ALWAYS = {"read granted", "read own", "write own", "pair", "event loop", "lazy import"}


@pytest.mark.parametrize("connects", ["yes", "no"])
@pytest.mark.parametrize("runs", ["yes", "no"])
def test_a_specialist_keeps_only_what_it_was_granted(connects: str, runs: str) -> None:
    """Its files, its one port, its programs if it may; no other network, process, privilege or file."""
    granted = {"connect": connects == "yes", "exec": runs == "yes"}
    expected = ALWAYS | {name for name, holds in granted.items() if holds}
    with world() as target:
        words, through = confined(target, connects=connects, runs=runs)
    version = landlock.abi()
    assert words == (f"landlock abi {version} + seccomp" if version else "seccomp + not held: files, by consent")
    if version < 6:
        through -= {"signal", "environ", "connect elsewhere"}
    if not version:
        through -= {"write granted", "read secret", "write outside"}
    assert through == expected


def test_who_asks_for_addresses_gets_datagrams_and_nothing_else() -> None:
    """The model server's way: one TCP port, and name service."""
    with world() as target:
        _, through = confined(target, connects="yes", runs="no", resolves="yes")
    if landlock.abi() >= 6:
        assert through == ALWAYS | {"connect", "udp"}
    assert {"udp", "connect"} <= through
    assert not through & {"unix", "abstract", "netlink", "listen", "mptcp", "fast open", "exec"}


def test_git_runs_where_programs_are_allowed(tmp_path: Path) -> None:
    """The workspace's way: git in a folder it may write."""
    code = """
import subprocess, sys
from pathlib import Path
from servers.confine import Confinement, confine
confine(Confinement(write=(Path(sys.argv[1]),), exec=True), consent_weak=True)
subprocess.run(["git", "init", "-q", sys.argv[1] + "/repo"], check=True, env={"HOME": sys.argv[1], "PATH": "/usr/bin"})
"""
    here = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=here, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "repo" / ".git").is_dir()


@pytest.mark.parametrize(
    ("lies", "through"),
    [
        ("linux.install_filter", "open a unix socket, open a TCP socket, start programs"),
        ("landlock.Ruleset.enforce", "list /"),
    ],
)
def test_rules_that_the_kernel_does_not_keep_end_the_process(lies: str, through: str) -> None:
    """Each is tried before anything is served."""
    code = f"""
from servers.sandbox import landlock, linux
from servers.confine import Confinement, NotConfined, confine
{lies} = lambda *_: None
try: confine(Confinement(), consent_weak=True)
except NotConfined as problem: print(problem)
"""
    here = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    held = "landlock" not in lies or landlock.abi()
    expected = f"The kernel took the rules of this process and does not keep them: it can {through}.\n"
    assert done.stdout == (expected if held else "")


@pytest.mark.parametrize("scopes", [("work:read",), ()])
def test_who_cannot_be_held_to_its_files_does_not_go_on_without_consent(scopes: tuple[str, ...]) -> None:
    """It is told what it was granted, what is lacking and the way out, and nothing has been given up by then."""
    told, went_on = weakly(f"confine(Confinement(scopes={scopes}))")
    assert told.startswith(
        f"It is granted {', '.join(scopes) or 'no files at all'}, and this kernel cannot hold it to that:"
    )
    assert "for files it lacks Landlock" in told
    assert "PODIUM_CONSENT_WEAK=1" in told
    assert went_on == "NoNewPrivs:\t1 files, sockets"  # the lesser machine itself takes the first away


def test_who_cannot_be_held_to_its_files_goes_on_by_consent_and_says_so() -> None:
    """What can be held is held."""
    told, went_on = weakly("held = confine(Confinement(), consent_weak=True); print(held.words, held.weak)")
    assert told == "seccomp + not held: files, by consent True"
    assert went_on == "NoNewPrivs:\t1 files"


def weakly(code: str) -> tuple[str, str]:
    """What is said where the kernel has no Landlock, and what still works afterwards."""
    whole = f"""
import os, socket
from servers.confine import Confinement, NotConfined, confine
try: {code}
except NotConfined as problem: print(problem)
line = next(line for line in open("/proc/self/status") if line.startswith("NoNewPrivs")).strip()
works = []
try: works.append(os.listdir("/") and "files")
except OSError: pass
try: works.append(socket.socket() and "sockets")
except OSError: pass
print(line, ", ".join(works))
"""
    lesser = [
        sys.executable,
        "-m",
        "tests.sandbox.lesser_machine",
        "--no-landlock",
        sys.executable,
        "-W",
        "ignore",
        "-c",
    ]
    here = Path(__file__).parents[2]
    done = subprocess.run([*lesser, whole], cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told, went_on = done.stdout.splitlines()
    return told, went_on
