"""A NATS server that somebody else runs."""

from __future__ import annotations

import json
from pathlib import Path

from bus.broker import find_server
from tests.cli.conftest import Podium
from tests.e2e.rig import broker_of_its_own, fixing
from tests.git_project import Project


def test_a_run_on_somebody_elses_broker(fresh: Podium, project: Project, tmp_path: Path) -> None:
    """With the printed users included, their server carries the crew; Podium starts none and leaves theirs running.

    The ledger is theirs too: the run is read again from it by the next command.
    """
    printed = fresh("broker-config")
    assert printed.code == 0, printed.err
    users = json.loads(printed.out)["accounts"]["PODIUM"]["users"]
    assert {user["nkey"][0] for user in users} == {"U"}
    assert not any(file.read_text().strip() in printed.out for file in (fresh.state / "identities").iterdir())

    with broker_of_its_own(tmp_path / "theirs", find_server(), printed.out) as (process, url):
        env = {"PODIUM_NATS_URL": url}
        done = fresh(*fixing(project, "--auto", "all"), env=env)
        listed = fresh("runs", "--json", env=env)

        assert done.code == 0, done.err
        assert listed.document[0]["status"] == "handed_over"
        assert process.poll() is None
        assert not (fresh.state / "broker").exists()


def test_a_broker_that_does_not_know_the_crew_is_said(fresh: Podium, tmp_path: Path) -> None:
    """Exit 1, its address, and the command that prints what it has to know."""
    with broker_of_its_own(tmp_path / "theirs", find_server(), '{"authorization": {"token": "x"}}') as (_, url):
        done = fresh("runs", env={"PODIUM_NATS_URL": url})

    assert done.code == 1
    assert url.rpartition(":")[2] in done.err
    assert "Traceback" not in done.err


def test_an_environment_is_an_account_with_keys_of_its_own(fresh: Podium) -> None:
    """Named on the command line or by PODIUM_ENV; what is kept of it lies apart from what is kept of others."""
    prod = fresh("broker-config", "--environment", "prod")
    assert json.loads(prod.out).keys() == {"prod"}, prod.err
    assert fresh("broker-config", env={"PODIUM_ENV": "prod"}).out == prod.out
    kept = fresh.state / "environments/prod"
    assert (kept / "identities").is_dir()
    assert not (fresh.state / "identities").exists()
    assert fresh("status", "--json", env={"PODIUM_ENV": "prod"}).document["state"] == str(kept)
    wrong = fresh("status", env={"PODIUM_ENV": "../prod"})
    assert (wrong.code, "PODIUM_ENV" in wrong.err) == (1, True)
