"""Runs' trees on a machine where the runs are not: what `workspace.pack` gives, as handlers expect to find it.

A call gets the tree as it is when the call begins. Trees are told apart by their ids, which are digests of all that is
in them, so a mirror of one never changes and calls that want the same one share it. Objects are kept for later calls,
of all runs: what was sent once is not sent again.

All of it lies in the member's own scratch folder, which is empty whenever a member starts. So whatever was killed at
work here is done over.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from contracts.base import Model, sha256
from contracts.git_env import ATTRIBUTES, init_copy
from contracts.run_settings import RunSettings
from contracts.workspace import PackParams, PackResult
from servers.git_env import git_output
from servers.specialist import Call, Crew, Tool, ToolError
from servers.throwaway import remove_tree

KEPT_TREES = 8
"""Mirrors that lie here although no call uses them."""

KNOWN_TREES = 64
"""Trees that the workspace is told of, newest first; what they have in common with another one is not sent."""

MAX_OBJECT_BYTES = 1 << 30
MAX_PACKS = 200
"""When the objects have become more than either, they begin anew."""

IDLE_S = 1800.0
"""All of it goes this long after the last call, or up to twice as long: nobody tells that a run has ended."""


class Mirrors:
    """The trees of runs, below a folder of their own."""

    def __init__(self, at: Path, crew: Crew, python: Path | None = None, *, idle_s: float = IDLE_S) -> None:
        """`python` runs projects' tests in place of the interpreter that their settings name."""
        self.work = at / "work"
        """What `Room.work` is to handlers: `<name>/tree` and `<name>/settings.json`."""
        self._at = at
        self._objects = at / "objects.git"
        self._crew = crew
        self._python = python
        self._idle_s = idle_s
        self._turn = anyio.Lock()
        self._known: list[str] = []
        self._in_use = Counter[str]()
        self._kept: dict[str, None] = {}
        self._used_at = 0.0

    def around(self, tool: Tool) -> Tool:
        """The tool, with the run that it is asked about replaced by its mirror; as it is, where it is not about one."""
        if "run" not in tool.params.model_fields:
            return tool

        async def on_the_mirror(params: Any, call: Call) -> Model:
            async with self.now(params.run, call) as name:
                return await tool.handler(params.model_copy(update={"run": name}), call)

        return replace(tool, handler=on_the_mirror)

    @asynccontextmanager
    async def now(self, run: str, call: Call) -> AsyncGenerator[str]:
        """The tree of `run` as it is now, below `work` under the name given; it stays as it is while the block runs.

        Raises:
            ToolError: the workspace's own failure; internal, when what it gave is not the tree it names.
        """
        async with self._turn:
            asked = PackParams(run=run, have=tuple(self._known))
            packed = await self._crew.call("workspace.pack", asked, PackResult, parent=call)
            name = await self._mirrored(packed)
            self._in_use[name] += 1
        try:
            yield name
        finally:
            self._in_use[name] -= 1
            self._used_at = anyio.current_time()

    async def forget_when_idle(self) -> None:
        """Remove all that is here whenever it has not been used for long; runs until cancelled."""
        while True:
            await anyio.sleep(self._idle_s)
            async with self._turn:
                if anyio.current_time() - self._used_at >= self._idle_s and not any(self._in_use.values()):
                    await self._forget_trees(keep=0)
                    await self._forget_objects()

    async def _mirrored(self, packed: PackResult) -> str:
        settings = packed.settings
        if self._python is not None:
            settings = settings.model_copy(update={"python": os.fspath(self._python)})
        name = _name(packed.tree, settings)
        await self._take(packed)
        if name not in self._kept:
            await self._check_out(packed.tree, settings, self.work / name)
        self._kept.pop(name, None)
        self._kept[name] = None
        await self._forget_trees(keep=KEPT_TREES)
        if await to_thread.run_sync(_outgrown, self._objects):
            await self._forget_objects()
        return name

    async def _take(self, packed: PackResult) -> None:
        """Have all of the tree's objects."""
        if packed.tree in self._known:
            return
        try:
            if not self._objects.exists():
                await self._begin("sha1" if len(packed.tree) == 40 else "sha256")
            if packed.pack:
                # git works out each object's id anew; so whatever else is in a pack cannot pass for what a tree names.
                await git_output(self._objects, "index-pack", "--stdin", stdin=base64.b64decode(packed.pack))
            await git_output(self._objects, "rev-list", "--objects", "--quiet", packed.tree)
        except BaseException as wrong:
            with anyio.CancelScope(shield=True):
                await self._forget_objects()
            if isinstance(wrong, ToolError | ValueError):
                raise ToolError("internal", f"what workspace packed is not the tree {packed.tree}: {wrong}") from wrong
            raise
        self._known = [packed.tree, *self._known[: KNOWN_TREES - 1]]

    async def _begin(self, object_format: str) -> None:
        self.work.mkdir(parents=True, mode=0o700, exist_ok=True)
        await git_output(self._at, *init_copy(self._objects, object_format))
        (self._objects / "info").mkdir()
        (self._objects / "info" / "attributes").write_text(ATTRIBUTES)

    async def _check_out(self, tree: str, settings: RunSettings, to: Path) -> None:
        """Have `to` there with all that belongs to it, or not at all."""
        made = Path(tempfile.mkdtemp(dir=self._at))
        try:
            (made / "tree").mkdir()
            where = (f"--git-dir={self._objects}", f"--work-tree={made / 'tree'}")
            index = {"GIT_INDEX_FILE": os.fspath(made / "index")}
            await git_output(made / "tree", *where, "read-tree", tree, extra=index)
            await git_output(made / "tree", *where, "checkout-index", "--all", extra=index)
            (made / "index").unlink()
            (made / "settings.json").write_bytes(settings.canonical())
            os.rename(made, to)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(remove_tree, made)

    async def _forget_objects(self) -> None:
        self._known.clear()
        await to_thread.run_sync(remove_tree, self._objects)

    async def _forget_trees(self, *, keep: int) -> None:
        idle = [name for name in self._kept if not self._in_use[name]]
        for name in idle[: max(len(idle) - keep, 0)]:
            del self._kept[name]
            await to_thread.run_sync(remove_tree, self.work / name)


def _name(tree: str, settings: RunSettings) -> str:
    """What a tree with these settings is called: as runs are."""
    return f"r-{sha256(f'{tree} '.encode() + settings.canonical())[:32]}"


def _outgrown(objects: Path) -> bool:
    packs = [each.stat().st_size for each in objects.glob("objects/pack/*.pack")]
    return len(packs) > MAX_PACKS or sum(packs) > MAX_OBJECT_BYTES
