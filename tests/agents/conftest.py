"""A state directory nobody has used."""

from __future__ import annotations

from tests.cli.conftest import fresh, project

__all__ = ["fresh", "project"]
