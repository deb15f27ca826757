"""repository: read a run's tree — never write it, never leave it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
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
    MapParams,
    MapResult,
    Match,
    OutlineParams,
    OutlineResult,
    ReadParams,
    ReadResult,
    SearchParams,
    SearchResult,
    SimilarCode,
    SimilarParams,
    SimilarResult,
    Symbol,
)
from servers.git_env import git_output, git_process
from servers.outline import definitions
from servers.reading.alike import alike, written
from servers.reading.chart import chart
from servers.reading.pages import PYTHON, look
from servers.reading.relevance import relevance, weights
from servers.specialist import Call, Room, ToolError, tool
from servers.tree_files import components, read, shown, text_of

MAX_FILE_BYTES = 8 << 20
MAX_OUTLINE_BYTES = 2 << 20
MAX_SIMILAR_CHARS = 8000
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
        where = ("--", *_globbed(params.glob))
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
        paths = _files(await _tracked(tree, params.path))
        if paths != [params.path]:
            paths = [path for path in paths if path.endswith(PYTHON)]
        return await to_thread.run_sync(_outline, tree, paths, params.limit)

    @tool(read_only=True)
    async def map(self, params: MapParams, call: Call) -> MapResult:
        """Show the repository in short: files and their definitions with line numbers, what `words` are about first.

        Files that import or are imported by what matters count too. Definitions are shown of Python only; of other
        files path and size. What does not fit in is listed as bare paths, and what does not fit there is counted.
        """
        tree = self._room.tree(params.run)
        paths = _files(await _tracked(tree))
        return await to_thread.run_sync(_map, tree, paths, params)

    @tool(read_only=True)
    async def similar(self, params: SimilarParams, call: Call) -> SimilarResult:
        """Find the functions, methods and classes (Python) most like some code or words.

        Scores are cosines of words weighed by rarity, for code also of its structure. A text begins with its
        decorators, and so does `line`. Of a class and its method only the more similar is given.
        """
        tree = self._room.tree(params.run)
        listed = await _listed(tree, *_globbed(params.glob))
        paths = [path for path in _files(listed) if path.endswith(PYTHON)]
        return await to_thread.run_sync(_similar, tree, paths, params)

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


async def _tracked(tree: Path, under: str = "") -> list[tuple[bytes, str]]:
    """Mode and path of everything in the index at or below `under`, in path order."""
    return await _listed(tree, *((f":(literal){_inside(under)}",) if under else ()))


async def _listed(tree: Path, *where: str) -> list[tuple[bytes, str]]:
    """Mode and path of everything in the index that a pathspec of `where` matches, in path order."""
    listed = await git_output(tree, "ls-files", "-z", "--stage", "--", *where)
    return [(entry[:6], os.fsdecode(entry.split(b"\t", 1)[1])) for entry in listed.split(b"\0") if entry]


def _globbed(glob: str) -> tuple[str, ...]:
    """The pathspec of a `glob` parameter; empty for none.

    Raises:
        ToolError: invalid, when it leads out of the tree.
    """
    if ".." in glob.split("/") or glob.startswith("/"):
        raise ToolError("invalid", f"a glob of paths inside the tree is expected, found {glob!r}")
    return (f":(glob){glob if '/' in glob else f'**/{glob}'}",) if glob else ()


def _files(entries: Sequence[tuple[bytes, str]]) -> list[str]:
    """Paths of the regular files among index entries."""
    return [path for mode, path in entries if mode.startswith(b"100")]


def _inside(path: str) -> str:
    return "/".join(components(path.removesuffix("/")))


def _entry(tree: Path, mode: bytes, path: str) -> FileEntry:
    kind = _KINDS.get(mode, "file")
    try:
        size = 0 if kind == "submodule" else os.lstat(tree / path).st_size
    except OSError:
        size = 0
    return FileEntry.model_validate({"path": shown(path), "bytes": size, "kind": kind})


def _match(found: re.Match[bytes]) -> Match:
    text = found[3].decode(errors="replace")
    return Match(path=shown(os.fsdecode(found[1])), line=int(found[2]), text=text[:500])


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
            skipped.append(shown(path))
        for each in found or ():
            symbols.append(
                Symbol(path=shown(path), line=each.line, end_line=each.end_line, kind=each.kind, name=each.name)
            )
    return OutlineResult(symbols=tuple(symbols[:limit]), skipped=tuple(skipped), truncated=len(symbols) > limit)


def _map(tree: Path, paths: list[str], params: MapParams) -> MapResult:
    looked = look(tree, paths)
    weight = weights(params.words, looked.pages)
    scores = relevance(weight, looked.pages)
    order = sorted(range(len(scores)), key=lambda number: (-round(scores[number], 9), looked.pages[number].path))
    note = f"{looked.unread} were not looked into: too much text." if looked.unread else ""
    made = chart([looked.pages[number] for number in order], weight, params.tokens, note)
    return MapResult(text=made.text, files=made.paths, total_files=len(looked.pages))


def _similar(tree: Path, paths: list[str], params: SimilarParams) -> SimilarResult:
    found = alike(params.like, written(look(tree, paths).pages), params.limit)
    return SimilarResult(
        found=tuple(
            SimilarCode(
                path=each.path,
                name=each.declared.definition.name,
                line=each.first,
                end_line=each.last,
                score=round(score, 4),
                text=each.text[:MAX_SIMILAR_CHARS],
            )
            for score, each in found
        )
    )


def _time(seconds: str) -> datetime:
    # A commit can claim any date, also one that does not exist.
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
