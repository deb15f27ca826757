"""Which plausible edit first: the one that changes the least of what the other tests observe."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.test_runner import Evidence
from servers.search.candidates import Edit

UNSEEN = 0.25
"""The share of changed behaviour assumed where no other test observes any."""
_STEPS = (0.0, 0.05, 0.15, 0.35, 0.65)


@dataclass(frozen=True)
class Plausible:
    """An edit that makes the failing tests pass and no other test fail, with what is known about it."""

    edit: Edit
    evidence: Evidence


def changed_share(evidence: Evidence) -> float:
    """The share of observed calls that answer differently, 0 to 1."""
    return evidence.calls_changed / evidence.calls_observed if evidence.calls_observed else UNSEEN


def _key(found: Plausible) -> tuple[int, float, int, str, int]:
    share = changed_share(found.evidence)
    step = sum(share > limit for limit in _STEPS)
    edit = found.edit
    return step, -edit.weight, edit.size, edit.source.path, edit.start


def ranked(found: list[Plausible]) -> list[Plausible]:
    """Best first: least change of behaviour, then likelihood of the edit, then smallness."""
    return sorted(found, key=_key)


def reasons(found: Plausible, rivals: int) -> tuple[str, ...]:
    """Why it stands where it stands, in words."""
    evidence = found.evidence
    if not evidence.observed:
        seen = "only the suite was run, so its other effects are unknown"
    elif evidence.calls_observed:
        seen = f"{evidence.calls_changed} of {evidence.calls_observed} observed calls answer differently with it"
    else:
        seen = "no other test calls what it changes, so its other effects are unknown"
    through = evidence.tests_through
    tests = (
        f"{through} other passing test{'s' if through != 1 else ''} run{'s' if through == 1 else ''} the changed lines"
    )
    looked = (seen, tests) if evidence.observed else (seen,)
    others = "no other edit that was tried passes the tests" if not rivals else (
        f"{rivals} other edit{'s' if rivals > 1 else ''} pass{'' if rivals > 1 else 'es'} the same tests"
    )  # fmt: skip
    return *looked, others, f"{found.edit.template}: weight {found.edit.weight:.2f}, {found.edit.size} characters"
