"""Without an issuer there is one token, in a file that only its owner can read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.gateway.http.guard import Unacceptable
from orchestrator.gateway.http.limits import Allowance
from orchestrator.gateway.http.local_token import LocalToken, local_token
from orchestrator.gateway.http.resource import Authorization
from tests.bus.rigs import MemoryRig
from tests.gateway.http.web import ask, host, web


def test_a_token_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """With its folder, where that is not there; nothing else is left there."""
    file = tmp_path / "state" / "mcp-token"
    token, fresh = local_token(file)
    assert fresh
    assert len(token) >= 43
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert local_token(file) == (token, False)
    assert list(file.parent.iterdir()) == [file]
    assert local_token(tmp_path / "other")[0] != token


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_token_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    """The way out is said."""
    file = tmp_path / "token"
    local_token(file)
    file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        local_token(file)


@pytest.mark.parametrize("text", ["", "hunter2", "x" * 31, "two words " * 10, "ü" * 40])
def test_a_token_of_ones_own_is_long_enough(tmp_path: Path, text: str) -> None:
    """And has nothing in it that does not fit into a header."""
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="at least 32"):
        local_token(file)


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_whoever_has_it_is_let_in_and_nobody_else(era: str) -> None:
    """It covers everything; there is no authorization server to send anybody to."""
    token = "t" * 40
    async with web(MemoryRig(), Authorization(LocalToken(token))) as url:
        async with host(url, era, token) as client:
            assert not (await client.call_tool("echo__count", {"text": "hi"})).is_error
        for wrong in ("", "t" * 39, "T" * 40, token + "t"):
            response = await ask(url, "tools/list", token=wrong)
            assert response.status_code == 401
            assert "resource_metadata" not in response.headers["www-authenticate"]
        twice = await ask(url, "tools/list", headers={"Authorization": f"Bearer {token}, Bearer x"})
        assert twice.status_code == 401
        lower = await ask(url, "tools/list", headers={"Authorization": f"bearer {token}"})
        assert lower.status_code == 200
    with pytest.raises(Unacceptable):
        await LocalToken(token).verify("ü")


async def test_who_tries_out_tokens_is_slowed_down_and_who_has_one_is_not() -> None:
    """Tries count for the address they come from, good tokens for themselves."""
    token = "t" * 40
    async with web(MemoryRig(), Authorization(LocalToken(token)), allowance=Allowance(per_s=0.1, burst=3)) as url:
        tried = [(await ask(url, "tools/list", token=f"guess-{number}")).status_code for number in range(5)]
        assert tried == [401] * 3 + [429] * 2
        assert (await ask(url, "tools/list", token=token)).status_code == 200
