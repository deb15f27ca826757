"""What can go wrong in a run.

::

    OrchestratorError        root
    ├── UnknownRun           the ledger has no such run
    ├── Torn                 the run's events have a gap; carries what was expected and found
    ├── Diverged             the code asks for something else than the journal holds
    ├── TakenOver            another orchestrator advances this run now
    ├── CrewIncomplete       a workflow needs tools that nobody offers
    ├── InvalidDecision      an answer that does not fit its gate
    ├── ConfigError          a file people change is wrong; carries file, key and way out
    └── Stop                 leaves the loop on purpose
        ├── CouldNot         the run cannot reach its goal: it ends as failed
        │   └── OverBudget   what it needs next could cost more than it may
        ├── Refused          a person said no: it ends as aborted
        └── Waiting          a gate needs a person and nobody is here to ask: it can be resumed
"""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationError

from contracts.failure import told
from contracts.gate import GateRequest


class OrchestratorError(Exception):
    """Root of this package's errors."""


class UnknownRun(OrchestratorError):
    """There are no events of this run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"there is no run {run}; `podium runs` lists them")
        self.run = run


class Torn(OrchestratorError):
    """Events are missing: nothing may be concluded from the rest."""

    def __init__(self, run: str, expected: int, found: int) -> None:
        super().__init__(
            f"the ledger of run {run} is torn: expected its event {expected}, found {found}. "
            "Restore the ledger from a mirror, or start a new run."
        )
        self.run = run
        self.expected = expected
        self.found = found


class Diverged(OrchestratorError):
    """On re-execution the code asked for something else than is recorded (another version of Podium, usually)."""

    def __init__(self, run: str, step: str, recorded: str, asked: str, digests: tuple[str, str] = ("", "")) -> None:
        """`digests` are the sha256 of what is recorded and of what was asked for, where there are two to compare."""
        super().__init__(
            f"run {run} diverged from its journal at {step}: recorded {recorded}, asked for {asked}. "
            "Resume it with the version of Podium that began it, or abort it and start again."
        )
        self.run = run
        self.step = step
        self.recorded = recorded
        self.asked = asked
        self.digests = digests


class TakenOver(OrchestratorError):
    """A write was refused because somebody else's came first; `by` is who took over, as `host:process`, if known."""

    def __init__(self, run: str, by: str = "") -> None:
        who = f" ({by})" if by else ""
        super().__init__(f"another orchestrator took over run {run}{who}; `podium watch {run}` follows it")
        self.run = run
        self.by = by


class CrewIncomplete(OrchestratorError):
    """Nothing was started: the workflow could not have been finished."""

    def __init__(self, workflow: str, missing: tuple[str, ...]) -> None:
        super().__init__(
            f"workflow {workflow} needs {', '.join(missing)}, which nobody in the crew offers; "
            "`podium agents` shows who is there, `podium doctor` why somebody is not; an agent of your own joins with "
            "`podium serve`"
        )
        self.workflow = workflow
        self.missing = missing


class InvalidDecision(OrchestratorError):
    """The answer does not fit the gate; nothing was stored."""

    def __init__(self, gate: str, reason: str) -> None:
        super().__init__(f"gate {gate}: {reason}")
        self.gate = gate
        self.reason = reason


class ConfigError(OrchestratorError):
    """A file people change is wrong."""

    def __init__(self, file: str, key: str, reason: str, way_out: str) -> None:
        super().__init__(told(f"{file}: {f'{key}: ' if key else ''}{reason}.", way_out))
        self.file = file
        self.key = key
        self.reason = reason
        self.way_out = way_out


class Stop(OrchestratorError):
    """Leaves the loop on purpose."""


class CouldNot(Stop):
    """The goal cannot be reached; says why and what a person can do."""

    def __init__(self, reason: str, way_out: str = "") -> None:
        super().__init__(told(reason, way_out))
        self.reason = reason
        self.way_out = way_out


def unsayable(error: ValidationError) -> CouldNot:
    """A call that its own contract does not take. Every resume would make it again, so it ends the run."""
    said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return CouldNot(
        f"A call could not be made: {error.title} is not valid: {said}.",
        "That is a defect in Podium; please report it. Nothing in your checkout was touched.",
    )


class OverBudget(CouldNot):
    """The next thing was not done, because it could cost more than the run, or an agent of it, may spend."""


class Refused(Stop):
    """A person ended the run at a gate."""

    def __init__(self, verdict: Literal["reject", "abort"], reason: str, by: str) -> None:
        super().__init__(reason)
        self.verdict: Literal["reject", "abort"] = verdict
        self.reason = reason
        self.by = by


class Waiting(Stop):
    """A gate is open and waits for somebody to decide."""

    def __init__(self, request: GateRequest) -> None:
        super().__init__(f"gate {request.gate} of run {request.run} waits for a decision")
        self.request = request
