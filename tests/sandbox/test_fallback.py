"""Where user namespaces are forbidden, as in many containers, the next backend takes over by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from servers.sandbox import landlock
from tests.sandbox.world import available, scratch_root

LOCKED_DOWN = """
import errno, json, sys, anyio
from pathlib import Path
from servers.sandbox import linux, syscalls
from servers.sandbox.bpf import Rule, When, assemble, fail
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.job import Job, SandboxUnavailable
from servers.sandbox.order import BACKENDS, Policy
from servers.sandbox.system import interpreter
from tests.sandbox.world import python_for

def number(name): return syscalls.NUMBERS[name][("x86_64", "aarch64").index(linux.machine())]

denied = [Rule(number(name), fail(errno.EPERM)) for name in ("unshare", "mount", "setns", *sys.argv[2:])]
denied += [Rule(number("clone"), fail(errno.EPERM), (When(0, "any", 0x7E020000),)), Rule(number("clone3"), fail(38))]
linux.no_new_privileges()
linux.install_filter(assemble(denied, machine=linux.machine(), unknown_from=1000))

async def main():
    root = Path(sys.argv[1])
    try:
        rules = Policy(root, interpreter(), backends=BACKENDS, python=python_for("seccomp"))
        async with KeptSandbox(start_keeper(rules)) as sandbox:
            (root / "job").mkdir()
            argv = (str(rules.python), "-I", "-c", "print('ran')")
            finished = await sandbox.run(Job(argv=argv, scratch=root / "job", read_only=interpreter()))
            print(json.dumps([finished.report.backend, finished.report.level, finished.output.decode()]))
    except SandboxUnavailable as error:
        print(json.dumps(["none", "none", str(error)]))

anyio.run(main)
"""


def locked_down(*denied: str) -> list[str]:
    """Backend, level and output of a job, in a process tree where these calls are denied."""
    with scratch_root() as root:
        done = subprocess.run(
            [sys.executable, "-c", LOCKED_DOWN, str(root), *denied],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_without_user_namespaces_landlock_takes_over() -> None:
    """bubblewrap cannot start; the level says what is left."""
    expected = [name for name in ("landlock", "seccomp") if name in available()]
    levels = {"landlock": "reduced" if landlock.abi() >= 6 else "weak", "seccomp": "weak"}
    assert locked_down() == [expected[0], levels[expected[0]], "ran\n"]
