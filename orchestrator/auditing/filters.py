"""What an auditor wants to see: one language for `podium audit log`, `stats` and `show`. Pure.

What a subject tells, the broker answers: `call_pattern`, `result_pattern` and `note_patterns` are what it is asked for,
so that it does not send the rest. Everything is checked here all the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import get_args

from bus.subjects import token
from contracts.failure import Failure, FailureKind
from contracts.gate import Verdict
from contracts.ledger import AuditRecord, CallOutcome, CallRecord, Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
OUTCOMES: tuple[str, ...] = (*get_args(CallOutcome), *(each for each in get_args(FailureKind) if each != "denied"))
"""How a call may have ended: in general, and how a failed one failed."""
DECISIONS: tuple[str, ...] = ("opened", *get_args(Verdict))
"""What may be said at a gate."""

_WILD = frozenset("*?[")


@dataclass(frozen=True)
class Filter:
    """Takes a record that fits all that is given; what is empty fits all."""

    kinds: frozenset[Kind] = frozenset(KINDS)
    run: str = ""
    agent: str = ""
    """Who called or was called; whom a grant or a pin is about."""
    tool: str = ""
    """A glob: of the tool's name, or with a dot of `server.tool`."""
    outcomes: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    """Found in the message's body, or in its answer's, as it is or as JSON writes it."""

    @property
    def everything(self) -> bool:
        """Whether it takes all calls there are, so that what is none of them is foreign."""
        return "call" in self.kinds and replace(self, kinds=Filter.kinds) == Filter()

    def asked(self, record: AuditRecord) -> bool:
        """Whether it may take a record of which the outcome is still open."""
        return (
            record.kind in self.kinds
            and self.run in ("", record.run)
            and self.agent in ("", record.caller, record.server)
            and (self.since is None or record.at >= self.since)
            and (self.until is None or record.at <= self.until)
            and (not self.tool or (isinstance(record, CallRecord) and self._names(record.server, record.tool)))
        )

    def ended(self, record: AuditRecord) -> bool:
        """Whether it takes how that ended."""
        return self.fits(record.outcome, record.failure if isinstance(record, CallRecord) else None)

    def fits(self, outcome: str, failure: Failure | None) -> bool:
        """Whether that is how what it takes ends."""
        return not self.outcomes or outcome in self.outcomes or (failure is not None and failure.kind in self.outcomes)

    def says(self, *bodies: bytes) -> bool:
        """Whether one of `bodies` holds the text."""
        if not self.text:
            return True
        forms = {self.text, *(json.dumps(self.text, ensure_ascii=each)[1:-1] for each in (True, False))}
        needles = [form.encode("utf-8", "surrogatepass") for form in forms]
        return any(needle in body for needle in needles for body in bodies)

    def takes(self, record: AuditRecord, *bodies: bytes) -> bool:
        """Whether it takes a record, whose bodies these are."""
        return self.asked(record) and self.ended(record) and self.says(*bodies)

    def _names(self, server: str, tool: str) -> bool:
        of, dot, name = self.tool.partition(".")
        return fnmatchcase(server, of) and fnmatchcase(tool, name) if dot else fnmatchcase(tool, of)

    def call_pattern(self, server: str) -> str | None:
        """Subjects of the calls to `server` that it may take; None: it takes none."""
        of, dot, name = self.tool.partition(".")
        if "call" not in self.kinds or (dot and not fnmatchcase(server, of)):
            return None
        wanted = name if dot else of
        tool = token(wanted) if wanted and not _WILD & set(wanted) else "*"
        return f"call.{server}.{tool}.{self._caller(server)}.*"

    def result_pattern(self, server: str) -> str:
        """Subjects of the answers to those calls; who reads them knows which are wanted."""
        return f"result.{self._caller(server)}.{server}.*"

    def _caller(self, server: str) -> str:
        return "*" if self.agent in ("", server) or _not_a_token(self.agent) else self.agent

    def note_patterns(self) -> tuple[str, ...]:
        """Subjects of the runs' stream that it may take."""
        run = self.run if self.run and not _not_a_token(self.run) else "*"
        by_kind = {
            "run": (f"run.{run}.*",),
            "gate": (f"gate.{run}.*.*",),
            # Whom a host asked for is in the note's subject, and it may be the one who is meant.
            "denial": ("refused.*.*.*.*", "denied.*.*"),
            "grant": ("crew.*.granted",),
            "pin": ("crew.*.pinned",),
        }
        return tuple(pattern for kind, patterns in by_kind.items() if kind in self.kinds for pattern in patterns)


def _not_a_token(name: str) -> bool:
    return not name or token(name) != name
