"""repository: read a run's tree — never write it, never leave it."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import anyio
from anyio import to_thread

from contracts import diff
from contracts.manifest import Manifest
from contracts.repository import (
    Commit,
    FileEntry,
    HistoryParams,
    HistoryResult,
    ListParams,
    ListResult,
    Match,
    OutlineParams,
    OutlineResult,
    ReadParams,
    ReadResult,
    SearchParams,
    SearchResult,
    Symbol,
)
from servers.git_env import git_output, git_process
from servers.outline import definitions
from servers.specialist import Call, Room, ToolError, tool
from servers.tree_files import components, read, text_of

MAX_FILE_BYTES = 8 << 20
MAX_OUTLINE_BYTES = 2 << 20
SEARCH_S = 30.0
OUTLINE_S = 20.0

_KINDS = {b"120000": "symlink", b"160000": "submodule"}
_MATCH = re.compile(rb"([^\0]+)\0([0-9]+)\0([^\n]*)\n")


class Repository:
    """Files, text, definitions and history of the run's worktree."""

    manifest: ClassVar[Manifest] = Manifest(
        name="repository",
        title="Repository",
        description="Reads the run's tree: files, text, definitions (Python), history. It cannot write.",
        scopes=("work:read",),
    )

    def __init__(self, room: Room) -> None:
        self._room = room

    @tool(read_only=True)
    async def list(self, params: ListParams, call: Call) -> ListResult:
        """List the files git tracks, with their sizes."""
        tree = self._room.tree(params.run)
        entries = await _tracked(tree, params.under)
        sized = await to_thread.run_sync(lambda: tuple(_entry(tree, *each) for each in entries[: params.limit]))
        return ListResult(files=sized, total=len(entries))

    @tool(read_only=True)
    async def read(self, params: ReadParams, call: Call) -> ReadResult:
        """Read lines of a text file as they stand. Symbolic links are not followed."""
        tree = self._room.tree(params.run)
        if ".git" in components(params.path):
            raise ToolError("invalid", f"{params.path} is git's own")
        data = await to_thread.run_sync(read, tree, params.path, MAX_FILE_BYTES)
        lines = diff.split(text_of(data, params.path))
        first = params.first_line - 1
        text = "".join(lines[first : first + params.lines])
        return ReadResult(text=text, first_line=params.first_line, total_lines=len(lines))

    @tool(read_only=True)
    async def search(self, params: SearchParams, call: Call) -> SearchResult:
        """Find a regular expression (PCRE2) or a literal in the tracked text files, line by line."""
        options = ["--fixed-strings" if params.literal else "--perl-regexp"]
        if params.ignore_case:
            options.append("--ignore-case")
        glob = params.glob if "/" in params.glob or not params.glob else f"**/{params.glob}"
        where = ["--", f":(glob){glob}"] if glob else []
        command = ("grep", "-z", "-n", "-I", "--no-color", "--full-name", *options, "-e", params.pattern, *where)
        matches = list[Match]()
        rest = b""
        with anyio.move_on_after(SEARCH_S) as deadline:
            async with git_process(self._room.tree(params.run), *command) as process:
                assert process.stdout is not None
                assert process.stderr is not None
                async for chunk in process.stdout:
                    rest += chunk
                    end = 0
                    for found in _MATCH.finditer(rest):
                        end = found.end()
                        matches.append(_match(found))
                    rest = rest[end:]
                    if len(matches) > params.limit:
                        return SearchResult(matches=tuple(matches[: params.limit]), truncated=True)
                    if len(rest) > MAX_FILE_BYTES:
                        raise ToolError("limit", f"a line that matches has more than {MAX_FILE_BYTES} bytes")
                error = b"".join([chunk async for chunk in process.stderr]).decode(errors="replace").strip()
                # 0: found, 1: not found.
                if await process.wait() > 1:
                    raise ToolError("invalid", f"the search failed: {error}", way_out="Simplify the pattern.")
        if deadline.cancelled_caught:
            raise ToolError("timeout", f"the search took over {SEARCH_S:g} s", way_out="Simplify the pattern.")
        return SearchResult(matches=tuple(matches), truncated=False)

    @tool(read_only=True)
    async def outline(self, params: OutlineParams, call: Call) -> OutlineResult:
        """List classes, functions and methods of Python files; other languages are not outlined."""
        tree = self._room.tree(params.run)
        paths = [path for mode, path in await _tracked(tree, params.path) if mode.startswith(b"100")]
        if paths != [params.path]:
            paths = [path for path in paths if path.endswith((".py", ".pyi"))]
        return await to_thread.run_sync(_outline, tree, paths, params.limit)

    @tool(read_only=True)
    async def history(self, params: HistoryParams, call: Call) -> HistoryResult:
        """List the commits that touched a file or folder, newest first."""
        tree = self._room.tree(params.run)
        where = ("--", _inside(params.path)) if params.path else ("--",)
        form = "--format=%H%x00%an%x00%at%x00%s"
        printed = await git_output(tree, "--literal-pathspecs", "log", "-z", form, f"-{params.limit}", *where)
        fields = [field.decode(errors="replace") for field in printed.removesuffix(b"\0").split(b"\0")]
        commits = (
            tuple(
                Commit(sha=sha, author=author, authored_at=_time(at), subject=subject)
                for sha, author, at, subject in zip(*[iter(fields)] * 4, strict=True)
            )
            if printed
            else ()
        )
        shallow = await git_output(tree, "rev-parse", "--is-shallow-repository")
        return HistoryResult(commits=commits, shallow=shallow.strip() == b"true")


async def _tracked(tree: Path, under: str) -> list[tuple[bytes, str]]:
    """Mode and path of everything in the index, in path order."""
    where = ("--", _inside(under)) if under else ()
    listed = await git_output(tree, "--literal-pathspecs", "ls-files", "-z", "--stage", *where)
    return [(entry[:6], os.fsdecode(entry.split(b"\t", 1)[1])) for entry in listed.split(b"\0") if entry]


def _inside(path: str) -> str:
    return "/".join(components(path.removesuffix("/")))


def _entry(tree: Path, mode: bytes, path: str) -> FileEntry:
    kind = _KINDS.get(mode, "file")
    try:
        size = 0 if kind == "submodule" else os.lstat(tree / path).st_size
    except OSError:
        size = 0
    return FileEntry.model_validate({"path": _shown(path), "bytes": size, "kind": kind})


def _match(found: re.Match[bytes]) -> Match:
    text = found[3].decode(errors="replace")
    return Match(path=_shown(os.fsdecode(found[1])), line=int(found[2]), text=text[:500])


def _outline(tree: Path, paths: list[str], limit: int) -> OutlineResult:
    symbols, skipped, end = list[Symbol](), list[str](), time.monotonic() + OUTLINE_S
    for path in paths:
        if len(symbols) > limit or time.monotonic() > end:
            return OutlineResult(symbols=tuple(symbols[:limit]), skipped=tuple(skipped), truncated=True)
        try:
            found = definitions(text_of(read(tree, path, MAX_OUTLINE_BYTES), path))
        except ToolError:
            found = None
        if found is None:
            skipped.append(_shown(path))
        for each in found or ():
            symbols.append(
                Symbol(path=_shown(path), line=each.line, end_line=each.end_line, kind=each.kind, name=each.name)
            )
    return OutlineResult(symbols=tuple(symbols[:limit]), skipped=tuple(skipped), truncated=len(symbols) > limit)


def _shown(path: str) -> str:
    """`path` as valid text; bytes that are not UTF-8 are escaped, and such a file cannot be asked for."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _time(seconds: str) -> datetime:
    # A commit can claim any date, also one that does not exist.
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
