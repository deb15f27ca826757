"""What can go wrong between the model server and an endpoint, and whether asking again can help."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

from contracts.config import BASE_URL_KEY
from contracts.endpoint import shown
from contracts.failure import Failure
from servers.minds.config import Chosen

if TYPE_CHECKING:
    from anthropic import APIStatusError

TroubleKind = Literal[
    "busy",  # 408, 409, 429, 5xx: later
    "broken",  # there was no connection, or it or the stream broke off: again
    "timeout",  # it took too long: once more
    "other way",  # it does not take the way the reply was asked for
    "denied",  # 401, 402, 403
    "wrong",  # any other refusal, or a certificate nobody vouches for: the same request fails again
    "too much",  # it does not stop
]

_LONGEST_MESSAGE = 20_000
"""What is kept until keys in it are masked; people are told less."""
_NOT_BUSY = frozenset(
    {
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "billing_error",
    }
)


class Trouble(Exception):
    """No whole answer."""

    def __init__(
        self, why: str, *, kind: TroubleKind, status: int | None = None, after_s: float | None = None, way_out: str = ""
    ) -> None:
        super().__init__(why)
        self.why = why.encode("utf-8", "replace").decode()[:_LONGEST_MESSAGE]
        self.kind: TroubleKind = kind
        self.status = status
        self.after_s = after_s
        """How long the endpoint asks to wait."""
        self.way_out = way_out

    def failure(self, endpoint: str, tries: int) -> Failure:
        """As the call's failure, after `tries` requests."""
        times = f", {tries} times" if tries > 1 else ""
        message = f"the endpoint {endpoint} gave no answer{times}: {self.why}"
        match self.kind:
            case "busy" | "broken" | "timeout":
                way_out = self.way_out or "Try again later."
                return Failure(kind="unavailable", message=message, retry=True, way_out=way_out)
            case "denied":
                return Failure(kind="denied", message=message, way_out=self.way_out)
            case "too much":
                return Failure(kind="limit", message=message, way_out=self.way_out)
            case "wrong" | "other way":
                return Failure(kind="invalid", message=message, way_out=self.way_out)


def of_connection(cause: BaseException) -> Trouble:
    """A connection that broke off."""
    return Trouble(f"the connection failed ({type(cause).__name__}: {cause})", kind="broken")


def unreached(why: str, chosen: Chosen, kind: TroubleKind = "broken") -> Trouble:
    """A connection that was not made: `why` is what the system says of it."""
    if "CERTIFICATE_VERIFY_FAILED" in why:
        way_out = "If an authority of your own signed it, name its file in SSL_CERT_FILE, and `podium down` first."
        return Trouble(f"its certificate is not trusted ({why})", kind="wrong", way_out=way_out)
    where = (chosen.config.base_url and "base_url in models.toml") or BASE_URL_KEY
    way_out = f"See whether a server listens at {shown(chosen.base_url)} ({where})."
    return Trouble(f"there was no connection ({why})", kind=kind, way_out=way_out)


def of_status(error: APIStatusError, chosen: Chosen) -> Trouble:
    """A status that is no success, or an error in the middle of a stream (then the status is 200)."""
    status = error.status_code
    why = f"{status}: {error.api_message or error.message}"
    if status == 200:
        if error.type in _NOT_BUSY:
            return Trouble(str(error.api_message), kind="wrong", way_out="See what it says.")
        return Trouble(f"it broke off: {error.api_message or error.message}", kind="busy")
    if status in (408, 409, 429) or status >= 500:
        return Trouble(why, kind="busy", after_s=retry_after(error.response.headers))
    if status in (401, 403):
        return Trouble(why, kind="denied", way_out=f"See whether {chosen.config.key_env or 'its key'} is right.")
    if status == 402:
        return Trouble(why, kind="denied", way_out="See to the account's credit.")
    if status == 404:
        named = f"See whether it has the model {chosen.model} (--model, or [roles] in models.toml), and its base_url."
        return Trouble(why, kind="wrong", way_out=named)
    if 300 <= status < 400:
        moved = "Set its base_url to where it has moved; redirects are not followed, they could take the key elsewhere."
        return Trouble(f"{status}, a redirect", kind="wrong", way_out=moved)
    return Trouble(
        why,
        kind="wrong",
        status=status,
        way_out="See what it says; the request or the endpoint's settings do not suit it.",
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, as `retry-after` (seconds or a date) or `retry-after-ms` has them."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        said = headers.get("retry-after", "")
        if not said:
            return None
        if said.strip().replace(".", "", 1).isdecimal():
            return float(said)
        # By the endpoint's own clock where it says how late it is there: one of the two may be wrong.
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(said) - now).total_seconds())
    except (ValueError, TypeError):
        return None
