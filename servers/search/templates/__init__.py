"""Edit templates, grouped by idea. Each is one small function from a place to rewrites of its text."""

from __future__ import annotations

from servers.search.template import Template
from servers.search.templates import (
    arithmetic,
    booleans,
    bounds,
    calls,
    comparisons,
    conditions,
    constants,
    names,
    statements,
)

ALL: tuple[Template, ...] = (
    *comparisons.TEMPLATES,
    *arithmetic.TEMPLATES,
    *bounds.TEMPLATES,
    *booleans.TEMPLATES,
    *names.TEMPLATES,
    *constants.TEMPLATES,
    *calls.TEMPLATES,
    *conditions.TEMPLATES,
    *statements.TEMPLATES,
)
