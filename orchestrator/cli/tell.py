"""How a run ended, and what to do now."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.text import Text

from contracts.base import Model
from contracts.bundle import Bundle
from contracts.gate import GateRequest
from contracts.state import RunState
from orchestrator.cli.runs import next_commands
from orchestrator.cli.shared import document, out
from orchestrator.cli.spending import masked
from orchestrator.papers import draw_bundle
from orchestrator.run import Outcome
from orchestrator.text import duration, safe


class Report(Model):
    """`podium run --json`: the run, its result, and the question it waits on."""

    exit_code: int
    state: RunState
    bundle: Bundle | None = None
    waiting: GateRequest | None = None


def report_of(outcome: Outcome) -> Report:
    """The one JSON document of a run."""
    file = Path(outcome.state.bundle) / "bundle.json"
    bundle = Bundle.model_validate_json(file.read_bytes()) if outcome.state.bundle and file.is_file() else None
    return Report(exit_code=outcome.exit_code, state=outcome.state, bundle=bundle, waiting=outcome.waiting)


def tell_outcome(outcome: Outcome, as_json: bool) -> None:
    """Print it for a program, or for a person."""
    report = report_of(outcome)
    if as_json:
        document(report)
    else:
        draw_outcome(report, out())


def draw_outcome(report: Report, to: Console) -> None:
    """The end of a run on a terminal."""
    state = report.state
    parts: list[RenderableType] = []
    match state.status:
        case "handed_over":
            if report.bundle:
                parts.append(draw_bundle(report.bundle))
            parts.append(Text.assemble(("\n✓ handed over", "bold green"), f" after {duration(state.metrics.total_s)}"))
            parts.append(Text(f"  branch  {state.branch} at {state.head[:12]} (your checkout is as it was)"))
            parts.append(Text(f"  bundle  {state.bundle}"))
        case "failed":
            parts.append(Text.assemble(("✗ could not: ", "bold red"), safe(state.reason)))
            if state.way_out:
                parts.append(Text(f"  → {safe(state.way_out)}"))
        case "aborted":
            parts.append(Text.assemble(("✗ ended by ", "bold red"), f"{safe(state.by)}: {safe(state.reason)}"))
        case "waiting" | "running":
            gate = report.waiting.gate if report.waiting else "?"
            parts.append(Text(f"● waits at gate {gate}; nothing is lost, and nothing runs.", "yellow"))
    if report.bundle is None:
        parts += masked(state.metrics.spent)
    parts.append(Text("\n" + "\n".join(f"  {each}" for each in next_commands(state)), "dim"))
    to.print(Group(*parts), soft_wrap=True)
