"""The battery as a table: attack × backend, and whether each attack was seen to succeed without a sandbox."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.text import line
from tests.sandbox.cells import BACKENDS

CONTAINED, OPEN, BREACH, NOT_AVAILABLE = "contained", "open (known)", "BREACH", "not available"
SHOWN, PROVES_NOTHING = "succeeds", "PROVES NOTHING"
_STYLES = {CONTAINED: "green", OPEN: "yellow", BREACH: "bold red", SHOWN: "dim", PROVES_NOTHING: "bold red"}


@dataclass(frozen=True)
class Row:
    """One attack. `bare`: how it went without a sandbox. `outcomes` and `said`: by backend, how it went and what it
    was that got through."""

    attack: str
    bare: str
    outcomes: dict[str, str]
    said: dict[str, list[str]]

    @property
    def bad(self) -> bool:
        """Whether somebody has to look."""
        return BREACH in self.outcomes.values() or self.bare == PROVES_NOTHING


def table(
    rows: Sequence[Row], levels: Mapping[str, str], reasons: Mapping[str, str], notes: Mapping[str, Sequence[str]]
) -> str:
    """For people; `levels` are those the backends reached, `reasons` say why one is not available."""
    drawn = Table(box=None, pad_edge=False)
    for title in ("attack", "without a sandbox", *(f"{name} ({levels.get(name, '—')})" for name in BACKENDS)):
        drawn.add_column(title, overflow="fold")
    for row in rows:
        cells = (row.bare, *(row.outcomes[name] for name in BACKENDS))
        drawn.add_row(row.attack, *(Text(cell, _STYLES.get(cell, "dim")) for cell in cells))
    out = io.StringIO()
    console = Console(file=out, width=150, force_terminal=False)
    console.print(drawn)
    for name, reason in reasons.items():
        console.print(f"\n{name} is not available here: {line(reason, 1000)}", soft_wrap=True)
    for name, told in notes.items():
        console.print("\n" + "\n".join(f"{name}: {note}" for note in told), soft_wrap=True)
    for row in rows:
        for name, breaches in row.said.items():
            console.print(f"{row.outcomes[name]}: {row.attack} with {name}: {line('; '.join(breaches), 500)}")
    return out.getvalue()
