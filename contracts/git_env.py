"""How git is called: with nothing of the machine's or the user's settings, hooks or filters.

A repository is somebody's data. Configuration files, hooks, fsmonitor programs, filters, signing and
replacement refs can all make git run a program or show other content, so every call shuts them off; what
the repository's own configuration still says cannot start a program with these options. Content is never
converted: the worktree holds the blobs' bytes (`ATTRIBUTES` in a run's `info/attributes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

IDENTITY = ("Podium", "podium@localhost")
"""Name and address of author and committer."""

ENVIRONMENT: Mapping[str, str] = {
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",  # `status` must not rewrite an index
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ALLOW_PROTOCOL": "file",
    "GIT_ADVICE": "0",
    "GIT_EDITOR": "false",
    "GIT_AUTHOR_NAME": IDENTITY[0],
    "GIT_AUTHOR_EMAIL": IDENTITY[1],
    "GIT_COMMITTER_NAME": IDENTITY[0],
    "GIT_COMMITTER_EMAIL": IDENTITY[1],
}

SETTINGS: Mapping[str, str] = {
    "safe.directory": "*",  # ownership is asked once, at intake, under the user's own settings
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.quotePath": "false",
    "core.pager": "cat",
    "core.precomposeUnicode": "false",
    "commit.gpgSign": "false",
    "log.showSignature": "false",
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
    "diff.algorithm": "default",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "pack.threads": "1",  # with more, the same objects can make different packs
    "protocol.version": "2",
    "protocol.allow": "never",
    "protocol.file.allow": "always",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.writeCommitGraph": "false",
}

DEPTH = 100
"""Commits of history that a copy gets."""

ATTRIBUTES = "* -text -filter -ident -working-tree-encoding !diff !merge !export-subst\n"
"""`info/attributes` of a run's repository: above any `.gitattributes` of the tree."""


def branch_name(run: str) -> str:
    """The branch a run's result is on."""
    return f"podium/{run}"


def git_command(*args: str, path: str, extra: Mapping[str, str] | None = None) -> list[str]:
    """The argument vector that runs `git args` in exactly this environment.

    `path` is the PATH git and its helpers are found on; `extra` adds variables. `env -i` is used because
    GitPython can add to the caller's environment but not take from it, and a `GIT_DIR` or
    `GIT_CONFIG_COUNT` left there (Podium started from a hook) would redirect every call.
    """
    variables = {**ENVIRONMENT, **(extra or {}), "PATH": path}
    options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    return ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), "git", *options, *args]


def upload_pack() -> str:
    """The `--upload-pack` program for a fetch from a local repository.

    git takes `-c` settings away from the upload-pack it starts, so they are said again.
    """
    return "git -c safe.directory=* -c uploadpack.allowAnySHA1InWant=true upload-pack"


def init_copy(target: Path, object_format: str) -> tuple[str, ...]:
    """The arguments of git that make `target` an empty bare repository for a copy."""
    return (
        *("init", "--quiet", "--bare", "--template=", "--initial-branch=none"),
        *(f"--object-format={object_format}", str(target)),
    )


def fetch_copy(root: Path, commit: str, ref: str) -> tuple[str, ...]:
    """The arguments of git that bring `commit` of the repository at `root` into a copy, as `ref`.

    As from a stranger: no hard links (a writer could alter the person's objects through them), no tags, and only the
    last `DEPTH` commits. Nothing is written at `root`.
    """
    return (
        *("fetch", "--quiet", f"--depth={DEPTH}", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"),
        *("--no-recurse-submodules", f"--upload-pack={upload_pack()}", root.as_uri(), f"+{commit}:{ref}"),
    )
