"""The repository server reads the run's tree, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from contracts.repository import HistoryParams, ListParams, OutlineParams, ReadParams, SearchParams
from contracts.workspace import OpenParams
from servers import repository
from servers.outline import definitions
from servers.repository import Repository
from servers.specialist import ToolError, tools_of
from servers.workspace import Workspace
from tests.git_project import RUN, FakeCall, Project, bring_in

CALL = FakeCall()
FILES: dict[str, str | bytes] = {
    "a b/ünï.py": "import os\n\n\nclass A:\n    def f(self):\n        def inner(): ...\n\n\nasync def g(): ...\n",
    "bad.py": "def f(:\n",
    "bin.dat": b"needle\0\n",
    "crlf.txt": "one\r\nneedle two\r\nthree",
    "new\nline.txt": "needle in a strange place\n",
    "sub/deep/x.py": "NEEDLE = 'needle'\n",
    ":(top)odd.txt": "x\n",
    "caf\udce9.txt": "latin name\n",
}


async def room_of(project: Project, work: Path) -> Repository:
    room, brought = bring_in(project, work)
    await Workspace(room).open(OpenParams(run=RUN, base=brought.base), CALL)
    return Repository(room)


@pytest.fixture
async def reader(tmp_path: Path) -> Repository:
    project = Project(tmp_path / "p")
    (tmp_path / "secret").write_text("needle of somebody else\n")
    (project.root / "link.txt").symlink_to(tmp_path / "secret")
    (project.root / "link.d").symlink_to(tmp_path)
    other = Project(tmp_path / "other")
    other.commit({"x": "x"})
    project.git("submodule", "--quiet", "add", str(other.root), "module")
    project.commit(FILES, "first ü")
    project.commit({"crlf.txt": "one\r\nneedle two\r\nthree"}, "nothing")
    project.commit({"bad.py": "def f(:\n\n"}, "touch bad")
    reader = await room_of(project, tmp_path / "work")
    (tmp_path / "work" / RUN / "tree" / "untracked.txt").write_text("needle\n")
    return reader


async def test_tracked_files_are_listed_with_kind_and_size(reader: Repository) -> None:
    """Links and submodules are told apart; strange names are whole; untracked files are not there."""
    listed = await reader.list(ListParams(run=RUN), CALL)
    found = {entry.path: (entry.kind, entry.bytes) for entry in listed.files}
    assert found["new\nline.txt"] == ("file", 26)
    assert found["link.txt"][0] == found["link.d"][0] == "symlink"
    assert found["module"] == ("submodule", 0)
    assert "caf\\xe9.txt" in found
    assert "untracked.txt" not in found
    assert listed.total == len(found) == len(FILES) + 4


async def test_a_list_has_a_limit_and_a_folder(reader: Repository) -> None:
    """`total` counts what the limit cut off."""
    cut = await reader.list(ListParams(run=RUN, limit=2), CALL)
    assert (len(cut.files), cut.total) == (2, len(FILES) + 4)
    below = await reader.list(ListParams(run=RUN, under="sub/"), CALL)
    assert [entry.path for entry in below.files] == ["sub/deep/x.py"]
    odd = await reader.list(ListParams(run=RUN, under=":(top)odd.txt"), CALL)
    assert [entry.path for entry in odd.files] == [":(top)odd.txt"]


async def test_lines_are_read_as_they_stand(reader: Repository) -> None:
    """CRLF and the missing last line end are kept; past the end there is nothing."""
    whole = await reader.read(ReadParams(run=RUN, path="crlf.txt"), CALL)
    assert (whole.text, whole.total_lines) == ("one\r\nneedle two\r\nthree", 3)
    part = await reader.read(ReadParams(run=RUN, path="crlf.txt", first_line=2, lines=1), CALL)
    assert part.text == "needle two\r\n"
    assert (await reader.read(ReadParams(run=RUN, path="crlf.txt", first_line=9), CALL)).text == ""


@pytest.mark.parametrize(
    "path",
    [
        "link.txt",
        "link.d/secret",
        "../secret",
        "/etc/passwd",
        "a b/../../x",
        ".git",
        "module/.git",
        "sub",
        "bin.dat",
        ".",
    ],
)
async def test_what_is_not_text_inside_the_tree_is_refused(path: str, reader: Repository) -> None:
    """Links, other folders, git's own, folders and binaries."""
    with pytest.raises(ToolError) as caught:
        await reader.read(ReadParams(run=RUN, path=path), CALL)
    assert caught.value.failure.kind in ("invalid", "not_found")


async def test_a_pipe_does_not_block_the_reader(reader: Repository, tmp_path: Path) -> None:
    """Opening one waits for a writer; reading refuses it."""
    os.mkfifo(tmp_path / "work" / RUN / "tree" / "pipe")
    with pytest.raises(ToolError, match="not a regular file"):
        await reader.read(ReadParams(run=RUN, path="pipe"), CALL)


async def test_text_is_found_in_tracked_files_only(reader: Repository) -> None:
    """In path and line order; not behind links, not in binaries, not in untracked files."""
    found = await reader.search(SearchParams(run=RUN, pattern="needle"), CALL)
    assert [(match.path, match.line) for match in found.matches] == [
        ("crlf.txt", 2),
        ("new\nline.txt", 1),
        ("sub/deep/x.py", 1),
    ]
    assert not found.truncated


async def test_patterns_literals_case_and_globs(reader: Repository) -> None:
    """Each option does what it says."""

    async def paths(pattern: str, *, literal: bool = False, ignore_case: bool = False, glob: str = "") -> list[str]:
        params = SearchParams(run=RUN, pattern=pattern, literal=literal, ignore_case=ignore_case, glob=glob)
        return [match.path for match in (await reader.search(params, CALL)).matches]

    assert await paths(r"^NEEDLE\s=") == ["sub/deep/x.py"]
    assert await paths("f(self)", literal=True) == ["a b/ünï.py"]
    assert await paths("f(self)") == []
    assert await paths("NEEDLE TWO", ignore_case=True) == ["crlf.txt"]
    assert await paths("needle", glob="*.py") == ["sub/deep/x.py"]
    assert await paths("needle", glob="sub/**") == ["sub/deep/x.py"]
    assert await paths("needle", glob="sub/*.py") == []
    assert await paths("-x") == []


async def test_a_search_stops_at_its_limit(reader: Repository) -> None:
    """What is left out is said."""
    found = await reader.search(SearchParams(run=RUN, pattern="e", limit=2), CALL)
    assert (len(found.matches), found.truncated) == (2, True)


@pytest.mark.parametrize("pattern", ["(", "(a+)+$", "["])
async def test_a_broken_or_catastrophic_pattern_is_an_error(pattern: str, tmp_path: Path) -> None:
    """It ends, with the reason."""
    project = Project(tmp_path / "p")
    project.commit({"a.txt": "a" * 5000 + "b\n" if pattern != "[" else "x"})
    reader = await room_of(project, tmp_path / "work")
    with pytest.raises(ToolError, match="the search failed"):
        await reader.search(SearchParams(run=RUN, pattern=pattern), CALL)


async def test_a_search_that_takes_too_long_ends(reader: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline holds whatever the pattern does."""
    monkeypatch.setattr(repository, "SEARCH_S", 0.0)
    with pytest.raises(ToolError) as caught:
        await reader.search(SearchParams(run=RUN, pattern="needle"), CALL)
    assert caught.value.failure.kind == "timeout"


def test_a_pattern_is_one_line() -> None:
    """git would take two lines for two patterns."""
    with pytest.raises(ValidationError):
        SearchParams(run=RUN, pattern="a\nb")


async def test_python_is_outlined(reader: Repository) -> None:
    """Qualified names, kinds and lines; what does not parse is named."""
    result = await reader.outline(OutlineParams(run=RUN), CALL)
    assert [(each.path, each.line, each.end_line, each.kind, each.name) for each in result.symbols] == [
        ("a b/ünï.py", 4, 6, "class", "A"),
        ("a b/ünï.py", 5, 6, "method", "A.f"),
        ("a b/ünï.py", 6, 6, "function", "A.f.inner"),
        ("a b/ünï.py", 9, 9, "function", "g"),
    ]
    assert (result.skipped, result.truncated) == (("bad.py",), False)
    cut = await reader.outline(OutlineParams(run=RUN, path="a b/ünï.py", limit=1), CALL)
    assert (len(cut.symbols), cut.truncated) == (1, True)
    other = await reader.outline(OutlineParams(run=RUN, path="crlf.txt"), CALL)
    assert (other.symbols, other.skipped) == ((), ("crlf.txt",))


@pytest.mark.parametrize("source", ["(" * 5000, "-" * 100_000 + "1", "x\0", "if a: pass\n" + "elif a: pass\n" * 3000])
def test_hostile_source_does_not_end_the_outline(source: str) -> None:
    """Too deep for the parser is not valid; a long chain is no depth of ours."""
    assert not definitions(source)


def test_bad_escapes_do_not_warn() -> None:
    """The project's warnings are not ours."""
    found = definitions("\ufeffdef f():\n    '\\d'\n")
    assert found is not None
    assert [each.name for each in found] == ["f"]


async def test_history_is_newest_first(reader: Repository) -> None:
    """Of a path, or of everything."""
    everything = await reader.history(HistoryParams(run=RUN), CALL)
    assert [commit.subject for commit in everything.commits] == ["touch bad", "nothing", "first ü"]
    bad = await reader.history(HistoryParams(run=RUN, path="bad.py"), CALL)
    assert [commit.subject for commit in bad.commits] == ["touch bad", "first ü"]
    assert not bad.shallow
    assert (await reader.history(HistoryParams(run=RUN, path="none"), CALL)).commits == ()
    assert len((await reader.history(HistoryParams(run=RUN, limit=1), CALL)).commits) == 1


async def test_history_says_when_it_is_cut(tmp_path: Path) -> None:
    """A run brings along the last hundred commits."""
    project = Project(tmp_path / "p")
    stream = "".join(
        f"commit refs/heads/main\ncommitter a <b> {number} +0000\ndata 1\n{number % 10}\n" for number in range(120)
    )
    project.git("fast-import", "--quiet", stdin=stream)
    reader = await room_of(project, tmp_path / "work")
    result = await reader.history(HistoryParams(run=RUN, limit=500), CALL)
    assert (len(result.commits), result.shallow) == (100, True)


def test_every_tool_is_read_only(tmp_path: Path) -> None:
    """Nothing here writes."""
    project = Project(tmp_path / "p")
    project.commit({"a": "a"})
    specs = [tool.spec for tool in tools_of(Repository(bring_in(project, tmp_path / "work")[0]))]
    assert [spec.name for spec in specs] == ["history", "list", "map", "outline", "read", "search", "similar"]
    assert all(spec.read_only and not spec.destructive for spec in specs)
