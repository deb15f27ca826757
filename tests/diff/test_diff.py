"""Unified diffs are read, applied and made exactly; git agrees."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import diff
from contracts.diff_names import quote, unquote

# Few distinct lines make repeated context likely; the odd ones are what str.splitlines would cut at.
LINES = st.sampled_from(["a", "b", "", " ", "-x", "+y", "@@ -1 +1 @@", "c\r", "\x0c", "d\u2028e", "\x85", "\\ No", "ü"])
TEXT = st.tuples(st.lists(LINES, max_size=30), st.sampled_from(["", "\n"])).map(
    lambda made: "\n".join(made[0]) + made[1]
)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
NAMES = st.sampled_from(
    ["a.py", "with space.txt", "ünï/çode.py", 'q"uote\\.py', "tab\tnew\nline", "b/a b/c", "a b/x a b/x"]
)
GIT = ("git", "-c", "core.autocrlf=false", "-c", "safe.directory=*", "apply", "--whitespace=nowarn", "--verbose")


@given(NAMES, st.none() | TEXT | ANY_TEXT, st.none() | TEXT | ANY_TEXT)
def test_what_is_made_from_two_texts_turns_one_into_the_other(path: str, old: str | None, new: str | None) -> None:
    """apply(parse(make(p, a, b)), a) == b, whatever characters the texts and names hold."""
    text = diff.make(path, old, new)
    if old == new:
        assert text == ""
        return
    (parsed,) = diff.parse(text)
    assert diff.apply(parsed, old or "") == (new or "")
    assert (parsed.path, parsed.created, parsed.deleted) == (path, old is None, new is None)
    assert diff.files(text) == (path,)
    assert diff.stat(text) == (parsed.added, parsed.removed)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, st.none() | TEXT, st.none() | TEXT)
def test_git_apply_does_the_same(tmp_path: Path, path: str, old: str | None, new: str | None) -> None:
    """git applies what `make` wrote and leaves the same bytes."""
    if old == new:
        return
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    if old is not None:
        file.write_bytes(old.encode())
    env = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(tmp_path)}
    done = subprocess.run(GIT, cwd=tmp_path, env=env, input=diff.make(path, old, new).encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert (file.read_bytes().decode() if file.exists() else None) == new


@given(st.text(max_size=200) | TEXT)
def test_anything_else_is_an_error_with_its_line(text: str) -> None:
    """Whatever is thrown at the parser, it answers with files or a DiffError."""
    for candidate in (text, "--- a/x\n+++ b/x\n" + text, "diff --git a/x b/x\n" + text):
        line = 1
        try:
            diff.parse(candidate)
        except diff.DiffError as error:
            line = error.line
        assert 0 < line <= candidate.count("\n") + 2


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_quoted_name_reads_back(name: str) -> None:
    """Quoting loses nothing and leaves nothing invisible."""
    assert unquote(quote(name)) == name
    assert quote(name).isprintable()


def test_a_name_that_is_not_utf8_survives_as_text() -> None:
    """Such a name is octal in the diff, so the diff is still UTF-8."""
    text = diff.make("caf\udce9.py", "a\n", "b\n")
    assert "caf\\351.py" in text.encode().decode()
    assert diff.files(text) == ("caf\udce9.py",)


def test_a_plain_diff_with_time_stamps_is_read() -> None:
    """What diff -u writes is read as well, with or without a/ and b/."""
    for old, new in (("a/x y.py", "b/x y.py"), ("x y.py", "x y.py")):
        (parsed,) = diff.parse(f"--- {old}\t2026-01-01 00:00:00\n+++ {new}\t2026-01-02\n@@ -1 +1 @@\n-a\n+b\n")
        assert (parsed.path, diff.apply(parsed, "a\n")) == ("x y.py", "b\n")


def test_a_plain_diff_creates_and_deletes_by_dev_null() -> None:
    """/dev/null on one side means that the file does not exist there."""
    made, gone = diff.parse("--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n--- a/y\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n")
    assert (made.path, made.old_path, made.deleted) == ("x", None, False)
    assert (gone.path, gone.old_path, gone.deleted) == ("y", "y", True)


OFFSET = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"


def test_a_hunk_follows_lines_that_moved() -> None:
    """The place is searched where it is the only one."""
    (parsed,) = diff.parse(OFFSET)
    assert diff.apply(parsed, "new\nnew\na\nb\n") == "new\nnew\na\nc\n"


def test_a_hunk_that_fits_twice_is_refused() -> None:
    """Guessing which place was meant is worse than an error."""
    (parsed,) = diff.parse(OFFSET)
    with pytest.raises(diff.DiffError, match="2 places"):
        diff.apply(parsed, "new\na\nb\na\nb\n")


def test_context_is_exact() -> None:
    """White space and the missing last newline count."""
    (parsed,) = diff.parse(OFFSET)
    for text in ("a \nb\n", "a\nb", "a\r\nb\n", "b\n"):
        with pytest.raises(diff.DiffError, match="is not in the file"):
            diff.apply(parsed, text)


def test_a_deletion_must_name_every_line() -> None:
    """A file is not deleted with lines nobody saw."""
    (parsed,) = diff.parse("--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n")
    with pytest.raises(diff.DiffError, match="would be left"):
        diff.apply(parsed, "a\nb\n")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("hello\n", 1, "is expected"),
        ("--- a/x\n+++ b/x\n", 3, "@@"),
        ("--- a/x\n", 2, "+++"),
        ("--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n", 1, "one file"),
        ("--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n-a\n+b\n", 5, "missing"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n-c\n+b\n", 5, "more lines"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n*b\n", 5, "begins with"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n a\n", 3, "changes nothing"),
        ("--- a/x\n+++ b/x\n@@ -5 +5 @@\n-a\n+b\n@@ -2 +2 @@\n-a\n+b\n", 6, "out of order"),
        ("--- a/x\n+++ b/x\n@@ -99999999999 +1 @@\n-a\n+b\n", 3, "header"),
        ("--- a/x\r\n+++ b/x\r\n@@ -1 +1 @@\r\n-a\r\n+b\r\n", 1, "CRLF"),
        ("diff --git a/x b/x\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n", 1, "the header names"),
        ("diff --git a/x b/y\n--- a/z\n+++ b/z\n@@ -1 +1 @@\n-a\n+b\n", 1, "the header names"),
        ("diff --git a/x b/x\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+b\n", 1, "disagree"),
        ("diff --git a/x b/x\nnew file mode 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", 1, "disagree"),
        ("diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to z\n", 1, "the header names"),
        ("diff --git a/x b/y\nold mode 100644\nnew mode 100755\n", 1, "which file"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, reason: str) -> None:
    """The error names the line of the diff and the reason."""
    with pytest.raises(diff.DiffError) as caught:
        diff.parse(text)
    assert caught.value.line == line
    assert reason in caught.value.reason


def test_what_only_git_can_say_is_read() -> None:
    """Renames, copies, modes, symlinks and binaries are told, for the one who has to refuse them."""
    moved, copied, mode, link, binary = diff.parse(
        "diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n"
        "diff --git a/x b/z\nsimilarity index 100%\ncopy from x\ncopy to z\n"
        "diff --git a/x b/x\nold mode 100644\nnew mode 100755\n"
        "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n"
        "\\ No newline at end of file\n"
        "diff --git a/i.png b/i.png\nindex 1234567..89abcde 100644\nGIT binary patch\nliteral 0\nHcmV?d00001\n"
    )
    assert (moved.old_path, moved.path, copied.copied) == ("x", "y", True)
    assert (mode.old_mode, mode.new_mode) == ("100644", "100755")
    assert link.new_mode == "120000"
    assert binary.binary


def test_a_long_file_with_a_small_change_is_quick() -> None:
    """The matcher sees only what differs; a quadratic one would not end in this suite's time."""
    lines = [f"line {number % 7}\n" for number in range(60_000)]
    changed = [*lines[:30_000], "new\n", *lines[30_001:]]
    text = diff.make("x", "".join(lines), "".join(changed))
    assert diff.stat(text) == (1, 1)
