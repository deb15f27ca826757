"""The keys of model endpoints as the house was handed them: a file without a name, which only its forks read.

See docs/decisions/0010.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.keys import KeyMarks
from contracts.manifest import Scope
from servers.handed import handed
from servers.housekeeping import fork_asking, reap


@dataclass(frozen=True)
class HandedKeys:
    """Keys by name, behind a descriptor; -1 where none were handed."""

    fd: int

    def for_member(self, scopes: Iterable[Scope]) -> dict[str, str]:
        """In a fork: the keys, for who may have them; everybody else lets go of them unread."""
        try:
            return self._read() if "keys" in handed(scopes) else {}
        finally:
            if self.fd >= 0:
                os.close(self.fd)

    def marks(self) -> KeyMarks:
        """How others tell whether they have the same keys. A child reads them, so that no fork of this process has.

        Raises:
            OSError: they cannot be read.
        """
        child, answer = fork_asking(lambda: KeyMarks.of(self._read()).model_dump_json())
        with os.fdopen(answer) as told:
            data = told.read()
        if reap(child) != 0:
            raise OSError("the keys of model endpoints cannot be read; see the log")
        return KeyMarks.model_validate_json(data)

    def _read(self) -> dict[str, str]:
        if self.fd < 0:
            return {}
        keys: dict[str, str] = json.loads(os.pread(self.fd, os.fstat(self.fd).st_size, 0))
        return keys
