"""Names nobody thought of: whatever a patch calls a file, it is refused, or written there and nowhere else."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from contracts import diff
from contracts.file_names import folded, name_problem
from servers import patch_writing, patching
from servers.specialist import ToolError

IGNORED_BY_HFS = "\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u206a\u206b\u206c\u206d\u206e\u206f\ufeff"
LETTERS = {
    ".": ".․。．",
    "g": "gGｇＧɡցᵍ𝐠",
    "i": "iIｉＩіıⅰᵢ𝐢",
    "t": "tTｔＴтτᵗ𝐭",
}
"""What file systems or people take for the letters of git's own folder."""
ENDINGS = ("", ".", " ", ". . ", "::$INDEX_ALLOCATION", ":$I30:$INDEX_ALLOCATION", ":x", "::$DATA")
"""What NTFS drops."""
IN = ("{}", "{}/config", "{}/hooks/pre-commit", "src/{}/config", "a/b/{}", "{}/../x")


def _disguise(letters: tuple[str, ...], hidden: list[str], accent: str, ending: str) -> str:
    return "".join(f"{letter}{unseen}{accent}" for letter, unseen in zip(letters, hidden, strict=True)) + ending


disguised = st.builds(
    _disguise,
    st.tuples(*(st.sampled_from(LETTERS[letter]) for letter in ".git")),
    st.lists(st.sampled_from(["", "", *IGNORED_BY_HFS]), min_size=4, max_size=4),
    st.sampled_from(["", "", "\u0307", "\u0301"]),
    st.sampled_from(ENDINGS),
)


@given(disguised, st.sampled_from(IN), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_no_disguise_of_git_s_own_folder_gets_through(name: str, where: str, form: str) -> None:
    """Case, Unicode form, ignorable characters, look-alikes, NTFS streams and trailing dots, and all of it at once."""
    assert name_problem(where.format(unicodedata.normalize(form, name)))  # pyright: ignore[reportArgumentType]


@given(st.sampled_from(["git~1", "GIT~7", "gi7eba~1", "GI0123~4"]), st.sampled_from(ENDINGS), st.sampled_from(IN))
def test_no_short_name_of_it_does(name: str, ending: str, where: str) -> None:
    """As DOS and NTFS make them."""
    assert name_problem(where.format(name + ending))


AWKWARD = st.sampled_from(
    [*"ab./\\:~ \t\n\r\0*?\"'<>|-$%é日\u0301\u202e\u200b\ufeff\ud800", "..", ".git", "src", "link"]
)
"""What names are made of that mean something to somebody."""


@given(st.lists(AWKWARD, min_size=1, max_size=12).map("".join), st.sampled_from(["create", "change", "delete"]))
def test_a_patch_is_refused_or_changes_what_it_names_and_nothing_else(path: str, how: str) -> None:
    """Whatever the name: no other file, no folder above the tree, nothing through a link."""
    with TemporaryDirectory(prefix="podium-names-") as folder:
        tree = Path(folder, "tree")
        (tree / "src").mkdir(parents=True)
        (tree / "src" / "a").write_text("a\n")
        (tree / "a").write_text("a\n")
        Path(folder, "secret").write_text("a\n")
        (tree / "link").symlink_to("..")
        (tree / ".git").write_text("gitdir: elsewhere\n")
        old, new = {"create": (None, "x\n"), "change": ("a\n", "x\n"), "delete": ("a\n", None)}[how]
        before = _files(Path(folder))
        try:
            patch_writing.write(patching.check(diff.make(path, old, new), tree), tree)
        except (ToolError, UnicodeEncodeError):
            assert _files(Path(folder)) == before
            return
        after = _files(Path(folder))
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        assert changed == {f"tree/{path}"}
        assert not name_problem(path)
        assert folded(path).split("/")[0] not in (".git", "link")


def _files(root: Path) -> dict[str, str]:
    """Every file below `root`, links not followed."""
    found = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(root)): path.read_text() for path in found}
