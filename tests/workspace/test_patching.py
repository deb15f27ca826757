"""A patch is hostile input: what is wrong with it is refused, and nothing is half written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts import diff
from contracts.file_names import name_problem
from servers import patch_writing, patching
from servers.specialist import ToolError

OUTSIDE = "secret\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text(OUTSIDE)
    tree = tmp_path / "tree"
    for folder in ("src", "submodule", "filled"):
        (tree / folder).mkdir(parents=True)
    (tree / ".git").write_text("gitdir: ../outside")
    (tree / "filled" / ".git").write_text("gitdir: ../outside")
    (tree / "filled" / "code").write_text("a\n")
    (tree / "src" / "a.py").write_text("a\n")
    (tree / "src" / "b.py").write_text("b\n")
    (tree / "link").symlink_to(tmp_path / "outside")
    (tree / "src" / "file-link").symlink_to("a.py")
    (tree / "latin").write_bytes("é\n".encode("latin-1"))
    (tree / "binary").write_bytes(b"a\0b\n")
    os.mkfifo(tree / "pipe")
    return tree


def snapshot(tree: Path) -> dict[str, tuple[bytes, int]]:
    """Everything below the tree's parent."""
    return {
        str(path): (path.read_bytes() if path.is_file() else b"", path.lstat().st_mode)
        for path in sorted(tree.parent.rglob("*"))
    }


def created(name: str, mode: str = "100644") -> str:
    return diff.make(name, None, "x\n").replace("100644", mode)


def changed(name: str) -> str:
    return diff.make(name, "a\n", "x\n")


NAMES = (
    *("../x", "a/../../x", "/etc/x", "./x", "a//x", "a/", ".git/config", ".GIT/config", "src/.Git/x", ".git"),
    *("git~1/config", "GIT~2/x", "gi7eba~1/x", ".git. /x", ".git::$INDEX_ALLOCATION/x", ".ｇｉｔ/config", "․git/x"),
    *(".g\u200dit/x", ".gіt/x", ".gı\u0307t/x", ".ɡit/config", ".gitmodules", ".GitModules", "a\\..\\x", "C:/x"),
    *("a\nb", "a\x00b", "a\x1b[31m", "a\u202efdp.py", "a\ufeff", "a\u2028b", "a\u00a0b", "x" * 256, "d/" * 600 + "x"),
    *("caf\udce9", "a\x7f", "\ud800"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_refused(name: str, tree: Path) -> None:
    """Out of the tree, git's own in any disguise, invisible, or another system's folders."""
    before = snapshot(tree)
    assert name_problem(name)
    if "\ud800" not in name:
        with pytest.raises(ToolError) as caught:
            patching.check(created(name), tree)
        assert caught.value.failure.kind == "invalid"
    assert snapshot(tree) == before


@pytest.mark.parametrize(
    "name",
    ["a b.py", "ünï/日本.py", ".github/x", ".gitignore", "git/x", "x.git/y", "ab:c", "agit~1x", "-rf", ":(top)x"],
)
def test_an_unusual_name_is_fine(name: str, tree: Path) -> None:
    """What only looks odd is written where it says."""
    patch_writing.write(patching.check(created(name), tree), tree)
    assert (tree / name).read_text() == "x\n"


LINK = "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n"
GITLINK = (
    "diff --git a/l b/l\nnew file mode 160000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+Subproject commit " + "1" * 40
)
CASES = {
    "through a linked folder": (changed("link/file"), "symbolic link"),
    "created through a linked folder": (created("link/new"), "symbolic link"),
    "onto a link": (changed("src/file-link"), "symbolic link"),
    "created onto a link": (created("src/file-link"), "symbolic link"),
    "into an empty submodule": (created("submodule/x"), "submodule"),
    "into a filled submodule": (changed("filled/code"), "submodule"),
    "below a file": (created("src/a.py/x"), "symbolic link"),
    "onto a folder": (created("src"), "not a regular file"),
    "onto a pipe": (changed("pipe"), "not a regular file"),
    "onto a file that exists": (created("src/a.py"), "exists already"),
    "a file that does not exist": (changed("src/none.py"), "does not exist"),
    "other content": (diff.make("src/b.py", "other\n", "x\n"), "does not apply"),
    "not utf-8": (changed("latin"), "not UTF-8"),
    "a binary file": (diff.make("binary", "a\0b\n", "x\n"), "binary"),
    "becoming binary": (diff.make("src/a.py", "a\n", "\0\n"), "binary"),
    "a new link": (LINK, "symbolic link or a submodule"),
    "a new submodule": (GITLINK, "symbolic link or a submodule"),
    "a new program": (created("run.sh", "100755"), "as a program"),
    "a mode change": ("diff --git a/src/a.py b/src/a.py\nold mode 100644\nnew mode 100755\n", "change its mode"),
    "a rename": ("diff --git a/src/a.py b/c\nrename from src/a.py\nrename to c\n", "moved or copied"),
    "a rename out of .git": ("diff --git a/.git b/c\nrename from .git\nrename to c\n", "moved or copied"),
    "a copy": ("diff --git a/src/a.py b/c\ncopy from src/a.py\ncopy to c\n", "moved or copied"),
    "a binary patch": ("diff --git a/b b/b\nindex 1234567..89abcde 100644\nGIT binary patch\nliteral 0\n", "binary"),
    "twice the same": (changed("src/a.py") * 2, "twice"),
    "twice but for case": (created("New.py") + created("new.py"), "twice"),
    "a file and a folder": (created("n") + created("n/x"), "takes for a file"),
    "nothing": ("", "empty"),
    "no change": ("diff --git a/src/a.py b/src/a.py\nindex 1234567..89abcde 100644\n", "without any change"),
    "prose": ("Here is the patch:\n" + changed("src/a.py"), "diff line 1"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_patch_is_refused_with_its_reason(case: str, tree: Path) -> None:
    """Nothing is written, inside or outside, even when a good change stands before the bad one."""
    text, reason = CASES[case]
    before = snapshot(tree)
    for whole in (text, changed("src/a.py") + text) if case not in ("nothing", "prose") else (text,):
        with pytest.raises(ToolError) as caught:
            patching.check(whole, tree)
        assert caught.value.failure.kind in ("invalid", "not_found")
    with pytest.raises(ToolError, match=reason):
        patching.check(text, tree)
    assert snapshot(tree) == before


@pytest.mark.parametrize(
    ("ceiling", "value"),
    [("MAX_DIFF_BYTES", 10), ("MAX_FILES", 1), ("MAX_CHANGED_LINES", 2), ("MAX_FILE_BYTES", 3)],
)
def test_sizes_have_limits(ceiling: str, value: int, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of the diff, files, changed lines and bytes of a file."""
    text = diff.make("src/a.py", "a\n", "long\n") + diff.make("src/b.py", "b\n", "long\n")
    patching.check(text, tree)
    monkeypatch.setattr(patching, ceiling, value)
    with pytest.raises(ToolError) as caught:
        patching.check(text, tree)
    assert caught.value.failure.kind == "limit"


MIXED = (
    diff.make("src/a.py", "a\n", "A\n")
    + diff.make("new/deep/c.py", None, "c\n")
    + diff.make("only/d.py", "d\n", None)
    + diff.make("src/b.py", "b\n", "B\n")
)


@pytest.fixture
def mixed(tree: Path) -> Path:
    (tree / "only").mkdir()
    (tree / "only" / "d.py").write_text("d\n")
    (tree / "src" / "a.py").chmod(0o755)
    return tree


def test_files_are_changed_created_and_deleted_together(mixed: Path) -> None:
    """Modes stay, new folders come, empty ones go, nothing else is left."""
    checked = patching.check(MIXED, mixed)
    assert (checked.files, checked.added_lines, checked.removed_lines) == (
        ("new/deep/c.py", "only/d.py", "src/a.py", "src/b.py"),
        3,
        3,
    )
    patch_writing.write(checked, mixed)
    assert (mixed / "src/a.py").read_text() == "A\n"
    assert (mixed / "src/a.py").stat().st_mode & 0o777 == 0o755
    assert (mixed / "new/deep/c.py").read_text() == "c\n"
    assert not (mixed / "only").exists()
    assert not list(mixed.rglob(".podium*"))


@pytest.mark.parametrize("function", ["link", "replace", "unlink", "fchmod"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_error_anywhere_puts_everything_back(
    function: str, at: int, mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever step fails, the tree is as it was, temporary files and folders included."""
    checked, before = patching.check(MIXED, mixed), snapshot(mixed)
    real: Callable[..., object] = getattr(os, function)
    calls = 0

    def failing(*args: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at and not (function == "unlink" and str(args[0]).startswith(".podium")):
            raise OSError(28, "No space left on device")
        return real(*args, **options)

    monkeypatch.setattr(os, function, failing)
    failed = False
    try:
        patch_writing.write(checked, mixed)
    except OSError:
        failed = True
    monkeypatch.undo()
    assert failed == (snapshot(mixed) == before)
    assert failed or function == "unlink"
    assert not list(mixed.rglob(".podium*"))


def test_a_file_that_changed_after_the_check_is_a_conflict(mixed: Path) -> None:
    """What was judged is what is written over, or nothing is."""
    checked = patching.check(MIXED, mixed)
    (mixed / "src/b.py").write_text("other\n")
    before = snapshot(mixed)
    with pytest.raises(ToolError, match="changed since"):
        patch_writing.write(checked, mixed)
    assert snapshot(mixed) == before


def test_a_folder_swapped_for_a_link_after_the_check_is_not_followed(mixed: Path) -> None:
    """The kernel refuses the link, so a race cannot lead outside."""
    checked = patching.check(MIXED, mixed)
    (mixed / "src").rename(mixed / "moved")
    (mixed / "src").symlink_to(mixed.parent / "outside")
    with pytest.raises(ToolError, match="symbolic link"):
        patch_writing.write(checked, mixed)
    assert [path.name for path in (mixed.parent / "outside").iterdir()] == ["file"]
