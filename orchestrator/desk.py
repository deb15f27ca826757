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
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from contracts.gate import VERDICTS, GateDecision, GateRequest, PatchSet
from orchestrator.drafts import Draft, body, decided, first_draft
from orchestrator.errors import Waiting
from orchestrator.grave import to_accept
from orchestrator.papers import heading, paper
from orchestrator.policies import answer
from orchestrator.text import safe

ReadLine = Callable[[str], Awaitable[str]]
"""Show a prompt, return the line that was typed without its end; EOFError when there is no more."""
Edit = Callable[[str, str], Awaitable[str]]
"""Let a person edit a text; the second argument is the file name's ending."""


class TerminalDesk:
    """Shows a gate's paper and takes the answer from the keyboard."""

    def __init__(
        self,
        out: Console,
        by: str,
        read_line: ReadLine,
        edit: Edit,
        keep_in: Path,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """`keep_in` is a folder that nobody tidies up: a person may come back to what they wrote after weeks."""
        self._out = out
        self._by = by
        self._read_line = read_line
        self._edit = edit
        self._keep_in = keep_in
        self._before = before
        self._drafts: dict[str, Draft] = {}
        """What was written and could not be taken, by gate."""
        self._sent = ""
        """What was written last, and taken as far as a desk can tell."""

    async def ask(self, request: GateRequest, problem: str) -> GateDecision:
        """Show `request` and return the answer.

        Raises:
            Waiting: the person leaves the gate open for later.
        """
        self._before()
        if problem:
            self._out.print(Text(f"That was not taken: {problem}", "red"))
        else:
            title, meaning = heading(request)
            self._out.print(Rule(Text(title), align="left", style="yellow"))
            self._out.print(Text(meaning, "yellow"))
            self._out.print(paper(request))
        try:
            return await self._answer(request)
        except BaseException:
            self._keep(request)
            raise

    async def _answer(self, request: GateRequest) -> GateDecision:
        subject = request.subject
        given_back = isinstance(subject, PatchSet) and subject.edit is not None and subject.edit.diff == self._sent
        decision = await self._edited(request) if given_back else None
        while decision is None:
            try:
                typed = (await self._read_line(self._menu(request))).strip()
                decision = await self._take(request, typed)
            except EOFError:
                raise Waiting(request) from None
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
                return await self._approved(request)
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

    async def _approved(self, request: GateRequest) -> GateDecision | None:
        """Have each grave risk accepted for itself; None when one is not."""
        accepted: list[str] = []
        for risk in to_accept(request):
            self._say(safe(risk.words))
            typed = await self._read_line(f"Accept this risk ({risk.name})? [y]es  [n]o > ")
            if typed.strip().lower() not in ("y", "yes"):
                self._say("Not approved.")
                return None
            accepted.append(risk.name)
        return answer(request, "approve", by=self._by, via="terminal", accepts=accepted)

    async def _edited(self, request: GateRequest) -> GateDecision | None:
        """Have the person edit until it can be taken, or they leave it as it is; their text stays on the desk."""
        first = first_draft(request)
        draft = self._drafts.get(request.gate, first)
        while True:
            text = body(await self._edit(draft.page, draft.ending))
            if text.strip() in ("", draft.text.strip(), first.text.strip()):
                again = f"Not taken: {draft.reason}. Edit again to go on with your text."
                self._say(again if draft.reason else "Nothing was changed.")
                return None
            decision = decided(request, text, self._by, "terminal")
            if isinstance(decision, GateDecision):
                self._drafts.pop(request.gate, None)
                self._sent = text
                return decision
            draft = self._drafts[request.gate] = replace(draft, text=text, reason=decision)

    def _keep(self, request: GateRequest) -> None:
        """Leave what could not be taken in a file: nobody is at this desk any more."""
        if draft := self._drafts.pop(request.gate, None):
            self._keep_in.mkdir(parents=True, exist_ok=True, mode=0o700)
            begin = f"{request.run}-{request.gate}-"
            handle, name = tempfile.mkstemp(prefix=begin, suffix=draft.ending, dir=self._keep_in)
            with open(handle, "wb") as file:
                file.write(draft.page.encode("utf-8", "surrogateescape"))
            self._say(f"What you wrote is kept in {name}.")

    def _say(self, text: str) -> None:
        self._out.print(Text(text, "yellow"), soft_wrap=True)


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
    """`text` as the person's editor (`VISUAL`, `EDITOR`, else vi) leaves it; "" when the editor failed.

    Bytes that are no UTF-8 come back as lone surrogates, and go out again as they were.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="podium-edit-") as folder:
        path = Path(folder) / f"gate{ending}"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        # Ctrl-C in the editor is the editor's business, not a wish to end the run.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            status = await anyio.to_thread.run_sync(subprocess.call, [*command, str(path)])
        except OSError:
            status = 127
        finally:
            signal.signal(signal.SIGINT, previous)
        with suppress(OSError):
            if status == 0:
                return path.read_bytes().decode("utf-8", "surrogateescape")
        return ""
