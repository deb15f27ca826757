"""What leaves for a model holds no secret; ordinary code leaves as it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from contracts.model import Turn
from servers.minds.config import secrets_of
from servers.minds.secrets import Mask
from servers.model import ModelServer
from servers.specialist import ToolError
from tests.model.examples import BLOCK, SECRETS
from tests.model.rig import GOOD, KEY, SCHEMA, AskedCall, models, params, rig, room


@pytest.mark.parametrize("kind", SECRETS)
def test_each_kind_of_secret_is_masked_and_said(kind: str):
    mask = Mask()
    text = mask.text(f'password = "{SECRETS[kind]}"  # see below\nx = 1\n')
    assert SECRETS[kind] not in text
    assert f"[masked: {kind}]" in text
    assert text.endswith("\nx = 1\n")
    assert mask.met == (kind,)


@pytest.mark.parametrize("block", [BLOCK, BLOCK.replace("\n", "\\n"), BLOCK.partition("\n-----END")[0]])
def test_a_private_key_is_masked_whole_even_if_its_end_is_missing(block: str):
    text = Mask().text(f"before\n{block}\nafter")
    assert "MIIEv" not in text
    assert text.startswith("before\n[masked: Private Key]")
    assert text.endswith("after")


@pytest.mark.parametrize(
    "code",
    [
        f'DIGEST = "{hashlib.sha256(b"x").hexdigest()}"',
        'integrity = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="',
        'HEADER = "-----BEGIN PRIVATE KEY-----"\nFOOTER = "-----END PRIVATE KEY-----"\n',
        'url = f"postgres://{user}:{password}@{host}/db"',
        'url = "https://user:password@example.com"',
        '"https://%s:%s@host" % (name, word)',
        "token = os.environ['GITHUB_TOKEN']",
        "commit 9b2e4f7a1c3d5e6f7a8b9c0d1e2f3a4b5c6d7e8f",
        "APPLICATION_KEY = APClientFactory.make(AKCELERATION)",
        'sk_test = "sk-learn-is-a-library-for-machine-learning"',
        "eyJust = a.name.of.things",
    ],
)
def test_ordinary_code_is_untouched(code: str):
    mask = Mask()
    assert mask.text(code) == code
    assert mask.met == ()


@pytest.mark.parametrize("key", ["correct-horse-battery", "sk-0123", "hunter22", "x" * 24])
def test_a_key_of_an_endpoint_is_masked_whatever_it_looks_like(key: str):
    """People choose the words that their own servers want; only what is too short for a key is left."""
    text = f"invalid key: {key}!"
    assert Mask([key]).own_keys(text) == (text if len(key) < 8 else "invalid key: [masked: endpoint key]!")


@pytest.mark.parametrize("word", ["none", "not-needed", "LM-Studio", "placeholder"])
def test_what_stands_in_the_place_of_a_key_is_no_secret(word: str):
    text = f"{word} is what it says"
    assert Mask([word]).text(text) == text


def test_a_password_in_an_address_is_a_secret():
    config = models("http://ann:pass%21word-1@127.0.0.1:1")
    found = secrets_of(
        {"ANTHROPIC_BASE_URL": "https://bob:another-one@there.example", "SCRIPTED_KEY": " k3y\n"}, config
    )
    assert set(found) == {"k3y", "another-one", "pass%21word-1", "pass!word-1"}


def test_this_projects_own_code_is_untouched():
    mask = Mask()
    for file in sorted(Path(__file__).resolve().parents[2].glob("servers/*.py")):
        text = file.read_text(encoding="utf-8")
        assert mask.text(text) == text


async def test_where_secrets_are_refused_a_question_with_one_is_not_asked():
    async with rig([{"reply": GOOD}]) as at:
        config = models(at.endpoint.url).model_copy(update={"secrets": "refuse"})
        server = ModelServer(room({"SCRIPTED_KEY": KEY}, at.ledger), models=config)
        with pytest.raises(ToolError, match="AWS Access Key") as failed:
            await server.complete(params(system=f"Mind {SECRETS['AWS Access Key']}."), AskedCall())
        assert (failed.value.failure.kind, at.endpoint.requests) == ("denied", [])
        assert 'secrets = "mask"' in failed.value.failure.way_out
        assert (await server.complete(params(), AskedCall())).outcome == "ok"


async def test_everything_that_leaves_is_masked_and_the_result_says_so():
    aws, github = SECRETS["AWS Access Key"], SECRETS["GitHub Token"]
    schema = SCHEMA | {"description": f"like {github}"}
    async with rig([{"reply": GOOD}]) as at:
        result = await at.complete(
            system=f"Mind {aws}.", turns=(Turn(role="user", text=f"key = '{KEY}'"),), reply_schema=schema
        )
    sent = str(at.endpoint.requests[0].body)
    assert not [secret for secret in (aws, github, KEY) if secret in sent]
    assert result.spent.masked == ("AWS Access Key", "GitHub Token", "endpoint key")
