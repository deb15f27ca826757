"""Which files are tests, and which decide how tests run, as far as their names tell. Pure."""

from __future__ import annotations

import sys
from fnmatch import fnmatch
from pathlib import PurePosixPath

_FOLDERS = ("tests", "test", "testing_support")
_SETTINGS = frozenset(
    (
        *("podium.toml", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg"),
        *("conftest.py", "sitecustomize.py", "usercustomize.py"),
    )
)
_METADATA = (".dist-info", ".egg-info")
"""How folders end in which installed packages name plugins; pytest finds them in the tree as well."""
_ALSO_SETTINGS = ("pyproject.toml", "package.json", "makefile", "noxfile.py", "jest.config.*", "vitest.config.*")
"""They say how tests run beside much else."""
_ROOTS = ("", "src")
"""Folders whose modules are imported in place of the interpreter's own."""
_TAKEN = (sys.stdlib_module_names - {"test"}) | frozenset(
    ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "exceptiongroup", "tomli", "pygments", "colorama")
)


def is_test(path: str) -> bool:
    """Whether a file belongs to the tests: called so, or in a folder called so."""
    return _called_test(path) or any(part in _FOLDERS for part in PurePosixPath(path).parts[:-1])


def holds_tests(path: str) -> bool:
    """Whether pytest looks for tests in a file: `test_*.py` and `*_test.py`."""
    return path.endswith(".py") and _called_test(path)


def decides_tests(path: str) -> bool:
    """Whether a file says how tests run, or runs before them, in whatever folder it lies."""
    *folders, name = path.casefold().split("/")
    return name in _SETTINGS or any(folder.endswith(_METADATA) for folder in folders)


def stands_in(path: str) -> str:
    """The module of the interpreter or of pytest that a file would be imported in place of; "" for none."""
    folder, _, name = path.removesuffix(".py").removesuffix("/__init__").rpartition("/")
    taken = path.endswith(".py") and folder in _ROOTS and (name in _TAKEN or name.startswith("pytest_"))
    return name if taken else ""


def may_decide_tests(path: str) -> bool:
    """Whether a change of a file may change how tests run."""
    name = path.casefold().rpartition("/")[2]
    return decides_tests(path) or any(fnmatch(name, pattern) for pattern in _ALSO_SETTINGS)


def _called_test(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.name.startswith("test_") or pure.stem.endswith("_test")
