"""Who decides at a gate: a person, or a rule."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model

GateKind = Literal["plan", "patches", "handoff", "escalation"]


class GatePolicy(Model):
    """How one kind of gate is decided. The conditions count for `auto-if` only; all of them must hold."""

    mode: Literal["human", "auto", "auto-if"] = "human"
    tests_green: bool = Field(default=True, description="No test may fail, not even one that failed before.")
    max_changed_lines: int = Field(default=20, ge=0, description="Lines added plus lines removed.")
    max_rivals: int = Field(default=0, ge=0, description="Other plausible patches that may exist.")
    no_new_findings: bool = Field(default=True, description="The linter has nothing new to say (handoff only).")


HUMAN = GatePolicy()
AUTO = GatePolicy(mode="auto")


class Policy(Model):
    """Per kind of gate. An escalation is always for a person: it exists because a rule could not tell."""

    plan: GatePolicy = HUMAN
    patches: GatePolicy = HUMAN
    handoff: GatePolicy = HUMAN

    def of(self, kind: GateKind) -> GatePolicy:
        """The policy for gates of `kind`."""
        match kind:
            case "plan":
                return self.plan
            case "patches":
                return self.patches
            case "handoff":
                return self.handoff
            case "escalation":
                return HUMAN
