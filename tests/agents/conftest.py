"""A state directory nobody has used."""

from __future__ import annotations

from tests.cli.conftest import fresh

__all__ = ["fresh"]
