"""Programs from npm that tests run, with a Node of their own: what a folder's package-lock.json pins, and nothing else.

They are kept outside the repository, in the user's cache, in a folder named after the lock's digest.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import platformdirs

_INSTALL_S = 300
_CPU = {"x86_64": "x64", "aarch64": "arm64"}


class NpmError(Exception):
    """The programs are not to be had here; the message says why and what to do."""


@dataclass(frozen=True)
class Packages:
    """An installed `node_modules`."""

    folder: Path

    @property
    def node(self) -> Path:
        """The Node interpreter that the lock pins for this machine."""
        return self.folder / f"node-linux-{_CPU.get(platform.machine(), platform.machine())}/bin/node"


def installed(project: Path) -> Packages:
    """The packages that `project`'s lock pins, installed if they are not there yet.

    No package's install script is run: it could fetch what the lock does not pin.

    Raises:
        NpmError: npm is missing, failed, or has no Node for this machine.
    """
    manifest, lock = project / "package.json", project / "package-lock.json"
    digest = sha256(manifest.read_bytes() + lock.read_bytes()).hexdigest()[:16]
    home = platformdirs.user_cache_path("podium") / "npm" / digest
    if not home.exists():
        _install(manifest, lock, home)
    packages = Packages(home / "node_modules")
    if not packages.node.exists():
        raise NpmError(f"{lock} pins no Node for {platform.machine()}; add its node-linux-… package to {manifest}")
    return packages


def _install(manifest: Path, lock: Path, home: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NpmError(f"expected npm on the PATH to install what {lock} pins, found none; install Node.js with npm")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".new-") as made:
        complete = Path(made) / "complete"
        complete.mkdir()
        shutil.copy(manifest, complete)
        shutil.copy(lock, complete)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=complete, capture_output=True, text=True, timeout=_INSTALL_S, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise NpmError(
                f"npm did not install what {lock} pins within {_INSTALL_S} s; is a registry within reach?"
            ) from late
        if done.returncode != 0:
            raise NpmError(
                f"npm could not install what {lock} pins; is a registry within reach?\n{done.stderr[-4000:]}"
            )
        try:
            os.rename(complete, home)
        except OSError:
            if not home.exists():  # another process was first, and its installation is as good
                raise
