"""What a program is given, what comes back, and what is refused."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import anyio
import pytest

from contracts.sandbox import Limits
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.job import PRIVATE_ENV, Job, JobRefused, SandboxUnavailable
from servers.sandbox.order import Policy
from servers.sandbox.system import interpreter
from tests.sandbox.cells import Cell, available, cell, policy, python_for, scratch_root

LEVELS = {"bubblewrap": "full", "landlock": "reduced", "seccomp": "weak"}


async def test_the_report_names_level_and_backend(confined: Cell) -> None:
    """Every result says how it came about."""
    report = (await confined.python("pass")).report
    assert (report.backend, report.level) == (confined.backend, LEVELS[confined.backend])
    assert confined.sandbox.level == report.level
    assert report.wall_s > 0
    assert bool(report.notes) == (report.level != "full")


async def test_output_channel_stdin_and_status_come_back(confined: Cell) -> None:
    """stdout and stderr interleave; the channel is apart; lines arrive as they are written."""
    lines: list[bytes] = []

    async def hear(line: bytes) -> None:
        lines.append(line)

    code = """
import os, sys
print("out", flush=True); print("err", file=sys.stderr, flush=True)
channel = open(int(os.environ["PODIUM_CHANNEL"]), "w")
channel.write(sys.stdin.read() + "\\n" + "x" * 200_000 + "\\nrest"); channel.close()
sys.exit(7)
"""
    finished = await confined.python(code, stdin=b"given", on_line=hear)
    assert finished.returncode == 7
    assert finished.output == b"out\nerr\n"
    assert lines == [b"given", b"x" * 200_000]
    assert finished.channel == b"\n".join([*lines, b"rest"])


async def test_death_by_a_signal_is_told_apart(confined: Cell) -> None:
    """Minus the signal's number, as `subprocess` has it."""
    finished = await confined.python("import os; os.kill(os.getpid(), 6)")
    assert (finished.returncode, finished.report.ended) == (-6, "signalled")


async def test_the_environment_is_exactly_the_job_s(confined: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of Podium's environment leaks; HOME and TMPDIR exist in the scratch and can be written."""
    monkeypatch.setenv("PODIUM_SECRET", "violet")
    scratch = confined.root / "environment"
    scratch.mkdir()
    code = """
import json, os, tempfile
tempfile.NamedTemporaryFile().write(b"x"); open(os.path.expanduser("~/x"), "w").close()
print(json.dumps(dict(os.environ)))
"""
    argv = (str(python_for(confined.backend)), "-I", "-c", code)
    job = Job(argv=argv, scratch=scratch, read_only=interpreter(), env={"COLOUR": "green"})
    finished = await confined.sandbox.run(job)
    found = json.loads(finished.output)
    assert found.pop("COLOUR") == "green"
    for name in ("HOME", "TMPDIR"):
        assert Path(found.pop(name)).is_relative_to(scratch)
    assert found.pop(PRIVATE_ENV, None) == ("/tmp" if confined.backend == "bubblewrap" else None)
    assert set(found) <= {"PATH", "LANG", "PODIUM_CHANNEL", "PWD", "LC_CTYPE"}


async def test_the_scratch_is_written_in_place(confined: Cell) -> None:
    """Same path inside and outside; what is written stays, and belongs to the caller again."""
    code = "import os, pathlib; print(os.getcwd()); pathlib.Path('made').write_text('yes')"
    finished = await confined.python(code, name="place")
    scratch = confined.root / "place"
    assert finished.output.decode().strip() == str(scratch)
    assert (scratch / "made").read_text() == "yes"
    assert (scratch / "made").stat().st_uid == os.getuid()


async def test_several_jobs_run_at_once(confined: Cell) -> None:
    """Two jobs meet: each waits for what only the other, running at the same time, makes the test send."""
    met = [anyio.Event(), anyio.Event()]

    async def job(mine: int) -> None:
        async def hear(line: bytes) -> None:
            met[mine].set()
            await met[1 - mine].wait()

        code = "import os; os.write(int(os.environ['PODIUM_CHANNEL']), b'here\\n')"
        await confined.python(code, on_line=hear, name=f"at-once-{mine}")

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(job, 0)
            group.start_soon(job, 1)


async def test_loopback_works_only_where_it_is_private(confined: Cell) -> None:
    """With namespaces a test may talk to its own server; without, there are no sockets but connected pairs."""
    code = """
import socket
a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
try:
    with socket.create_server(("127.0.0.1", 0)) as s: socket.create_connection(s.getsockname()).close()
    print("loopback")
except PermissionError: print("none")
"""
    finished = await confined.python(code)
    assert finished.output.decode().strip() == ("loopback" if confined.backend == "bubblewrap" else "none")


async def test_a_granted_path_is_read_and_not_written(backend: str) -> None:
    """`read_only` paths are seen, their parents not, and they stay as they are."""
    with scratch_root() as place:
        tools = place / "tools"
        tools.mkdir()
        (tools / "data").write_text("granted")
        (place / "beside").write_text("private")
        (place / "beside").chmod(0o600)
        code = """
import sys
print(open(sys.argv[1] + "/tools/data").read())
for name, mode in (("/tools/data", "a"), ("/tools/new", "w"), ("/beside", "r")):
    try: open(sys.argv[1] + name, mode); print("breach", name)
    except OSError: pass
"""
        async with cell(backend, tools) as confined:
            finished = await confined.python(code, place, read_only=(tools,))
        assert finished.output.decode().split("\n")[0] == "granted"
        if "whatever this user can read" not in str(finished.report.notes):
            assert b"breach" not in finished.output
            assert (tools / "data").read_text() == "granted"
            assert not (tools / "new").exists()


async def test_a_program_that_cannot_start_is_no_result(confined: Cell) -> None:
    """Failed set-up is an error of its own, never a failed test."""
    scratch = confined.root / "missing"
    scratch.mkdir()
    with pytest.raises(SandboxUnavailable, match="no-such-program"):
        await confined.sandbox.run(Job(argv=("/no-such-program",), scratch=scratch))


@pytest.mark.parametrize("status", [1, 125, 126, 127])
async def test_no_exit_status_looks_like_a_failed_set_up(confined: Cell, status: int) -> None:
    """A program's own exit status is a result, whatever launchers use it for."""
    assert (await confined.python(f"raise SystemExit({status})")).returncode == status


async def test_the_policy_refuses_what_it_does_not_name(confined: Cell, tmp_path: Path) -> None:
    """Scratch elsewhere, through a symlink, or the root itself; reading home; leaving the scratch: all refused."""
    inside = confined.root / "inside"
    inside.mkdir()
    (confined.root / "link").symlink_to(tmp_path)
    (inside / "out").symlink_to(tmp_path)
    home = Path("~").expanduser()
    argv = ("/bin/true",)
    refused = [
        Job(argv=argv, scratch=tmp_path),
        Job(argv=argv, scratch=confined.root),
        Job(argv=argv, scratch=confined.root / "link"),
        Job(argv=argv, scratch=confined.root / "absent"),
        Job(argv=argv, scratch=inside, cwd=".."),
        Job(argv=argv, scratch=inside, cwd="out"),
        Job(argv=argv, scratch=inside, read_only=(home,)),
        Job(argv=argv, scratch=inside, read_only=(Path("/"),)),
        Job(argv=argv, scratch=inside, read_only=(tmp_path,)),
        Job(argv=argv, scratch=inside, read_only=(interpreter()[0] / ".." / "..",)),
        Job(argv=(), scratch=inside),
        Job(argv=("/bin/true", "a\0b"), scratch=inside),
    ]
    for job in refused:
        with pytest.raises(JobRefused):
            await confined.sandbox.run(job)


@pytest.mark.parametrize("wide", ["/", "~", "~/..", "/home"])
async def test_a_keeper_refuses_a_policy_that_opens_homes(wide: str, tmp_path: Path) -> None:
    """Not even the runtime can grant a whole home by mistake."""
    rules = Policy(scratch_root=tmp_path, read_only=(Path(wide).expanduser(),))
    with pytest.raises(SandboxUnavailable, match="home directory"):
        async with KeptSandbox(start_keeper(rules)):
            pass


async def test_anywhere_means_tools_and_worktrees() -> None:
    """Any Python, any single program, any worktree; no other folder, not even one the user could read."""
    with scratch_root() as root:
        (root / "job").mkdir()
        (root / "notes").mkdir()
        (root / "venv").mkdir()
        (root / "venv" / "pyvenv.cfg").touch()
        (root / "worktree").mkdir()
        (root / "worktree" / ".git").write_text("gitdir: elsewhere")
        (root / "program").touch(mode=0o755)
        (root / "text").touch(mode=0o644)
        rules = Policy(scratch_root=root, read_anywhere=True, backends=(), unsandboxed=True)
        async with KeptSandbox(start_keeper(rules)) as sandbox:
            for path in (*interpreter(), root / "venv", root / "worktree", root / "program"):
                await sandbox.run(Job(argv=("/bin/true",), scratch=root / "job", read_only=(path,)))
            for path in (root / "notes", root / "text", Path("/etc"), Path("/proc")):
                with pytest.raises(JobRefused, match="a Python installation, program or worktree"):
                    await sandbox.run(Job(argv=("/bin/true",), scratch=root / "job", read_only=(path,)))


async def test_private_paths_are_never_granted(tmp_path: Path) -> None:
    """A grant that contains a private path, or lies in one, is refused."""
    keys = tmp_path / "state" / "keys"
    for granted in (tmp_path, keys, keys / "deep"):
        rules = Policy(scratch_root=tmp_path, read_only=(granted,), private=(keys,))
        with pytest.raises(SandboxUnavailable, match="private path"):
            async with KeptSandbox(start_keeper(rules)):
                pass


async def test_without_a_backend_nothing_runs() -> None:
    """No silent fall-back: the error says why, and the way out."""
    with scratch_root() as root, pytest.raises(SandboxUnavailable, match="Install bubblewrap"):
        async with KeptSandbox(start_keeper(Policy(scratch_root=root, backends=()))):
            pass


async def test_unsandboxed_is_said_loudly() -> None:
    """Only an explicit policy runs without confinement, and the report says so."""
    async with cell("none") as bare:
        report = (await bare.python("pass")).report
    assert (report.level, report.backend) == ("none", "none")
    assert "not confined" in report.notes[0]


async def test_the_strongest_backend_that_works_is_taken() -> None:
    """In the order of the policy, by canary."""
    with scratch_root() as root:
        rules = policy(root, "none")
        rules = Policy(scratch_root=root, read_only=rules.read_only, backends=available(), python=python_for("seccomp"))
        async with KeptSandbox(start_keeper(rules)) as sandbox:
            assert sandbox.report.backend == available()[0]


async def test_stdin_larger_than_a_pipe_arrives(confined: Cell) -> None:
    """It is a file in memory: no deadlock, no writing back."""
    finished = await confined.python("import sys; print(len(sys.stdin.buffer.read()))", stdin=b"z" * (3 << 20))
    assert finished.output.strip() == str(3 << 20).encode()


async def test_python_starts_as_it_does_outside(confined: Cell) -> None:
    """Its prefix, its standard library, its extension modules."""
    code = "import sys, sqlite3, asyncio, multiprocessing, subprocess; print(sys.prefix)"
    code += "\nprint(subprocess.run(['/bin/echo', 'child'], capture_output=True, text=True).stdout)"
    code += "\nasyncio.run(asyncio.sleep(0))"
    finished = await confined.python(code, limits=Limits(wall_s=60))
    assert finished.returncode == 0, finished.output
    assert b"child" in finished.output
    if python_for(confined.backend) == Path(sys.executable):
        assert finished.output.decode().splitlines()[0] == sys.prefix
