"""An HTTP response that says why a request was not taken, in the form of OAuth's errors (RFC 6750, section 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from starlette.responses import JSONResponse


def refusal(status: int, error: str, why: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response."""
    return JSONResponse({"error": error, "error_description": why}, status, headers)


def later(status: int, error: str, why: str, wait_s: float) -> JSONResponse:
    """The same, for a request that may be made again after `wait_s` seconds."""
    return refusal(status, error, why, {"Retry-After": str(max(1, math.ceil(wait_s)))})
