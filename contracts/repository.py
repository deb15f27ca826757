"""repository: read a run's tree — never write it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, RelPath, RunId, UtcTime

MAX_WORDS_CHARS = 20_000
"""Of what a map is to be about, or something to be like."""


class ListParams(Model):
    """List files git tracks."""

    run: RunId
    under: str = Field(default="", description="A folder; empty means all.")
    limit: int = Field(default=2000, ge=1, le=100_000)


class FileEntry(Model):
    """A tracked file."""

    path: RelPath
    bytes: int
    kind: Literal["file", "symlink", "submodule"] = "file"


class ListResult(Model):
    """Files in path order."""

    files: tuple[FileEntry, ...]
    total: int = Field(description="How many there are, whatever the limit.")


class ReadParams(Model):
    """Read part of a text file."""

    run: RunId
    path: RelPath
    first_line: int = Field(default=1, ge=1)
    lines: int = Field(default=2000, ge=1, le=50_000)


class ReadResult(Model):
    """Lines as they stand, line ends included."""

    text: str
    first_line: int
    total_lines: int


class SearchParams(Model):
    """Find a regular expression (PCRE2) or a literal in tracked text files."""

    run: RunId
    pattern: str = Field(min_length=1, max_length=1000, pattern=r"^[^\x00\n]*$", description="One line.")
    literal: bool = False
    ignore_case: bool = False
    glob: str = Field(
        default="",
        pattern=r"^[^\x00]*$",
        description="Only paths that match, `**` for any folders; without a slash, in any folder: `*.py`.",
    )
    limit: int = Field(default=200, ge=1, le=10_000)


class Match(Model):
    """One matching line."""

    path: RelPath
    line: int
    text: str = Field(description="Without its line end; at most 500 characters.")


class SearchResult(Model):
    """Matches in path and line order."""

    matches: tuple[Match, ...]
    truncated: bool


class OutlineParams(Model):
    """Classes and functions of a Python file, or of every Python file below a folder."""

    run: RunId
    path: str = ""
    limit: int = Field(default=2000, ge=1, le=50_000)


class Symbol(Model):
    """A definition."""

    path: RelPath
    line: int
    end_line: int
    kind: Literal["class", "function", "method"]
    name: str = Field(description="Qualified within the file.")


class OutlineResult(Model):
    """Definitions in path and line order."""

    symbols: tuple[Symbol, ...]
    skipped: tuple[RelPath, ...] = Field(description="Looked at, but not valid Python, not text, or too large.")
    truncated: bool = Field(description="Whether the limit, or 20 seconds, ended it early.")


class MapParams(Model):
    """The repository in short: files and their definitions, what matters most first, within a size."""

    run: RunId
    words: str = Field(
        default="", max_length=MAX_WORDS_CHARS, description="What it is about: the ticket, names, tests."
    )
    tokens: int = Field(default=4000, ge=100, le=100_000, description="Size of the map, in estimated model tokens.")


class MapResult(Model):
    """Text for a reader who does not know the repository."""

    text: str
    files: tuple[RelPath, ...] = Field(description="Those the map shows, the most relevant first.")
    total_files: int


class SimilarParams(Model):
    """Find definitions that are written like something."""

    run: RunId
    like: str = Field(min_length=1, max_length=MAX_WORDS_CHARS, description="Code, or words about it.")
    glob: str = Field(default="", pattern=r"^[^\x00]*$", description="Only paths that match, as for search.")
    limit: int = Field(default=5, ge=1, le=50)


class SimilarCode(Model):
    """One definition with its text."""

    path: RelPath
    name: str = Field(description="Qualified within the file.")
    line: int
    end_line: int
    score: float = Field(description="0 to 1.")
    text: str = Field(description="At most 8000 characters.")


class SimilarResult(Model):
    """Most similar first."""

    found: tuple[SimilarCode, ...]


class HistoryParams(Model):
    """Commits that touched a path, newest first."""

    run: RunId
    path: str = ""
    limit: int = Field(default=20, ge=1, le=500)


class Commit(Model):
    """One commit."""

    sha: str
    author: str
    authored_at: UtcTime
    subject: str


class HistoryResult(Model):
    """Newest first; `shallow` when older history was not brought along."""

    commits: tuple[Commit, ...]
    shallow: bool
