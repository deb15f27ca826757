"""A specialist on another machine: a state directory of its own, a key, and the broker."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bus.broker import find_server
from tests.cli.conftest import LIMIT_S, Podium
from tests.e2e.rig import broker_of_its_own, fixing
from tests.git_project import Project
from tests.survival.control import Control, Order

AWAY = '[servers.test_runner]\nscopes = ["work:read", "sandbox:run"]\naway = true\n'
"""What the crew file says where the house is to start none."""


@contextmanager
def serving(there: Podium, key: Path, env: dict[str, str]) -> Generator[subprocess.Popen[str]]:
    """`podium serve test_runner --away`, once it is in the crew; ended in good order."""
    with there.begin("serve", "test_runner", "--away", "--key", str(key), env=env) as process:
        try:
            assert process.stdout is not None
            assert "test_runner is in the crew" in process.stdout.readline()
            yield process
            process.terminate()
            assert process.wait(LIMIT_S) == 0
        finally:
            process.kill()


def test_a_run_whose_tests_are_run_on_another_machine(fresh: Podium, project: Project, tmp_path: Path) -> None:
    """The house starts no test runner, and no disk is shared: the fix is the one that is found at home.

    The one away is killed when its first tree has arrived and does it over. The ledger replays; what was on that
    machine goes with the command.
    """
    there, key = Podium(tmp_path / "there/state"), tmp_path / "there/test_runner.key"
    fresh.crew.write_text(AWAY)
    printed = fresh("broker-config")
    (tmp_path / "there").mkdir()
    assert fresh("agents", "key", "test_runner", str(key)).code == 0
    assert key.stat().st_mode & 0o777 == 0o600
    control = Control(tmp_path / "control")
    control.order([Order("call.answered", "test_runner", 1, "die")])

    with broker_of_its_own(tmp_path / "theirs", find_server(), printed.out) as (_, url):
        env = {"PODIUM_NATS_URL": url}
        up = fresh("up", env=env)
        assert up.code == 0, up.err
        with serving(there, key, env | control.env):
            done = fresh(*fixing(project, "--auto", "all"), env=env)
            assert done.code == 0, done.err
        run = str(done.document["state"]["task"]["run"])
        replayed = fresh("replay", run)
        assert fresh("down").code == 0

    assert control.passages()["call.answered", "test_runner"] > 3
    assert replayed.code == 0, replayed.err
    assert not (there.state / "work").exists()
    assert list((there.state / "away").iterdir()) == []
    assert "wanted <= self.pieces" in project.git("show", f"podium/{run}:stock.py")
