"""What secrets look like: kinds of them, each with its patterns.

Only patterns that are specific to a kind of secret: a guess by entropy would take digests for secrets, and a masked
line is a line the model cannot quote. The patterns are `detect_secrets`', run over the text as a whole; nothing is
verified over the network.

A text may be written by somebody who wants the scan to take for ever. So an attempt that fails has looked at a bounded
number of characters, or at none that the next one can begin with. Three of the library's patterns are not like that
and are said anew, so that what was looked through in vain is skipped; `tests/model/test_secret_kinds.py` counts steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import cast

from contracts.base import sha256


@dataclass(frozen=True)
class Kind:
    """A kind of secret."""

    name: str
    hints: tuple[str, ...]
    """One of these is in every text that has a secret of this kind; in lower case."""
    patterns: tuple[re.Pattern[str], ...]
    is_one: Callable[[re.Match[str]], bool] = bool
    """Whether what a pattern found is a secret."""


# A header alone, as code that reads keys has it, is no key.
_KEY_BLOCK = re.compile(
    r"-----BEGIN (?:[A-Z0-9 ]+ )?PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?!-----BEGIN ).){0,20000}?-----END (?:[A-Z0-9 ]+ )?PRIVATE KEY(?: BLOCK)?-----",
    re.DOTALL,
)
_KEY_BEGUN = re.compile(
    r"-----BEGIN (?:[A-Z0-9 ]+ )?PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n|\\r)+(?:[A-Za-z0-9+/=]{40,}(?:\s|\\n|\\r)*)+"
)
_OPENAI = re.compile(r"sk-[A-Za-z0-9_-]++")
_OPENAI_MARK = re.compile("[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}")
_WEB_TOKEN = re.compile(r"eyJ[A-Za-z0-9_=-]++(\.[A-Za-z0-9_=-]++\.?)?")
_NPM = re.compile(r"/:_authToken=\s*+(?:npm_.|[A-Fa-f0-9-]{36}).*+")

_PLACEHOLDERS = frozenset({"password", "passwd", "pass", "pwd", "pw", "secret", "token", "xxx", "***"})


def _has_key_material(found: re.Match[str]) -> bool:
    return re.search(r"[A-Za-z0-9+/=]{40,}", found.group()) is not None


def _is_a_password(found: re.Match[str]) -> bool:
    """Whether it is not a template's place for one, nor a word of documentation."""
    return not set(found.group()) & set("{}<>%$") and found.group(1).lower() not in _PLACEHOLDERS


def replaced(text: str, instead: Callable[[Kind, re.Match[str]], str]) -> str:
    """`text` with what `instead` has to say in place of each secret in it."""
    lowered = text.lower()
    for kind in kinds():
        if any(hint in lowered for hint in kind.hints):

            def put(found: re.Match[str], kind: Kind = kind) -> str:
                return instead(kind, found) if kind.is_one(found) else found.group()

            for pattern in kind.patterns:
                text = pattern.sub(put, text)
    return text


def masked(text: str) -> str:
    """`text` with `[masked: KIND sha256:…]` in place of each secret: the same secret, the same eight digits."""
    return replaced(text, lambda kind, found: f"[masked: {kind.name} sha256:{sha256(found.group().encode())[:8]}]")


def secrets_in(text: str) -> tuple[str, ...]:
    """The kinds of secrets that `text` has, by name."""
    met: list[str] = []

    def noted(kind: Kind, found: re.Match[str]) -> str:
        met.append(kind.name)
        return found.group()

    replaced(text, noted)
    return tuple(sorted(set(met)))


@cache
def kinds() -> tuple[Kind, ...]:
    """All of them, in the order in which they are looked for."""
    from detect_secrets.plugins.aws import AWSKeyDetector
    from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
    from detect_secrets.plugins.base import RegexBasedDetector
    from detect_secrets.plugins.basic_auth import BasicAuthDetector
    from detect_secrets.plugins.github_token import GitHubTokenDetector
    from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
    from detect_secrets.plugins.jwt import JwtTokenDetector
    from detect_secrets.plugins.mailchimp import MailchimpDetector
    from detect_secrets.plugins.pypi_token import PypiTokenDetector
    from detect_secrets.plugins.sendgrid import SendGridDetector
    from detect_secrets.plugins.slack import SlackDetector
    from detect_secrets.plugins.square_oauth import SquareOAuthDetector
    from detect_secrets.plugins.stripe import StripeDetector

    def kept(plugin: type[RegexBasedDetector], *hints: str, is_one: Callable[[re.Match[str]], bool] = bool) -> Kind:
        return Kind(str(plugin.secret_type), hints, tuple(cast("Iterable[re.Pattern[str]]", plugin.denylist)), is_one)

    def is_a_web_token(found: re.Match[str]) -> bool:
        if found[1] is None:
            return False
        try:
            return JwtTokenDetector.is_formally_valid(found.group())
        except RecursionError:  # the JSON in it is nested so deeply that nobody can read it
            return True

    def own(name: str, hint: str, *patterns: str) -> Kind:
        return Kind(name, (hint,), tuple(re.compile(pattern) for pattern in patterns))

    return (
        Kind("Private Key", ("private key",), (_KEY_BLOCK, _KEY_BEGUN), _has_key_material),
        own("Anthropic API Key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{16,}"),
        Kind("OpenAI Token", ("t3blbkfj",), (_OPENAI,), lambda found: _OPENAI_MARK.search(found.group()) is not None),
        own("API Key", "sk-", r"(?<![A-Za-z0-9_-])sk-(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{32,}"),
        own("Google API Key", "aiza", r"AIza[A-Za-z0-9_-]{35}"),
        own("GitHub Token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
        own("Hugging Face Token", "hf_", r"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{34}"),
        kept(AWSKeyDetector, "aws", "a3t", "abia", "acca", "akia", "asia"),
        kept(AzureStorageKeyDetector, "accountkey="),
        kept(BasicAuthDetector, "://", is_one=_is_a_password),
        kept(GitHubTokenDetector, "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        kept(GitLabTokenDetector, "gl", "gr1348941"),
        Kind("JSON Web Token", ("eyj",), (_WEB_TOKEN,), is_a_web_token),
        kept(MailchimpDetector, "-us"),
        Kind("NPM tokens", (":_authtoken=",), (_NPM,)),
        kept(PypiTokenDetector, "pypi-"),
        kept(SendGridDetector, "sg."),
        kept(SlackDetector, "xox", "hooks.slack.com"),
        kept(SquareOAuthDetector, "sq0csp-"),
        kept(StripeDetector, "k_live_"),
    )
