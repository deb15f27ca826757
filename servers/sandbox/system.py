"""The system's own files that any program may read: libraries, tools, and harmless configuration."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

PROGRAMS = tuple(
    map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"))
)
"""Readable and executable. In a merged-/usr system the short ones are symlinks."""

CONFIGURATION = tuple(
    Path("/etc") / name
    for name in (
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "ld.so.preload",
        "alternatives",
        "localtime",
        "timezone",
        "passwd",
        "group",
        "nsswitch.conf",
        "hosts",
        "host.conf",
        "protocols",
        "services",
        "mime.types",
        "os-release",
        "debian_version",
        "ssl/certs",
        "ssl/openssl.cnf",
        "pki/tls/certs",
        "pki/ca-trust",
        "ca-certificates",
        "gitconfig",
        "inputrc",
        "fonts",
    )
)
"""World-readable files that libraries look at; nothing secret lives in them."""

DEVICES = tuple(Path("/dev") / name for name in ("null", "zero", "full", "random", "urandom"))

FACTS = tuple(
    map(
        Path,
        (
            "/proc/cpuinfo",
            "/proc/meminfo",
            "/proc/stat",
            "/proc/loadavg",
            "/proc/uptime",
            "/proc/version",
            "/proc/filesystems",
            "/proc/sys/kernel",
            "/proc/sys/vm",
            "/proc/sys/fs",
            "/sys/devices/system/cpu",
        ),
    )
)
"""What runtimes ask the machine about; no processes among them."""


def interpreter() -> tuple[Path, ...]:
    """What this Python itself needs, wherever it is installed (a venv, pyenv, uv): never its parents."""
    prefixes = [Path(p) for p in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)]
    venv = Path(sys.executable).parent.parent
    if (venv / "pyvenv.cfg").is_file():
        prefixes.append(venv)  # `python -S` does not know that it runs in one
    return tuple(dict.fromkeys(prefixes))


def closed_to_others(path: Path) -> Path | None:
    """The first folder on the way to `path` that a user who owns nothing cannot pass; None when all are open.

    Every link on the way counts, as a venv's `bin/python` is a chain of them.
    """
    for hop in _hops(path):
        for folder in reversed(hop.parents):
            if not folder.stat().st_mode & stat.S_IXOTH:
                return folder
    return None


def _hops(path: Path) -> list[Path]:
    hops = [Path(os.path.abspath(path))]
    while hops[-1].is_symlink() and len(hops) < 40:
        hops.append(Path(os.path.normpath(hops[-1].parent / os.readlink(hops[-1]))))
    return [*hops, hops[-1].resolve()]
