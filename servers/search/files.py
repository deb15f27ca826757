"""Reads files of the run's tree through the repository specialist."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.repository import ReadParams, ReadResult
from servers.search.source import MAX_CHARS, Source, Unreadable
from servers.specialist import Call, Crew, ToolError

LINES = 20_000


@dataclass
class Files:
    """The files of one run, each read once."""

    crew: Crew
    run: str
    call: Call

    async def text(self, path: str) -> str:
        """A whole file, line ends as they stand.

        Raises:
            Unreadable: when it is larger than `MAX_CHARS`.
            ToolError: what `repository.read` says.
        """
        parts: list[str] = []
        line, size = 1, 0
        while True:
            params = ReadParams(run=self.run, path=path, first_line=line, lines=LINES)
            part = await self.crew.call("repository.read", params, ReadResult, parent=self.call)
            parts.append(part.text)
            size += len(part.text)
            line += LINES
            if size > MAX_CHARS:
                raise Unreadable(f"more than {MAX_CHARS} characters")
            if line > part.total_lines or not part.text:
                return "".join(parts)

    async def source(self, path: str, notes: list[str]) -> Source | None:
        """A parsed file; None, and a line in `notes`, when it cannot be read."""
        try:
            return Source.of(path, await self.text(path))
        except Unreadable as error:
            notes.append(f"{path} was not looked into ({error}).")
        except ToolError as error:
            notes.append(f"{path} was not looked into ({error.failure.message}).")
        return None
