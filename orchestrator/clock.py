"""Clocks that are set, and clocks that disagree.

The time of a run's events is read off the wall once, and from there counted by a clock that nobody can set. Durations
are differences of these times, and budgets are checked against them: a wall clock that is set in mid-run, by a day or
by an hour of summer, must neither use up a budget nor give one back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from bus.bus import Bus
from bus.registry import last_heard
from contracts.base import utc_now

log = logging.getLogger(__name__)

NOTICED = timedelta(minutes=1)
"""How far the wall clock must have been set for it to be said."""

AGREE = timedelta(minutes=5)
"""How far clocks of several machines may be apart."""


def _since_boot() -> float:
    """Seconds, those of a suspended machine included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def apart_from_broker(bus: Bus) -> timedelta:
    """How far this machine's clock is ahead of the broker's; nothing where they agree to within `AGREE`.

    What is stored carries the broker's time, so whatever is judged by its age has to be judged by that.

    Raises:
        BusUnavailable: the broker does not answer.
    """
    heard = await last_heard(bus)
    apart = timedelta(0) if heard is None else utc_now() - heard
    return apart if abs(apart) > AGREE else timedelta(0)


class RunClock:
    """Counts up from the wall clock's time when it was made."""

    def __init__(self, wall: Callable[[], datetime] = utc_now, counted: Callable[[], float] = _since_boot) -> None:
        self._wall = wall
        self._counted = counted
        self._from, self._at = wall(), counted()
        self._apart = timedelta(0)

    def now(self) -> datetime:
        """The run's time. That the wall clock was set meanwhile goes to the log, each time it is."""
        now = self._from + timedelta(seconds=self._counted() - self._at)
        apart = self._wall() - now
        if abs(apart - self._apart) > NOTICED:
            set_by = (apart - self._apart).total_seconds()
            log.warning("this machine's clock was set by %+.0f s; the run goes on counting from before", set_by)
            self._apart = apart
        return now

    def not_before(self, at: datetime) -> None:
        """Go on from `at` if that is later: what was written down by a clock that was ahead has happened already."""
        ahead = at - self.now()
        if ahead > timedelta(0):
            if ahead > NOTICED:
                said = "the run's last event is %.0f s ahead of this machine's clock; the run counts on from there"
                log.warning(said, ahead.total_seconds())
            self._from += ahead
            self._apart -= ahead
