"""Puts on the ledger what the broker refused: to whom, what, and how often.

However much somebody has refused, the ledger gets one note of limited length each time, and ever fewer notes while it
goes on. Whoever holds `Denials` has no threads and no key: a child writes, as the operator.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from bus.grants import STRANGER
from bus.refusals import Refusal
from contracts.ledger import Denial, Denials
from servers.housekeeping import fork, reap

log = logging.getLogger("house")

LISTED = 200
"""Different things in one note; of others it is counted how often."""

_FIRST_S, _LONGEST_S = 0.5, 60.0
"""From the first refusal to its note, and between notes while it goes on."""


def notes_of(refused: Counter[Refusal], names: Mapping[str, str]) -> dict[str, Denials]:
    """What was refused, by whom `names` (of public keys) says it was: what was refused most often first. Pure."""
    by_name: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for each, times in refused.items():
        by_name[names.get(each.key, STRANGER)][each.verb, each.subject] += times
    notes: dict[str, Denials] = {}
    for name, counted in by_name.items():
        ordered = counted.most_common()
        listed = tuple(
            Denial.model_validate({"verb": verb, "subject": subject, "times": times})
            for (verb, subject), times in ordered[:LISTED]
        )
        notes[name] = Denials(denials=listed, more=sum(times for _, times in ordered[LISTED:]))
    return notes


class DenialNotes:
    """What is to be noted, and when."""

    def __init__(self, write: Callable[[Mapping[str, Denials]], None]) -> None:
        """`write`, in a fork, stores notes by identity."""
        self._write = write
        self._names: dict[str, str] = {}
        self._current = frozenset[str]()
        self._waiting = Counter[Refusal]()
        self._pause_s = _FIRST_S
        self._due = 0.0

    def know(self, public: Mapping[str, str]) -> None:
        """Whose keys are whose now; what was somebody's once is still known as theirs."""
        self._current = frozenset(public.values())
        self._names |= {key: name for name, key in public.items()}

    def take(self, refused: Counter[Refusal]) -> None:
        """Take up what was refused, and have noted what is due."""
        now = time.monotonic()
        for each, times in refused.items():
            if each.verb == "connect" and each.key in self._current:
                continue  # a key that has just been made is tried until the broker knows it
            if not self._waiting:
                going_on = now - self._due < self._pause_s
                self._pause_s = min(2 * self._pause_s, _LONGEST_S) if going_on else _FIRST_S
                self._due = now + self._pause_s
            self._waiting[each] += times
        if self._waiting and now >= self._due:
            self.finish()

    def finish(self) -> None:
        """Have noted what is not noted yet; what cannot be stored now is tried again."""
        if not self._waiting:
            return
        notes = notes_of(self._waiting, self._names)
        if reap(fork(lambda: self._write(notes))) == 0:
            self._waiting.clear()
        else:
            self._pause_s = min(2 * self._pause_s, _LONGEST_S)
            self._due = time.monotonic() + self._pause_s
            log.error("what the broker refused could not be noted; see the log")
