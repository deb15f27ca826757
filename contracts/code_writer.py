"""code_writer: propose patches for a change request."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, RelPath, RunId, Sha256
from contracts.patch import Patch
from contracts.sandbox import SandboxReport
from contracts.spending import Paid
from contracts.task import Criterion, Engine
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
    engine: Engine = Field(default="search", description="auto: the model only where the search finds nothing.")
    paths: tuple[RelPath, ...] = Field(default=(), max_length=12, description="Files to change, if that is known.")
    candidates: int = Field(default=1, ge=1, le=10, description="Versions a model is asked for at once.")


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


class WriteParams(Model):
    """Ask for one file to be changed or created as an instruction says."""

    run: RunId
    request: str = Field(description="The ticket, in a person's words.")
    path: RelPath = Field(description="The one file to change; it is created where there is none.")
    instruction: str
    reads: tuple[RelPath, ...] = Field(default=(), max_length=12, description="Files to show along.")
    criteria: tuple[Criterion, ...] = Field(default=(), description="Acceptance criteria of the whole change.")
    tests: tuple[str, ...] = Field(default=(), description="Tests that are to pass then, to choose by.")
    feedback: tuple[str, ...] = Field(default=(), description="Why earlier versions were not taken.")
    candidates: int = Field(default=1, ge=1, le=10, description="Versions to ask for at once.")


class WriteResult(Paid):
    """A patch of that one file, computed against the text that was shown; None, and why, if there is none."""

    patch: Patch | None
    summary: str = ""
    note: str = Field(default="", description="How it was chosen, or why there is none.")


class ProposeResult(Paid):
    """Proposals, best first; none is an answer too."""

    proposals: tuple[Proposal, ...]
    suspects: tuple[Suspect, ...] = Field(description="Most suspicious first, at most 20.")
    tried: Tried
    engine: Literal["search", "model"] = Field(default="search", description="Who made the proposals.")
    note: str = Field(default="", description="Plain words on what was and was not looked at.")
    sandbox: SandboxReport
