"""Masks secrets in what leaves for a model.

Only patterns that are specific to a kind of secret: a guess by entropy would take digests for secrets, and a masked
line is a line the model cannot quote. The patterns are `detect_secrets`', run over the text as a whole, each only
where a word that it needs occurs; nothing is verified over the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import cast

from pydantic import JsonValue

_OWN = "endpoint key"
SHORTEST_KEY = 8
LONG_KEY = 24
"""Characters; a shorter value is a word like `none`, and masking it would spoil the text."""


@dataclass(frozen=True)
class _Kind:
    """A kind of secret."""

    name: str
    hints: tuple[str, ...]
    """One of these is in every text that has a secret of this kind; in lower case."""
    patterns: tuple[re.Pattern[str], ...]
    is_one: Callable[[re.Match[str]], bool] = bool


# A header alone, as code that reads keys has it, is no key.
_KEY_BLOCK = re.compile(
    r"-----BEGIN (?:[A-Z0-9 ]+ )?PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?!-----BEGIN ).){0,20000}?-----END (?:[A-Z0-9 ]+ )?PRIVATE KEY(?: BLOCK)?-----",
    re.DOTALL,
)
_KEY_BEGUN = re.compile(
    r"-----BEGIN (?:[A-Z0-9 ]+ )?PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n|\\r)+(?:[A-Za-z0-9+/=]{40,}(?:\s|\\n|\\r)*)+"
)
_PLACEHOLDERS = frozenset({"password", "passwd", "pass", "pwd", "pw", "secret", "token", "xxx", "***"})


def _has_key_material(found: re.Match[str]) -> bool:
    return re.search(r"[A-Za-z0-9+/=]{40,}", found.group()) is not None


def _is_a_password(found: re.Match[str]) -> bool:
    """Whether it is not a template's place for one, nor a word of documentation."""
    return not set(found.group()) & set("{}<>%$") and found.group(1).lower() not in _PLACEHOLDERS


@cache
def _kinds() -> tuple[_Kind, ...]:
    from detect_secrets.plugins.aws import AWSKeyDetector
    from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
    from detect_secrets.plugins.base import RegexBasedDetector
    from detect_secrets.plugins.basic_auth import BasicAuthDetector
    from detect_secrets.plugins.github_token import GitHubTokenDetector
    from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
    from detect_secrets.plugins.jwt import JwtTokenDetector
    from detect_secrets.plugins.mailchimp import MailchimpDetector
    from detect_secrets.plugins.npm import NpmDetector
    from detect_secrets.plugins.openai import OpenAIDetector
    from detect_secrets.plugins.pypi_token import PypiTokenDetector
    from detect_secrets.plugins.sendgrid import SendGridDetector
    from detect_secrets.plugins.slack import SlackDetector
    from detect_secrets.plugins.square_oauth import SquareOAuthDetector
    from detect_secrets.plugins.stripe import StripeDetector

    def kept(plugin: type[RegexBasedDetector], *hints: str, is_one: Callable[[re.Match[str]], bool] = bool) -> _Kind:
        return _Kind(str(plugin.secret_type), hints, tuple(cast("Iterable[re.Pattern[str]]", plugin.denylist)), is_one)

    def own(name: str, hint: str, *patterns: str) -> _Kind:
        return _Kind(name, (hint,), tuple(re.compile(pattern) for pattern in patterns))

    return (
        _Kind("Private Key", ("private key",), (_KEY_BLOCK, _KEY_BEGUN), _has_key_material),
        own("Anthropic API Key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{16,}"),
        kept(OpenAIDetector, "t3blbkfj"),
        own("API Key", "sk-", r"(?<![A-Za-z0-9_-])sk-(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{32,}"),
        own("Google API Key", "aiza", r"AIza[A-Za-z0-9_-]{35}"),
        own("GitHub Token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
        own("Hugging Face Token", "hf_", r"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{34}"),
        kept(AWSKeyDetector, "aws", "a3t", "abia", "acca", "akia", "asia"),
        kept(AzureStorageKeyDetector, "accountkey="),
        kept(BasicAuthDetector, "://", is_one=_is_a_password),
        kept(GitHubTokenDetector, "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        kept(GitLabTokenDetector, "gl", "gr1348941"),
        kept(JwtTokenDetector, "eyj", is_one=lambda found: JwtTokenDetector.is_formally_valid(found.group())),
        kept(MailchimpDetector, "-us"),
        kept(NpmDetector, ":_authtoken="),
        kept(PypiTokenDetector, "pypi-"),
        kept(SendGridDetector, "sg."),
        kept(SlackDetector, "xox", "hooks.slack.com"),
        kept(SquareOAuthDetector, "sq0csp-"),
        kept(StripeDetector, "k_live_"),
    )


def _looks_like_a_key(word: str) -> bool:
    """Whether it can be told from a word of some text; local servers are given `none`, `placeholder` and the like."""
    return len(word) >= LONG_KEY or (len(word) >= SHORTEST_KEY and any(char.isdigit() for char in word))


class Mask:
    """Replaces secrets by `[masked: KIND]`, and remembers of which kinds there were."""

    def __init__(self, own: Collection[str] = ()) -> None:
        self._own = tuple(sorted((each for each in own if _looks_like_a_key(each)), key=len, reverse=True))
        self._met: set[str] = set()

    @property
    def met(self) -> tuple[str, ...]:
        """The kinds of secrets that were masked, in order of name."""
        return tuple(sorted(self._met))

    def text(self, text: str) -> str:
        """`text` without secrets."""
        known = self.own_keys(text)
        if known != text:
            self._met.add(_OWN)
        text, lowered = known, known.lower()
        for kind in _kinds():
            if any(hint in lowered for hint in kind.hints):
                for pattern in kind.patterns:
                    text = pattern.sub(lambda found, kind=kind: self._instead(kind, found), text)
        return text

    def own_keys(self, text: str) -> str:
        """`text` without the keys of endpoints; for what comes back, too: some servers say what they were sent."""
        for key in self._own:
            text = text.replace(key, f"[masked: {_OWN}]")
        return text

    def within(self, value: JsonValue) -> JsonValue:
        """A JSON value with every string in it masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.within(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.within(each) for each in value]
        return value

    def _instead(self, kind: _Kind, found: re.Match[str]) -> str:
        if not kind.is_one(found):
            return found.group()
        self._met.add(kind.name)
        return f"[masked: {kind.name}]"
