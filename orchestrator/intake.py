"""Brings a person's repository in: a bare copy for the run, without touching theirs.

`work/<run>/repo.git` is fetched from the user's repository as from a stranger's (`contracts.git_env.fetch_copy`).
Nothing is written to the user's checkout, index, refs or configuration, and no worktree of theirs knows of the run.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import sys
import tomllib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from bus.crash import crash_point
from contracts.git_env import branch_name, fetch_copy, git_command, init_copy
from contracts.run_settings import PytestConfig
from orchestrator.pytest_config import pytest_config

BASE_REF = "refs/podium/base"


class IntakeError(Exception):
    """The repository cannot be worked on; `way_out` is what the person can do."""

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.message} {self.way_out}"


@dataclass(frozen=True)
class Intake:
    """What was brought in. `dirty` are paths whose uncommitted state stays behind, as the submodules do."""

    root: Path
    """Top of the user's checkout."""
    base: str
    """Commit the run starts from."""
    branch: str
    dirty: tuple[str, ...]
    submodules: tuple[str, ...]
    shallow: bool
    """Whether the user's own repository lacks older history."""
    python: Path | None
    """The project's interpreter, where one is found; a virtual environment's link, not what it points to."""
    pytest: PytestConfig
    """What configures pytest at `base`."""


def intake(repo: Path, run: str, work: Path, base: str = "HEAD") -> Intake:
    """Make `work/<run>/repo.git` from the repository that holds `repo`; done again, it finds it.

    Raises:
        IntakeError: no repository, or none that can be worked on, or no such base.
    """
    root = _root(repo)
    commit = _base(root, base)
    made = Intake(
        root=root,
        base=commit,
        branch=branch_name(run),
        dirty=_dirty(root),
        submodules=_submodules(root, commit),
        shallow=run_git(root, "rev-parse", "--is-shallow-repository").strip() == b"true",
        python=find_python(root),
        pytest=pytest_config(partial(_text, root, commit)),
    )
    _copy(root, commit, work / run)
    return made


def find_checkout(repo: Path) -> Path:
    """The top of the checkout that holds `repo`.

    Raises:
        IntakeError: there is none, or it has no commit.
    """
    root = _root(repo)
    _base(root, "HEAD")
    return root


def ignore_file(root: Path) -> Path | None:
    """The file with the patterns this person has git ignore everywhere, if there is one (gitignore(5))."""
    _, out, _ = _ask(root, "config", "--get", "--type=path", "core.excludesFile")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    file = Path(os.fsdecode(out.removesuffix(b"\n"))) if out else config / "git/ignore"
    return file if file.is_file() else None


def find_python(root: Path) -> Path | None:
    """The interpreter named in podium.toml (`[test] python`), of `.venv` or `venv`, or of VIRTUAL_ENV.

    Raises:
        IntakeError: podium.toml is broken, or names no program.
    """
    named = _configured_python(root / "podium.toml")
    if named:
        python = root / Path(named).expanduser()
        if not os.access(python, os.X_OK) or python.is_dir():
            raise IntakeError(f"podium.toml names {python} as [test] python, which is no program.", "Correct it.")
        return python
    active = os.environ.get("VIRTUAL_ENV")
    for folder in (root / ".venv", root / "venv", *([Path(active)] if active else [])):
        python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        if python.is_file() and os.access(python, os.X_OK):
            return python
    return None


def run_git(folder: Path, *args: str) -> bytes:
    """What `git args` prints in `folder`, in the clean environment.

    Raises:
        IntakeError: it failed; the message is git's own.
    """
    command = git_command("-C", str(folder), *args, path=os.environ.get("PATH", os.defpath))
    status, out, error = _execute(command)
    if status:
        raise IntakeError(f"git {args[0]} in {folder}: {error.strip()}", "See whether `git fsck` is content with it.")
    return out


def git_answers(folder: Path, *args: str) -> bool:
    """Whether `git args` ends with status 0."""
    return _execute(git_command("-C", str(folder), *args, path=os.environ.get("PATH", os.defpath)))[0] == 0


def _root(repo: Path) -> Path:
    if not shutil.which("git"):
        raise IntakeError("git is not installed (no `git` on PATH).", "Install git 2.35 or newer and try again.")
    if not repo.is_dir():
        raise IntakeError(f"{repo} is not a folder.", "Give the path of a git checkout with --repo.")
    status, out, error = _ask(repo, "rev-parse", "--is-bare-repository", "--is-inside-work-tree")
    if "dubious ownership" in error:
        raise IntakeError(
            f"{repo} belongs to somebody else, and git does not trust it.",
            f"If you do: git config --global --add safe.directory '{repo.resolve()}'",
        )
    if status:
        raise IntakeError(
            f"{repo} is not in a git repository ({error.strip()}).", "Run `git init` and commit there, or give --repo."
        )
    if out.split() != [b"false", b"true"]:
        raise IntakeError(f"{repo} is a bare repository or inside .git.", "Give the path of a checkout of it.")
    status, out, error = _ask(repo, "rev-parse", "--show-toplevel")
    if status:
        raise IntakeError(f"{repo} has no checkout: {error.strip()}", "Give the path of a checkout.")
    return Path(os.fsdecode(out.removesuffix(b"\n")))


def _ask(repo: Path, *args: str) -> tuple[int, bytes, str]:
    """git under the user's own settings: whether they trust this repository is theirs to say (safe.directory)."""
    own = {name: os.environ[name] for name in ("HOME", "XDG_CONFIG_HOME", "SUDO_UID", "PATH") if name in os.environ}
    return _execute(
        ["env", "-i", "LC_ALL=C", *(f"{name}={value}" for name, value in own.items()), "git", "-C", str(repo), *args]
    )


def _base(root: Path, base: str) -> str:
    name = f"{base}^{{commit}}"
    if git_answers(root, "rev-parse", "--verify", "--quiet", "--end-of-options", name):
        return run_git(root, "rev-parse", "--verify", "--end-of-options", name).decode().strip()
    if not run_git(root, "rev-list", "--all", "--max-count=1").strip():
        raise IntakeError(f"{root} has no commits yet.", "Commit something first: a run starts from a commit.")
    raise IntakeError(f"{root} has no commit {base!r}.", "Name a branch, tag or commit with --base; see `git log`.")


def _dirty(root: Path) -> tuple[str, ...]:
    listed = run_git(root, "status", "--porcelain=v1", "-z", "--no-renames", "--ignore-submodules=dirty")
    return tuple(os.fsdecode(entry[3:]) for entry in listed.split(b"\0") if entry)


def _submodules(root: Path, commit: str) -> tuple[str, ...]:
    listed = run_git(root, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")
    return tuple(os.fsdecode(entry.split(b"\t", 1)[1]) for entry in listed if entry.startswith(b"160000 "))


def _text(root: Path, commit: str, name: str, links: int = 5) -> str | None:
    """A file of a commit's tree, or what it links to there, over so many links; None where there is none."""
    mode, _, rest = run_git(root, "ls-tree", "--full-tree", commit, "--", name).partition(b" ")
    if not rest.startswith(b"blob"):
        return None
    content = run_git(root, "cat-file", "blob", f"{commit}:{name}")
    if mode != b"120000":
        return content.decode(errors="replace")
    to = posixpath.normpath(posixpath.join(posixpath.dirname(name), os.fsdecode(content)))
    return _text(root, commit, to, links - 1) if links and not to.startswith(("/", "..")) else None


def _copy(root: Path, commit: str, folder: Path) -> None:
    """Fetch into `repo.git.new` and rename, so that `repo.git` is complete whenever it exists."""
    target, fresh = folder / "repo.git", folder / "repo.git.new"
    if target.exists():
        found = run_git(target, "rev-parse", "--verify", BASE_REF).decode().strip()
        if found != commit:
            raise IntakeError(f"{folder.name} was started from {found}, not from {commit}.", "Start a new run.")
        return
    if fresh.exists():
        shutil.rmtree(fresh)
    folder.mkdir(parents=True, exist_ok=True)
    form = run_git(root, "rev-parse", "--show-object-format").decode().strip()
    run_git(folder, *init_copy(fresh, form))
    run_git(fresh, *fetch_copy(root, commit, BASE_REF))
    crash_point("intake.before_rename")
    fresh.rename(target)
    crash_point("intake.after_rename")


def _configured_python(file: Path) -> str:
    try:
        settings: dict[str, object] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise IntakeError(f"{file} cannot be read: {error}.", "Correct it.") from error
    test = settings.get("test", {})
    python = cast("dict[str, object]", test).get("python", "") if isinstance(test, dict) else test
    if not isinstance(python, str):
        raise IntakeError(f"{file}: [test] python is to be a path, found {python!r}.", "Correct it.")
    return python


def _execute(command: list[str]) -> tuple[int, bytes, str]:
    # Here, not at the top: GitPython looks for git when it is imported, and `podium --help` needs neither.
    from git import Git

    return Git().execute(
        command,
        with_extended_output=True,
        with_exceptions=False,
        stdout_as_string=False,
        strip_newline_in_stdout=False,
    )
