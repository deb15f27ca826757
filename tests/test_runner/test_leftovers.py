"""What a suite leaves behind: a report that is read with suspicion, and no process."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import anyio
import pytest

from contracts.test_runner import RunParams
from servers.testing.junit import NoReport, parse, read_report
from tests.test_runner.project import RUN, Asked, Project


def running(marker: str) -> bool:
    """Whether some process of this machine has the marker among its arguments."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


async def test_a_daemon_of_a_test_is_gone_when_the_run_has_ended(project: Project) -> None:
    """Forked twice, in a session of its own, with a new name: it ends with the sandbox."""
    marker = f"1{secrets.randbelow(10**9):09}"
    async with await anyio.open_process(["sleep", marker]) as one:
        assert running(marker)
        one.kill()
    project.file(
        "test_it.py",
        f"""
        import os, subprocess
        def test_it():
            started, ready = os.pipe()
            if not os.fork():
                os.setsid()
                if not os.fork():
                    daemon = subprocess.Popen(["sleep", "{marker}"], start_new_session=True)
                    os.write(ready, str(daemon.pid).encode())
                os._exit(0)
            os.kill(int(os.read(started, 20)), 0)  # it is there
        """,
    )
    result = await project.runner.run(RunParams(run=RUN), Asked())
    assert (result.outcome, result.reason) == ("passed", "")
    assert not running(marker)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuites><testcase name="&b;"/></testsuites>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuites/>',
        "<html/>",
        "<testsuites>",
        "",
    ],
)
def test_a_report_that_is_not_plain_junit_xml_is_refused(text: str) -> None:
    """Document types and entities above all."""
    with pytest.raises(NoReport):
        parse(text.encode())
    with pytest.raises(NoReport):
        parse(text.encode("utf-16"))


def test_a_report_is_a_regular_file_inside_the_tree(tmp_path: Path) -> None:
    """Links out of it, pipes and folders are refused without waiting for anybody."""
    tree, good = tmp_path / "tree", b'<testsuite><testcase classname="a" name="b" time="x"/></testsuite>'
    tree.mkdir()
    (tmp_path / "outside.xml").write_bytes(good)
    (tree / "link.xml").symlink_to(tmp_path / "outside.xml")
    (tree / "out").symlink_to(tmp_path)
    os.mkfifo(tree / "pipe.xml")
    (tree / "folder.xml").mkdir()
    for name in ("link.xml", "out/outside.xml", "pipe.xml", "folder.xml", "none.xml"):
        with pytest.raises(NoReport):
            read_report(tree, name)
    (tree / "good.xml").write_bytes(good)
    assert [(case.id, case.outcome) for case in read_report(tree, "good.xml")] == [("a::b", "passed")]
