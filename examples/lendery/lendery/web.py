"""HTTP as the handlers see it: requests, responses, problems, and the routes between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus


class Problem(Exception):
    """A request that cannot be answered as asked; becomes a problem object (RFC 9457)."""

    def __init__(self, status: HTTPStatus, detail: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = dict(errors or {})
        self.headers: dict[str, str] = {}

    def as_json(self) -> dict[str, object]:
        """The problem object."""
        said = {"type": "about:blank", "title": self.status.phrase, "status": self.status.value, "detail": self.detail}
        return {**said, "errors": self.errors} if self.errors else said


@dataclass(frozen=True)
class Request:
    """What was asked; `body` is the JSON object that was sent, empty where none is."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """What is answered; `body` is anything JSON can say, None for no body."""

    status: HTTPStatus
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


def ok(body: object) -> Response:
    """200."""
    return Response(HTTPStatus.OK, body)


def created(body: object, location: str) -> Response:
    """201, and where to find it."""
    return Response(HTTPStatus.CREATED, body, {"Location": location})


def no_content() -> Response:
    """204."""
    return Response(HTTPStatus.NO_CONTENT)


def not_found(what: str) -> Problem:
    """404."""
    return Problem(HTTPStatus.NOT_FOUND, f"There is no {what}.")


def conflict(why: str) -> Problem:
    """409."""
    return Problem(HTTPStatus.CONFLICT, why)


def whole(text: str) -> int | None:
    """The number that up to nine digits say; None for anything else."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


Handler = Callable[..., Response]


@dataclass(frozen=True)
class Route:
    """A method and a path such as `/books/{id}`; parameters are whole numbers."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler


class Routes:
    """The routes of one resource; its methods are decorators for the handlers.

    A handler is called with the request, the store, and the path's parameters as keywords.
    """

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def get(self, path: str) -> Callable[[Handler], Handler]:
        """Answer GET."""
        return self._add("GET", path)

    def post(self, path: str) -> Callable[[Handler], Handler]:
        """Answer POST."""
        return self._add("POST", path)

    def delete(self, path: str) -> Callable[[Handler], Handler]:
        """Answer DELETE."""
        return self._add("DELETE", path)

    def _add(self, method: str, path: str) -> Callable[[Handler], Handler]:
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[0-9]{1,9})", path))

        def add(handler: Handler) -> Handler:
            self._routes.append(Route(method, pattern, handler))
            return handler

        return add
