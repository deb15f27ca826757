"""Moments as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from contracts.base import utc_now

_AGO = re.compile(r"([0-9]+)([mhdw])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Since(click.ParamType[datetime]):
    """`90m`, `24h`, `7d`, `2w`, or a date."""

    name = "when"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """A moment in UTC; a date without a zone is the local one."""
        if isinstance(value, datetime):
            return value
        try:
            if found := _AGO.fullmatch(str(value)):
                return utc_now() - int(found[1]) * _UNITS[found[2]]
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; write 90m, 24h, 7d, 2w, or a date like 2026-01-31.", param, ctx)
