"""Unified diffs as data: parse, apply, make.

The form is git's (`git help diff-format`, "Generating patch text with -p") and, for reading, POSIX's
plain unified diff. Text is `str` and lines end at `\\n` only: `\\r`, form feeds and U+2028 are ordinary
characters of a line. Nothing here knows which paths are safe; whoever touches the disk checks them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from contracts.diff_names import quote
from contracts.diff_parser import DiffError, FileDiff, Hunk, Line, parse

__all__ = ["DiffError", "FileDiff", "Hunk", "Line", "apply", "changes", "files", "make", "parse", "split", "stat"]

CONTEXT = 3
NO_NEWLINE = "\\ No newline at end of file"


def apply(file_diff: FileDiff, old: str) -> str:
    """The file's text after `file_diff`; `old` is "" for a file that is created.

    A hunk applies where its old lines stand, exactly. Where they have moved it applies only if they are found
    in one single place.

    Raises:
        DiffError: a hunk does not fit, or fits in several places.
    """
    if file_diff.binary:
        raise DiffError(file_diff.at, f"{file_diff.path} is a binary change")
    if file_diff.created and old:
        raise DiffError(file_diff.at, f"{file_diff.path} is to be created and exists already")
    lines, out, done, drift = split(old), list[str](), 0, 0
    for hunk in file_diff.hunks:
        position = _place(hunk, lines, done, drift, file_diff.path)
        drift = position - _index(hunk)
        out += [*lines[done:position], *hunk.new]
        done = position + len(hunk.old)
    out += lines[done:]
    if any(not line.endswith("\n") for line in out[:-1]):
        raise DiffError(file_diff.at, f"{file_diff.path}: a line without a newline would not be the last")
    if file_diff.deleted and out:
        raise DiffError(file_diff.at, f"{file_diff.path} is to be deleted, but {len(out)} lines would be left")
    return "".join(out)


def make(path: str, old: str | None, new: str | None) -> str:
    """The diff from `old` to `new` in git's form, None meaning that there is no such file; "" when they are equal."""
    if old == new:
        return ""
    head = [f"diff --git {quote('a/' + path)} {quote('b/' + path)}"]
    if old is None:
        head.append("new file mode 100644")
    if new is None:
        head.append("deleted file mode 100644")
    hunks = list(_hunks(split(old or ""), split(new or "")))
    if hunks:
        # A tab after a name with a space keeps patch(1) from taking the rest for a time stamp, as git does it.
        tab = "\t" if " " in path else ""
        head.append("--- /dev/null" if old is None else f"--- {quote('a/' + path)}{tab}")
        head.append("+++ /dev/null" if new is None else f"+++ {quote('b/' + path)}{tab}")
    return "\n".join([*head, *hunks]) + "\n"


def files(diff: str) -> tuple[str, ...]:
    """Every path the diff changes, sorted (both names of a moved file)."""
    return tuple(sorted({name for each in parse(diff) for name in (each.path, each.old_path or each.path)}))


def stat(diff: str) -> tuple[int, int]:
    """Lines added and removed."""
    parsed = parse(diff)
    return sum(each.added for each in parsed), sum(each.removed for each in parsed)


def split(text: str) -> list[str]:
    """Lines with their `\\n`; joining them gives `text` again."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _index(hunk: Hunk) -> int:
    return hunk.old_start - 1 if hunk.old else hunk.old_start


def _place(hunk: Hunk, lines: list[str], done: int, drift: int, path: str) -> int:
    """Index of the line in `lines` the hunk applies at."""
    old, last = list(hunk.old), len(lines) - len(hunk.old)

    def fits(at: int) -> bool:
        return done <= at <= last and lines[at : at + len(old)] == old

    for expected in dict.fromkeys((_index(hunk), _index(hunk) + drift)):
        if fits(expected):
            return expected
    if not old:
        raise DiffError(hunk.at, f"{path} has {len(lines)} lines, and lines are to be added after {hunk.old_start}")
    found = [at for at in range(done, last + 1) if lines[at] == old[0] and fits(at)]
    if len(found) == 1:
        return found[0]
    where = "is not in the file" if not found else f"is in {len(found)} places of the file"
    raise DiffError(hunk.at, f"{path}: what the hunk expects at line {hunk.old_start} {where}")


def _hunks(old: list[str], new: list[str]) -> Iterator[str]:
    for group in _groups(changes(old, new), len(old)):
        first, last = group[0], group[-1]
        lead = min(CONTEXT, first[0])
        trail = min(CONTEXT, len(old) - last[1])
        old_from, old_to = first[0] - lead, last[1] + trail
        new_from, new_to = first[2] - lead, last[3] + trail
        yield f"@@ -{_range(old_from, old_to)} +{_range(new_from, new_to)} @@"
        at = old_from
        for a, b, c, d in group:
            yield from (_line(" ", text) for text in old[at:a])
            yield from (_line("-", text) for text in old[a:b])
            yield from (_line("+", text) for text in new[c:d])
            at = b
        yield from (_line(" ", text) for text in old[at:old_to])


def changes(old: list[str], new: list[str]) -> list[tuple[int, int, int, int]]:
    """Replaced ranges `(old from, old to, new from, new to)`, in order."""
    # Most edits are small: what is equal at both ends need not go through the quadratic matcher.
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    matcher = SequenceMatcher(None, middle_old, middle_new, autojunk=len(middle_old) > 2000)
    return [(a + head, b + head, c + head, d + head) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]


def _groups(changes: Sequence[tuple[int, int, int, int]], total: int) -> Iterator[list[tuple[int, int, int, int]]]:
    group: list[tuple[int, int, int, int]] = []
    for change in changes:
        if group and change[0] - group[-1][1] > 2 * CONTEXT:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _range(start: int, end: int) -> str:
    count = end - start
    first = start + 1 if count else start
    return str(first) if count == 1 else f"{first},{count}"


def _line(op: str, text: str) -> str:
    return op + text[:-1] if text.endswith("\n") else f"{op}{text}\n{NO_NEWLINE}"
