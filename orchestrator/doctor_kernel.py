"""What there is on this machine to confine processes with: bubblewrap, Landlock, seccomp."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from pathlib import Path

from contracts.consent import CONSENT_ENV, consented
from orchestrator.doctor_check import Check, first_line, run
from orchestrator.text import line

MIN_LANDLOCK = 6
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_VERSION = 1


def bubblewrap() -> Check:
    """Whether it is there and can make namespaces: the full sandbox."""
    program = shutil.which("bwrap")
    if program is None:
        return Check(
            name="bubblewrap",
            level="warn",
            found="not found; the sandbox falls back to Landlock or less",
            way_out="Install the package `bubblewrap` (apt, dnf, pacman, apk) for the full sandbox.",
        )
    owner = Path(program).stat().st_uid
    if owner != 0:
        return Check(
            name="bubblewrap",
            level="warn",
            found=f"{program} belongs to user {owner}, not to root; it is not used",
            way_out="Install it as a system package.",
        )
    trial = run(program, "--ro-bind", "/", "/", "--unshare-all", "--die-with-parent", "true")
    if trial is None or trial.returncode:
        why = line((trial.stderr if trial else "") or "it does not run", 120)
        return Check(
            name="bubblewrap",
            level="warn",
            found=f"{program} cannot make namespaces here: {why}",
            way_out=_namespaces_way_out(),
        )
    return Check(name="bubblewrap", level="ok", found=f"{first_line(program, '--version')}, user namespaces work")


def _namespaces_way_out() -> str:
    restricted = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if restricted.exists() and restricted.read_text().strip() == "1":
        return (
            "AppArmor restricts user namespaces (Ubuntu 24.04 and newer): give bwrap a profile with `userns,` "
            "(apparmor.d/bwrap-userns-restrict), or set kernel.apparmor_restrict_unprivileged_userns=0."
        )
    return (
        "In a container, allow user namespaces (a seccomp profile with unshare and mount); on a host, "
        "set user.max_user_namespaces above 0. The sandbox falls back until then."
    )


def landlock() -> Check:
    """Whether it can hold processes to their files."""
    libc = ctypes.CDLL(None, use_errno=True)
    abi: int = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_LANDLOCK_VERSION))
    if abi >= MIN_LANDLOCK:
        return Check(name="landlock", level="ok", found=f"ABI {abi}")
    if abi <= 0:
        return Check(
            name="landlock",
            level="warn" if consented(os.environ) else "fail",
            found=f"not there (kernel {platform.release()}): no member can be held to its files",
            way_out="Use a kernel with `landlock` in its LSM list; or start them all the same, with every file that is "
            f"open to you open to them: {CONSENT_ENV}=1.",
        )
    found = f"ABI {abi}, and {MIN_LANDLOCK} is needed"
    return Check(
        name="landlock",
        level="warn",
        found=f"{found} (kernel {platform.release()})",
        way_out="Only needed where bubblewrap does not work: a kernel >= 6.12.",
    )


def seccomp() -> Check:
    """Whether system calls can be filtered."""
    actions = Path("/proc/sys/kernel/seccomp/actions_avail")
    if actions.exists() and "errno" in actions.read_text():
        return Check(name="seccomp", level="ok", found="filters work")
    return Check(name="seccomp", level="fail", found="not there", way_out="Podium needs a Linux kernel with seccomp.")
