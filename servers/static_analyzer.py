"""static_analyzer: findings, fixes and formatting by ruff, in the sandbox, on a scratch copy.

The project's own ruff configuration in the tree counts; it is data. Nothing outside the tree does: an empty
`ruff.toml` above the copy ends ruff's search for one, and inside the sandbox there is no home.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import ruff  # pyright: ignore[reportMissingTypeStubs] - the package ships none
from anyio import to_thread
from pydantic import BaseModel, TypeAdapter, ValidationError

from contracts import diff
from contracts.manifest import Manifest
from contracts.sandbox import Limits
from contracts.static_analyzer import CheckParams, CheckResult, EditResult, Finding, FixParams, FormatParams
from servers.sandbox.job import Finished, Job, SandboxUnavailable
from servers.specialist import Call, Room, ToolError, tool
from servers.testing.scratch import scratch_copy
from servers.tree_files import folder_of, read, text_of

LIMITS = Limits(wall_s=120, cpu_s=120, memory_bytes=1 << 30, processes=64, output_bytes=64 << 10)
MAX_REPORT_BYTES = 64 << 20
MAX_FILE_BYTES = 8 << 20
MAX_FINDINGS = 5000

_SOURCES = (".py", ".pyi", ".ipynb")
_REPORT = "findings.json"


class _Place(BaseModel):
    row: int
    column: int


class _Reported(BaseModel):
    """One entry of `ruff check --output-format=json`, as far as it is used."""

    code: str | None
    message: str
    filename: str
    location: _Place
    severity: Literal["error", "warning", "info", "help", "fatal"] = "error"


_REPORTED = TypeAdapter(tuple[_Reported, ...])
_LEVELS: dict[str, Literal["error", "warning", "note"]] = {"warning": "warning", "info": "note", "help": "note"}


class StaticAnalyzer:
    """ruff on the run's tree."""

    manifest: ClassVar[Manifest] = Manifest(
        name="static_analyzer",
        title="Static analyzer",
        description="Checks, fixes and formats Python with ruff, in the sandbox; edits come back as diffs.",
        scopes=("work:read", "sandbox:run"),
    )

    def __init__(self, room: Room) -> None:
        self._room = room

    @tool(read_only=True)
    async def check(self, params: CheckParams, call: Call) -> CheckResult:
        """Check Python files with ruff, under the project's own configuration."""
        async with self._copy(params.run, params.paths) as copy:
            report = copy.home / _REPORT
            done = await self._ruff(copy, "check", "--no-fix", "--output-format=json", f"--output-file={report}")
            raw = await to_thread.run_sync(read, copy.home, _REPORT, MAX_REPORT_BYTES)
        try:
            reported = _REPORTED.validate_json(raw)
        except ValidationError as error:
            raise ToolError("internal", f"ruff's report is not what it was: {error}") from error
        found = sorted(_findings(reported, copy.tree), key=lambda each: (each.path, each.line, each.column))
        return CheckResult(tool="ruff", findings=tuple(found[:MAX_FINDINGS]), total=len(found), sandbox=done.report)

    @tool(read_only=True)
    async def fix(self, params: FixParams, call: Call) -> EditResult:
        """Fix what ruff can fix safely; the change comes back as a diff, nothing is written."""
        async with self._copy(params.run, params.paths) as copy:
            done = await self._ruff(copy, "check", "--fix-only", "--no-unsafe-fixes")
            return await to_thread.run_sync(_edits, self._room.tree(params.run), copy, done)

    @tool(read_only=True)
    async def format(self, params: FormatParams, call: Call) -> EditResult:
        """Format Python files with ruff; the change comes back as a diff, nothing is written."""
        async with self._copy(params.run, params.paths) as copy:
            done = await self._ruff(copy, "format")
            return await to_thread.run_sync(_edits, self._room.tree(params.run), copy, done)

    @asynccontextmanager
    async def _copy(self, run: str, paths: tuple[str, ...]) -> AsyncGenerator[_Copy]:
        tree = self._room.tree(run)
        for path in paths:
            _check_path(tree, path)
        async with scratch_copy(tree, self._room.scratch) as home:
            (home / "ruff.toml").touch()
            yield _Copy(home, home / "tree", paths)

    async def _ruff(self, copy: _Copy, command: str, *options: str) -> Finished:
        program = Path(ruff.find_ruff_bin())
        always = ("--no-cache", "--force-exclude", *(("--exit-zero",) if command == "check" else ()))
        # `./` keeps a name that begins with a dash from being an option, and `@` from naming a list of arguments.
        where = tuple(f"./{path}" for path in copy.paths) or (".",)
        job = Job(
            argv=(str(program), command, *always, *options, "--", *where),
            scratch=copy.home,
            cwd="tree",
            read_only=(program,),
            env={"NO_COLOR": "1", "RAYON_NUM_THREADS": "2", "LC_ALL": "C.UTF-8"},
            limits=LIMITS,
        )
        try:
            done = await self._room.sandbox.run(job)
        except SandboxUnavailable as error:
            raise ToolError("unavailable", str(error), way_out="See `podium doctor`.") from error
        said = done.output.decode(errors="replace").replace(str(copy.tree) + "/", "").strip()[-2000:]
        if done.report.ended != "exited":
            raise ToolError("limit", f"ruff was stopped ({done.report.ended}): {said}")
        if done.returncode:
            raise ToolError("invalid", f"ruff {command} could not do it: {said}")
        return done


@dataclass(frozen=True)
class _Copy:
    """A scratch copy: `home` is the job's, `tree` the project in it, `paths` what was asked for."""

    home: Path
    tree: Path
    paths: tuple[str, ...]


def _check_path(tree: Path, path: str) -> None:
    """Refuse what does not exist, lies outside or is a link."""
    with folder_of(tree, path.rstrip("/")) as (folder, name):
        try:
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        except FileNotFoundError as error:
            raise ToolError("not_found", f"{path} does not exist") from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ToolError("invalid", f"{path} is neither a file nor a folder")


def _findings(reported: tuple[_Reported, ...], tree: Path) -> Iterator[Finding]:
    for each in reported:
        path = Path(each.filename)
        if path.is_relative_to(tree):
            yield Finding(
                rule=each.code or "invalid-syntax",
                level=_LEVELS.get(each.severity, "error"),
                message=each.message,
                path=path.relative_to(tree).as_posix(),
                line=max(each.location.row, 1),
                column=max(each.location.column, 1),
            )


def _edits(tree: Path, copy: _Copy, done: Finished) -> EditResult:
    """What differs between the tree and the copy ruff worked on, in files it may have changed."""
    changed: dict[str, str] = {}
    for path in sorted(_touched(tree, copy)):
        old = text_of(read(tree, path, MAX_FILE_BYTES), path)
        new = text_of(read(copy.tree, path, MAX_FILE_BYTES), path)
        if text := diff.make(path, old, new):
            changed[path] = text
    return EditResult(diff="".join(changed.values()), files=tuple(changed), sandbox=done.report)


def _touched(tree: Path, copy: _Copy) -> Iterator[str]:
    """Source files below the paths asked for whose size or time is no longer that of the original."""
    for folder, _, names in os.walk(tree):
        for name in names:
            file = Path(folder, name)
            path = file.relative_to(tree).as_posix()
            asked = not copy.paths or any(f"{path}/".startswith(f"{each.rstrip('/')}/") for each in copy.paths)
            if not asked or file.suffix not in _SOURCES:
                continue
            try:
                before, after = file.lstat(), (copy.tree / path).lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(before.st_mode) and (before.st_size, before.st_mtime_ns) != (
                after.st_size,
                after.st_mtime_ns,
            ):
                yield path
