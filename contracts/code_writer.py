"""code_writer: propose patches for a change request."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, RelPath, RunId, Sha256
from contracts.patch import Patch
from contracts.sandbox import SandboxReport
from contracts.test_runner import Evidence


class Feedback(Model):
    """Why an earlier proposal was not taken."""

    patch_sha256: Sha256 | None = None
    reason: str


class ProposeParams(Model):
    """Ask for patches that make `failing` pass without making another test worse."""

    run: RunId
    request: str = Field(description="What is wrong or wanted, in a person's words.")
    failing: tuple[str, ...] = Field(min_length=1, description="Tests that fail now and must pass.")
    feedback: tuple[Feedback, ...] = ()
    avoid: tuple[RelPath, ...] = Field(default=(), description="Path prefixes not to change (tests are never changed).")
    budget_s: float = Field(default=90, gt=0, description="Wall seconds for the whole search.")
    max_proposals: int = Field(default=5, ge=1, le=50)


class Suspect(Model):
    """A line the fault may be on, and how suspicious it is (Ochiai, 0 to 1; Abreu et al. 2006)."""

    path: RelPath
    line: int
    score: float
    why: str = Field(default="", description="`traceback`, `nearest name` or `coverage`.")


class Proposal(Model):
    """A patch and the evidence for it. It is plausible; right is for a person to say."""

    patch: Patch
    summary: str = Field(description="One line: what it changes, where.")
    evidence: Evidence
    rank_reasons: tuple[str, ...] = Field(default=(), description="Why it stands where it stands.")


class Tried(Model):
    """What was tried, so that finding nothing says something."""

    candidates: int
    plausible: int
    failing: int
    regressed: int
    hung: int
    crashed: int
    invalid: int
    degenerate: int = Field(description="Plausible by the tests, rejected as nonsense.")
    elapsed_s: float
    per_s: float
    ended: Literal["enough", "exhausted", "budget"]


class ProposeResult(Model):
    """Proposals, best first; none is an answer too."""

    proposals: tuple[Proposal, ...]
    suspects: tuple[Suspect, ...] = Field(description="Most suspicious first, at most 20.")
    tried: Tried
    note: str = Field(default="", description="Plain words on what was and was not looked at.")
    sandbox: SandboxReport
