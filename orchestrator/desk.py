"""A person at a terminal, asked at a gate."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
from pydantic import ValidationError
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from contracts.gate import VERDICTS, Bundle, Escalation, GateDecision, GateRequest, PatchSet
from contracts.workflow import Plan
from orchestrator.errors import Waiting
from orchestrator.papers import paper
from orchestrator.policies import answer
from orchestrator.text import safe

ReadLine = Callable[[str], Awaitable[str]]
"""Show a prompt, return the line that was typed without its end; EOFError when there is no more."""
Edit = Callable[[str, str], Awaitable[str]]
"""Let a person edit a text; the second argument is the file name's ending."""

TITLES = {
    "plan": ("Gate 1: the plan", "Nothing has been changed yet."),
    "patches": ("Gate 2: the patches", "Nothing is in your repository yet."),
    "handoff": ("Gate 3: the handover", "Approving puts the branch into your repository; the checkout stays as it is."),
    "escalation": ("A question", "No rule can answer it."),
}


class TerminalDesk:
    """Shows a gate's paper and takes the answer from the keyboard."""

    def __init__(
        self, out: Console, by: str, read_line: ReadLine, edit: Edit, before: Callable[[], None] = lambda: None
    ) -> None:
        self._out = out
        self._by = by
        self._read_line = read_line
        self._edit = edit
        self._before = before

    async def ask(self, request: GateRequest, problem: str) -> GateDecision:
        """Show `request` and return the answer.

        Raises:
            Waiting: the person leaves the gate open for later.
        """
        self._before()
        if problem:
            self._out.print(Text(f"That was not taken: {problem}", "red"))
        else:
            title, meaning = TITLES[request.kind]
            self._out.print(Rule(Text(title), align="left", style="yellow"))
            self._out.print(Text(meaning, "yellow"))
            self._out.print(paper(request))
        while True:
            try:
                typed = (await self._read_line(self._menu(request))).strip()
            except EOFError:
                raise Waiting(request) from None
            decision = await self._take(request, typed)
            if decision is not None:
                return decision

    def _menu(self, request: GateRequest) -> str:
        keys = ["[a]pprove"]
        match request.subject:
            case PatchSet(proposals=proposals) if len(proposals) > 1:
                keys.append(
                    "[1] take a runner-up" if len(proposals) == 2 else f"[1-{len(proposals) - 1}] take a runner-up"
                )
            case _:
                pass
        if "modify" in VERDICTS[request.kind]:
            keys.append("[e]dit")
        return "  ".join([*keys, "[r]eject", "[q] abort the run", "[l]ater"]) + " > "

    async def _take(self, request: GateRequest, typed: str) -> GateDecision | None:
        key, _, rest = typed.partition(" ")
        match key.lower():
            case "a" | "approve" | "y" | "yes":
                return answer(request, "approve", by=self._by, via="terminal")
            case number if number.isdecimal() and _has_choice(request, int(number)):
                return answer(request, "approve", by=self._by, via="terminal", choice=int(number))
            case "e" | "edit" if "modify" in VERDICTS[request.kind]:
                return await self._edited(request)
            case "r" | "reject":
                reason = rest.strip() or (await self._read_line("Why? ")).strip()
                if reason:
                    return answer(request, "reject", by=self._by, via="terminal", reason=reason)
                self._say("A rejection needs a reason: it is what the next round works with.")
            case "q" | "abort":
                return answer(request, "abort", by=self._by, via="terminal", reason=rest.strip())
            case "l" | "later":
                raise Waiting(request)
            case "":
                pass
            case _:
                self._say(f"There is no `{safe(key)}` here.")
        return None

    async def _edited(self, request: GateRequest) -> GateDecision | None:
        match request.subject:
            case Plan() as plan:
                return await self._edited_plan(request, plan)
            case PatchSet() as patches:
                before = patches.proposals[0].patch.diff
                diff = await self._edit(before, ".diff")
                if diff.strip() and diff != before:
                    return answer(request, "modify", by=self._by, via="terminal", diff=diff)
                self._say("Nothing was changed.")
            case Bundle() | Escalation():
                pass
        return None

    async def _edited_plan(self, request: GateRequest, plan: Plan) -> GateDecision | None:
        text = plan.model_dump_json(indent=2)
        while (edited := await self._edit(text, ".json")).strip():
            try:
                changed = Plan.model_validate_json(edited)
            except ValidationError as error:
                self._say(f"That is not a plan: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}")
                if (await self._read_line("Edit again? [Y/n] ")).strip().lower().startswith("n"):
                    return None
                text = edited
                continue
            if changed != plan:
                return answer(request, "modify", by=self._by, via="terminal", plan=changed)
            break
        self._say("Nothing was changed.")
        return None

    def _say(self, text: str) -> None:
        self._out.print(Text(text, "yellow"))


def _has_choice(request: GateRequest, number: int) -> bool:
    return isinstance(request.subject, PatchSet) and 0 < number < len(request.subject.proposals)


async def read_terminal_line(prompt: str) -> str:
    """Read a line from standard input without a thread that would outlive a cancellation."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    try:
        await anyio.wait_readable(sys.stdin)
    finally:
        os.set_blocking(sys.stdin.fileno(), True)  # uvloop leaves the terminal so that long output to it breaks off
    typed = sys.stdin.readline()
    if not typed:
        raise EOFError
    return typed.rstrip("\n")


async def edit_in_editor(text: str, ending: str) -> str:
    """`text` as the person's editor (`VISUAL`, `EDITOR`, else vi) leaves it; "" when the editor failed."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="podium-edit-") as folder:
        path = Path(folder) / f"gate{ending}"
        path.write_text(text, encoding="utf-8", newline="")
        # Ctrl-C in the editor is the editor's business, not a wish to end the run.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            status = await anyio.to_thread.run_sync(subprocess.call, [*command, str(path)])
        except OSError:
            status = 127
        finally:
            signal.signal(signal.SIGINT, previous)
        with suppress(OSError, UnicodeDecodeError):
            if status == 0:
                return path.read_bytes().decode("utf-8")
        return ""
