"""What the demo says while it happens: who does what, and why that is safe."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.status import Status
from rich.text import Text

from contracts.gate import GateDecision, GateRequest
from contracts.manifest import Card
from contracts.state import RunState, StepState
from orchestrator.papers import paper
from orchestrator.policies import answer
from orchestrator.text import duration, line
from orchestrator.view import MARKS, elapsed

STEPS = {
    "ingest": "Your checkout is only read. The run gets a copy of its own, below Podium's state directory; only the "
    "workspace may write there.",
    "reproduce": "The test runner runs the failing test, then the whole suite, inside the sandbox: no network, nothing "
    "written but a scratch copy, nothing that survives.",
    "propose": "The code writer looks where the traceback and each test's coverage point, and makes small edits. It "
    "may not run anything itself: the test runner tries them in the sandbox, many a second.",
    "apply": "The workspace checks the approved patch (paths, links, size), applies all of it or nothing, and commits "
    "it on a branch of the run.",
    "analyse": "The linter compares its findings with those from before; it runs in a sandbox, too.",
    "test": "The whole suite again, on what was committed.",
    "finalize": "Patch, evidence, tests before and after, and risks go into a bundle you can keep.",
    "handover": "One new branch in your repository. Your checkout, index and other branches are as they were.",
    "close": "The run's own copy is removed. The ledger stays.",
}
GATES = {
    "plan": "A gate: nothing goes on without an answer. You would see this, and approve, edit, reject or abort.",
    "patches": "The second gate. Passing tests is not being right, so you see the evidence and the runners-up.",
    "handoff": "The last gate: the branch is handed over only if what is approved is exactly what was shown.",
    "escalation": "Something no rule can judge: a person is asked.",
}


def inside(what: RenderableType) -> Padding:
    """Set off below a heading."""
    return Padding(what, (0, 0, 0, 4), expand=False)


class Narrator:
    """A view that explains each step once, as it begins."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._told: dict[str, str] = {}
        self._status: Status | None = None
        self._title = ""
        self._explained: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()

    def crew(self, cards: tuple[Card, ...], seconds: float) -> None:
        """Introduce who is here."""
        self._head("Broker and crew are up", f"in {duration(seconds)}")
        self._explain("Each is a process of its own with its own key. The broker refuses whatever was not granted.")
        for card in cards:
            holds = ", ".join(card.granted_scopes) or "no right of its own"
            row = Text.assemble((f"{card.manifest.name:<16}", "cyan"), line(holds, 40))
            if card.sandbox:
                row.append(f"  sandbox: {card.sandbox}", "dim")
            self._out.print(inside(row))

    def show(self, state: RunState) -> None:
        """Say what began and what ended since."""
        for step in state.steps:
            before = self._told.get(step.step)
            if before is None:
                self._begin(step)
            if before != step.status and step.status != "running":
                self._end(step)
            self._told[step.step] = step.status

    def progress(self, step: str, message: str) -> None:
        """Keep the last line alive."""
        if self._status is not None:
            self._status.update(Text(f"{self._title}: {line(message)}", "dim"))

    def pause(self) -> None:
        """Leave the screen to somebody else."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _begin(self, step: StepState) -> None:
        self.pause()
        self._head(step.title, step.agent)
        explanation = STEPS.get(step.step.split("/")[0])
        if explanation and explanation not in self._explained:
            self._explained.add(explanation)
            self._explain(explanation)
        self._title = step.title
        if self._out.is_terminal:
            self._status = self._out.status(Text(step.title, "dim"))
            self._status.start()

    def _end(self, step: StepState) -> None:
        self.pause()
        mark, style = MARKS[step.status]
        took = duration(elapsed(step, step.ended_at or step.started_at))
        whose = "" if step.title == self._title else f"{line(step.title)}: "  # it ended after the next one began
        text = Text.assemble((f"{mark} ", style), whose, line(step.summary or step.status), (f"  {took}", "dim"))
        self._out.print(inside(text))

    def _head(self, title: str, who: str) -> None:
        self._out.print()
        self._out.print(Text.assemble(("▸ ", "bold cyan"), (line(title), "bold"), (f"  {who}", "cyan")))

    def _explain(self, text: str) -> None:
        self._out.print(inside(Text(text, "dim")))


class ApprovingDesk:
    """Shows what a person would see at a gate, and says yes in their place."""

    def __init__(self, out: Console, narrator: Narrator) -> None:
        self._out = out
        self._narrator = narrator

    async def ask(self, request: GateRequest, problem: str) -> GateDecision:
        """Approve what is shown."""
        self._narrator.pause()
        self._out.print()
        self._out.print(Text.assemble(("◆ gate: ", "bold yellow"), (request.kind, "bold yellow")))
        self._out.print(inside(Text(GATES[request.kind], "dim")))
        if request.kind != "handoff":
            self._out.print(inside(paper(request)))
        digest = request.subject_sha256[:12]
        self._out.print(inside(Text(f"The demo approves sha256 {digest}… in your place.", "yellow")))
        return answer(request, "approve", by="podium demo", via="policy")
