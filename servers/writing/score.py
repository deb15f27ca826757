"""What came of the versions a model wrote: the tally, and the proposals with their reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from contracts.code_writer import Proposal, Tried
from contracts.sandbox import SandboxReport
from contracts.test_runner import CandidateResult, Evidence
from servers.writing.forms import Change
from servers.writing.page import count


@dataclass
class Score:
    """What was tried so far."""

    sandbox: SandboxReport
    tried: int = 0
    trying_s: float = 0.0
    tally: Counter[str] = field(default_factory=Counter[str])
    plausible: list[tuple[Change, Evidence]] = field(default_factory=list[tuple[Change, Evidence]])
    known: set[str] = field(default_factory=set[str])
    """Digests of patches that were tried, or turned down before."""
    ended: Literal["enough", "exhausted", "budget"] = "exhausted"
    notes: list[str] = field(default_factory=list[str])

    def note(self, change: Change, result: CandidateResult) -> None:
        """Take one result in."""
        self.tried += 1
        if result.outcome == "plausible" and result.evidence is not None:
            self.plausible.append((change, result.evidence))
        else:
            self.tally[result.outcome] += 1

    @property
    def words(self) -> str:
        """What was tried and found, for people."""
        tried = f"Tried {count(self.tried, 'different version')} by the model"
        if not self.plausible:
            return f"{tried}; none makes the tests pass."
        passed = f"{len(self.plausible)} make the tests pass, which makes a patch plausible"
        return f"{tried}; {passed}; whether it is right is for a person to say."


def proposals(score: Score, limit: int) -> tuple[Proposal, ...]:
    """The plausible ones, fewest changed lines first."""
    ranked = sorted(score.plausible, key=lambda found: (found[0].size, found[0].patch.sha256))
    return tuple(
        Proposal(
            patch=change.patch,
            summary=f"{change.path}: {change.summary}"[:300],
            evidence=evidence,
            rank_reasons=reasons(change, evidence, len(ranked) - 1),
        )
        for change, evidence in ranked[:limit]
    )


def reasons(change: Change, evidence: Evidence, rivals: int) -> tuple[str, ...]:
    """Why it stands where it stands, in words."""
    size = f"{count(change.size, 'line')} changed"
    if not evidence.observed:
        seen = "only the suite was run, so its other effects are unknown"
    elif evidence.calls_observed:
        seen = f"{evidence.calls_changed} of {evidence.calls_observed} observed calls answer differently with it"
    else:
        seen = "no other test calls what it changes, so its other effects are unknown"
    others = count(rivals, "other version") if rivals else "no other version"
    return size, seen, f"{others} of those tried passed the same tests"


def tried(score: Score, elapsed_s: float) -> Tried:
    """The tally, as the contract has it."""
    tally = score.tally
    return Tried(
        candidates=score.tried,
        plausible=len(score.plausible),
        failing=tally["failing"],
        regressed=tally["regressed"],
        hung=tally["hung"],
        crashed=tally["crashed"],
        invalid=tally["invalid"],
        degenerate=0,
        elapsed_s=round(elapsed_s, 3),
        per_s=round(score.tried / score.trying_s, 1) if score.trying_s else 0.0,
        ended=score.ended,
    )
