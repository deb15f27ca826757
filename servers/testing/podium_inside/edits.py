"""Makes a candidate's edits in a child: on disk always, and in the functions already loaded."""

from __future__ import annotations

import contextlib
import gc
import importlib.machinery
import os
import sys
import threading
from collections.abc import Generator
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from .codes import NeedsImport, changed, key
from .request import Splice, Trial
from .segments import Invalid, Source


def write(root: str, splices: list[Splice]) -> None:
    """Make the edits on disk."""
    for splice in splices:
        path = os.path.join(root, splice.path)
        if splice.delete:
            os.unlink(path)
            continue
        new = splice.apply(read(path))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(new.encode("utf-8", "surrogateescape"))


def read(path: str) -> str:
    """A file's text, byte for byte; empty when there is none."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


class Loaded:
    """The functions of the tree that are loaded, by where they were defined; made once, before the forks."""

    def __init__(self, root: str, ran_on_import: set[tuple[str, int, str]]) -> None:
        prefix = root + os.sep
        self._root = root
        self._ran_on_import = ran_on_import
        self._sources: dict[str, Source] = {}
        self._files = {
            os.path.realpath(file)
            for module in list(sys.modules.values())
            for file in [getattr(module, "__file__", None)]
            if isinstance(file, str)
        }
        self._functions: dict[tuple[str, int, str], list[FunctionType]] = {}
        for each in gc.get_objects():
            if type(each) is FunctionType and each.__code__.co_filename.startswith(prefix):
                self._functions.setdefault(key(each.__code__), []).append(each)

    def prepare(self, trial: Trial) -> None:
        """Compile, in the parent, what its children would each compile again."""
        for splice in trial.splices:
            path = os.path.join(self._root, splice.path)
            if not splice.path.endswith(".py") or not os.path.exists(path):
                continue
            with contextlib.suppress(Invalid):
                if path not in self._sources:
                    self._sources[path] = Source(path, read(path))
                self._sources[path].prepare(splice)

    def swaps(self, trial: Trial) -> list[tuple[CodeType, CodeType]]:
        """The function codes the candidate changes, as (old, new).

        Raises:
            Invalid: a changed file does not compile.
            NeedsImport: some of what changes runs on import.
        """
        pairs: list[tuple[CodeType, CodeType]] = []
        for splice in trial.splices:
            path = os.path.join(self._root, splice.path)
            if splice.delete or not splice.path.endswith(".py"):
                raise NeedsImport(splice.path)
            if path not in self._sources:
                raise NeedsImport(splice.path)
            old, new = self._sources[path].sides(splice)
            if path in self._files:  # else a test that imports it finds the new one on disk
                pairs += changed(old, new)
        if any(key(old) in self._ran_on_import for old, _ in pairs):
            raise NeedsImport("called while modules were imported")
        return pairs

    def swap(self, pairs: list[tuple[CodeType, CodeType]]) -> None:
        """Give the loaded functions their new code.

        Raises:
            NeedsImport: nobody holds such a function, or it closes over other variables than before.
        """
        for index, (old, new) in enumerate(pairs):
            held = self._functions.get(key(old), [])
            if not held and index == 0:
                raise NeedsImport(old.co_name)
            for function in held:
                try:
                    function.__code__ = new
                except ValueError as error:
                    raise NeedsImport(old.co_name) from error


@contextlib.contextmanager
def imports_watched(root: str, ran: set[tuple[str, int, str]]) -> Generator[None]:
    """Note which functions of the tree are called while its modules' bodies run.

    Swapping their code afterwards cannot change what they left behind: a table, a decorated function.
    """
    prefix = root + os.sep
    original = importlib.machinery.SourceFileLoader.exec_module

    def on_call(frame: FrameType, _event: str, _arg: object) -> None:
        code = frame.f_code
        if code.co_filename.startswith(prefix):
            ran.add(key(code))

    def exec_module(self: importlib.machinery.SourceFileLoader, module: ModuleType) -> None:
        before: Any = sys.gettrace()
        sys.settrace(on_call if self.path.startswith(prefix) else None)
        try:
            original(self, module)
        finally:
            sys.settrace(before)

    importlib.machinery.SourceFileLoader.exec_module = exec_module
    try:
        yield
    finally:
        importlib.machinery.SourceFileLoader.exec_module = original
        threading.settrace(None)  # pyright: ignore[reportArgumentType] - typeshed forgets that None resets it
