"""What the suite found, read from the files it leaves; and how two such findings differ."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FAILED = "FAILURE"
PASSED = "SUCCESS"
TOLD = "INFO"
"""A check's status where nothing was checked, but something was written down."""

_FOLDER = re.compile(r"(?:server-)?(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")


@dataclass(frozen=True)
class Check:
    """One check of one scenario. A scenario may check the same thing several times."""

    scenario: str
    id: str
    name: str
    status: str
    message: str = ""

    def __str__(self) -> str:
        return f"{self.scenario}: {self.id} ({self.name}) {self.status}" + (f": {self.message}" if self.message else "")


@dataclass(frozen=True)
class Results:
    """All checks at one revision of the specification."""

    revision: str
    checks: tuple[Check, ...]

    def having(self, *statuses: str) -> tuple[Check, ...]:
        """The checks that ended so."""
        return tuple(check for check in self.checks if check.status in statuses)

    @property
    def passed(self) -> int:
        """As the suite counts: successes only; warnings, skipped and informative checks count for nothing."""
        return len(self.having(PASSED))

    @property
    def failed(self) -> int:
        """Failures only."""
        return len(self.having(FAILED))

    def by_scenario(self) -> dict[str, Counter[str]]:
        """How many checks of each scenario ended in which status."""
        tally: dict[str, Counter[str]] = {}
        for check in self.checks:
            tally.setdefault(check.scenario, Counter())[check.status] += 1
        return tally


def read_results(revision: str, folder: Path) -> Results:
    """The suite's output folder. A scenario that left no checks died, which is one failure, as the suite counts it."""
    checks: list[Check] = []
    for scenario in sorted(folder.iterdir()):
        found = _FOLDER.fullmatch(scenario.name)
        name = found["scenario"] if found else scenario.name
        left = scenario / "checks.json"
        if left.exists():
            rows: list[dict[str, Any]] = json.loads(left.read_bytes())
            checks += [
                Check(name, row["id"], row["name"], row["status"], row.get("errorMessage") or "") for row in rows
            ]
        else:
            checks.append(Check(name, name, name, FAILED, "the scenario ended without a result"))
    return Results(revision, tuple(checks))


def differences(reference: Results, other: Results) -> list[str]:
    """What `other` found otherwise than `reference`, a sentence each; empty if nothing that counts differs."""

    def outcomes(results: Results) -> dict[tuple[str, str, str], list[Check]]:
        grouped: dict[tuple[str, str, str], list[Check]] = {}
        for check in sorted(results.checks, key=lambda check: check.status):
            if check.status != TOLD:
                grouped.setdefault((check.scenario, check.id, check.name), []).append(check)
        return grouped

    before, after = outcomes(reference), outcomes(other)
    different: list[str] = []
    for scenario, check, name in sorted(before.keys() | after.keys()):
        was, now = before.get((scenario, check, name), []), after.get((scenario, check, name), [])
        if [each.status for each in was] != [each.status for each in now]:
            words = [", ".join(each.status for each in side) or "absent" for side in (was, now)]
            why = "; ".join(dict.fromkeys(each.message for each in now if each.message))
            different.append(
                f"{scenario}: {check} ({name}) is {words[1]}, was {words[0]}" + (f": {why}" if why else "")
            )
    return different
