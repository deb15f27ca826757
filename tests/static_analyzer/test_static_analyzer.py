"""ruff checks, fixes and formats the run's tree in a sandbox, under the project's configuration only."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from contracts import diff
from contracts.static_analyzer import CheckParams, FixParams, FormatParams
from contracts.workspace import OpenParams
from servers import static_analyzer
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.job import Finished, Job, OnLine, SandboxUnavailable
from servers.sandbox.order import Policy
from servers.sandbox.system import interpreter
from servers.specialist import Room, ToolError
from servers.static_analyzer import StaticAnalyzer
from servers.workspace import Workspace
from tests.git_project import RUN, FakeCall, Project, bring_in

CALL = FakeCall()
FILES: dict[str, str | bytes] = {
    "pkg/ü b.py": "import os\nx = 'a'\n",
    "pkg/crlf.py": "import os\r\nimport sys\r\nprint(sys)\r\n",
    "broken.py": "def f(:\n",
    "-n.py": "import re\n",
    "notes.txt": "import os\n",
}


@pytest.fixture(scope="module")
async def sandbox() -> AsyncGenerator[tuple[KeptSandbox, Path]]:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        policy = Policy(scratch_root=Path(place), read_only=interpreter())
        async with KeptSandbox(start_keeper(policy)) as kept:
            yield kept, Path(place)


async def analyzer_of(project: Project, work: Path, sandbox: tuple[KeptSandbox, Path]) -> tuple[StaticAnalyzer, Room]:
    room, brought = bring_in(project, work)
    await Workspace(room).open(OpenParams(run=RUN, base=brought.base), CALL)
    room = dataclasses.replace(room, sandbox=sandbox[0], scratch=sandbox[1])
    return StaticAnalyzer(room), room


@pytest.fixture
async def analyzer(tmp_path: Path, sandbox: tuple[KeptSandbox, Path]) -> StaticAnalyzer:
    project = Project(tmp_path / "p")
    project.commit(FILES)
    return (await analyzer_of(project, tmp_path / "work", sandbox))[0]


async def test_findings_have_rule_place_and_level(analyzer: StaticAnalyzer, sandbox: tuple[KeptSandbox, Path]) -> None:
    """In path and line order, with how they were confined; the scratch copy is gone afterwards."""
    result = await analyzer.check(CheckParams(run=RUN), CALL)
    found = [(each.path, each.line, each.column, each.rule, each.level) for each in result.findings]
    assert ("pkg/ü b.py", 1, 8, "F401", "error") in found
    assert ("pkg/crlf.py", 1, 8, "F401", "error") in found
    assert any(each[0] == "broken.py" and each[3] == "invalid-syntax" for each in found)
    assert found == sorted(found)
    assert result.total == len(found)
    assert result.sandbox.level == sandbox[0].level
    assert list(sandbox[1].iterdir()) == []


async def test_only_the_paths_asked_for_are_checked(analyzer: StaticAnalyzer) -> None:
    """A name that looks like an option is a name."""
    result = await analyzer.check(CheckParams(run=RUN, paths=("-n.py",)), CALL)
    assert [each.path for each in result.findings] == ["-n.py"]
    result = await analyzer.check(CheckParams(run=RUN, paths=("pkg",)), CALL)
    assert {each.path for each in result.findings} == {"pkg/ü b.py", "pkg/crlf.py"}


async def test_a_fix_is_a_diff_and_writes_nothing(analyzer: StaticAnalyzer, tmp_path: Path) -> None:
    """CRLF stays; only the files asked for are in it."""
    tree = tmp_path / "work" / RUN / "tree"
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    result = await analyzer.fix(FixParams(run=RUN, paths=("pkg",)), CALL)
    assert result.files == ("pkg/crlf.py", "pkg/ü b.py")
    fixed = {each.path: each for each in diff.parse(result.diff)}
    crlf = diff.apply(fixed["pkg/crlf.py"], "import os\r\nimport sys\r\nprint(sys)\r\n")
    assert "import os" not in crlf
    assert crlf.count("\n") == crlf.count("\r\n") >= 2
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


async def test_formatting_is_a_diff(analyzer: StaticAnalyzer) -> None:
    """Empty when there is nothing to change; a file that does not parse is an error that names it."""
    result = await analyzer.format(FormatParams(run=RUN, paths=("pkg/ü b.py",)), CALL)
    (change,) = diff.parse(result.diff)
    assert diff.apply(change, "import os\nx = 'a'\n") == 'import os\n\nx = "a"\n'
    assert (await analyzer.format(FormatParams(run=RUN, paths=("-n.py",)), CALL)).diff == ""
    with pytest.raises(ToolError, match=r"broken\.py"):
        await analyzer.format(FormatParams(run=RUN, paths=("broken.py",)), CALL)


async def test_the_projects_configuration_counts(tmp_path: Path, sandbox: tuple[KeptSandbox, Path]) -> None:
    """And one above the project does not."""
    project = Project(tmp_path / "p")
    project.commit({"a.py": "import os\n", "pyproject.toml": "[tool.ruff.lint]\nselect = ['D100']\n"})
    analyzer, _ = await analyzer_of(project, tmp_path / "work", sandbox)
    assert [each.rule for each in (await analyzer.check(CheckParams(run=RUN), CALL)).findings] == ["D100"]
    plain = Project(tmp_path / "plain")
    plain.commit({"a.py": "import os\n"})
    (sandbox[1] / "ruff.toml").write_text("lint.select = ['D100']\n")
    try:
        analyzer, _ = await analyzer_of(plain, tmp_path / "other", sandbox)
        assert [each.rule for each in (await analyzer.check(CheckParams(run=RUN), CALL)).findings] == ["F401"]
    finally:
        (sandbox[1] / "ruff.toml").unlink()


async def test_a_configuration_cannot_reach_outside(tmp_path: Path, sandbox: tuple[KeptSandbox, Path]) -> None:
    """Neither a file it extends nor one a link points to is readable in there."""
    (tmp_path / "secret.toml").write_text("lint.select = ['D100']\n")
    (tmp_path / "secret.py").write_text("import secret_module\n")
    project = Project(tmp_path / "p")
    (project.root / "link.py").symlink_to(tmp_path / "secret.py")
    project.commit({"a.py": "import os\n"})
    analyzer, room = await analyzer_of(project, tmp_path / "work", sandbox)
    found = await analyzer.check(CheckParams(run=RUN), CALL)
    assert "secret_module" not in found.model_dump_json()
    with pytest.raises(ToolError, match="neither a file"):
        await analyzer.check(CheckParams(run=RUN, paths=("link.py",)), CALL)
    (room.tree(RUN) / "ruff.toml").write_text(f"extend = '{tmp_path / 'secret.toml'}'\n")
    with pytest.raises(ToolError, match="could not do it"):
        await analyzer.check(CheckParams(run=RUN), CALL)


@pytest.mark.parametrize(("path", "kind"), [("../x", "invalid"), ("/etc", "invalid"), ("none.py", "not_found")])
async def test_a_path_must_be_in_the_tree(path: str, kind: str, analyzer: StaticAnalyzer) -> None:
    """Before anything is copied."""
    with pytest.raises(ToolError) as caught:
        await analyzer.check(CheckParams(run=RUN, paths=(path,)), CALL)
    assert caught.value.failure.kind == kind


async def test_a_broken_configuration_is_said(tmp_path: Path, sandbox: tuple[KeptSandbox, Path]) -> None:
    """With ruff's own words."""
    project = Project(tmp_path / "p")
    project.commit({"a.py": "", "ruff.toml": "bogus = 1\n"})
    analyzer, _ = await analyzer_of(project, tmp_path / "work", sandbox)
    with pytest.raises(ToolError, match="bogus"):
        await analyzer.check(CheckParams(run=RUN), CALL)


async def test_a_stopped_ruff_is_said(analyzer: StaticAnalyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit that ended it is named."""
    monkeypatch.setattr(static_analyzer, "LIMITS", static_analyzer.LIMITS.model_copy(update={"wall_s": 0.001}))
    with pytest.raises(ToolError, match="wall_time"):
        await analyzer.check(CheckParams(run=RUN), CALL)


async def test_without_a_sandbox_nothing_is_run(analyzer: StaticAnalyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox's own words are the answer."""

    async def gone(self: KeptSandbox, job: Job, on_line: OnLine | None = None) -> Finished:
        raise SandboxUnavailable("No user namespaces here.")

    monkeypatch.setattr(KeptSandbox, "run", gone)
    with pytest.raises(ToolError, match="No user namespaces") as caught:
        await analyzer.check(CheckParams(run=RUN), CALL)
    assert caught.value.failure.kind == "unavailable"
