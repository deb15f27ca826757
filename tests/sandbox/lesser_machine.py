"""Run a command on a lesser machine: as in a container that forbids user namespaces, or on a kernel without Landlock.

`python -m tests.sandbox.lesser_machine [--no-landlock] COMMAND …`: namespaces and mounts are always denied, as
Docker's default profile does. It cannot be undone from inside.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from servers.sandbox import landlock, linux
from servers.sandbox.bpf import Rule, When, assemble, fail
from servers.sandbox.syscalls import NEW_NAMESPACES, NUMBERS

DENIED = ("unshare", "setns", "mount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsmount")
EVERY_CALL = 1 << 30


def lessen(*, without_landlock: bool) -> None:
    """Deny namespaces and mounts to this process and all it starts."""
    rules = [Rule(_number(name), fail(errno.EPERM)) for name in DENIED]
    rules.append(Rule(_number("clone"), fail(errno.EPERM), (When(0, "any", NEW_NAMESPACES),)))
    rules.append(Rule(_number("clone3"), fail(errno.ENOSYS)))
    if without_landlock:
        calls = (landlock.CREATE_RULESET, landlock.ADD_RULE, landlock.RESTRICT_SELF)
        rules += [Rule(number, fail(errno.ENOSYS)) for number in calls]
    linux.no_new_privileges()
    linux.install_filter(assemble(rules, machine=linux.machine(), unknown_from=EVERY_CALL))


def _number(name: str) -> int:
    number = NUMBERS[name][("x86_64", "aarch64").index(linux.machine())]
    assert number is not None
    return number


def main(words: Sequence[str]) -> NoReturn:
    """Become the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-landlock", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(words)
    lessen(without_landlock=options.no_landlock)
    os.execvp(options.command[0], options.command)


if __name__ == "__main__":
    main(sys.argv[1:])
