"""The WSGI application: finds the handler, reads and writes JSON, turns problems into answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from lendery import books, loans, members
from lendery.store import Store
from lendery.web import Handler, Problem, Request, Response, whole

MAX_BODY_BYTES = 64 * 1024

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Application:
    """The service over one store, as a WSGI callable (PEP 3333)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._routes = [*books.routes, *members.routes, *loans.routes]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        kind = "application/json"
        try:
            response = self._answer(environ)
        except Problem as problem:
            kind = "application/problem+json"
            response = Response(problem.status, problem.as_json(), problem.headers)
        body = b"" if response.body is None else json.dumps(response.body, ensure_ascii=False).encode()
        headers = [*response.headers.items(), ("Content-Length", str(len(body)))]
        if body:
            headers.append(("Content-Type", kind))
        start_response(f"{response.status.value} {response.status.phrase}", headers)
        return [body]

    def _answer(self, environ: Environ) -> Response:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO") or "/"
        handler, parameters = self._find(method, path)
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        body = _body(environ) if method == "POST" else {}
        return handler(Request(method, path, query, body), self._store, **parameters)

    def _find(self, method: str, path: str) -> tuple[Handler, dict[str, int]]:
        """The handler for a path and its parameters; 404 for no such path, 405 for no such method."""
        allowed = set()
        for route in self._routes:
            found = route.pattern.fullmatch(path)
            if found and route.method == method:
                return route.handler, {name: int(value) for name, value in found.groupdict().items()}
            if found:
                allowed.add(route.method)
        if not allowed:
            raise Problem(HTTPStatus.NOT_FOUND, f"There is nothing at {path}.")
        problem = Problem(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} does not take {method}.")
        problem.headers["Allow"] = ", ".join(sorted(allowed))
        raise problem


def _body(environ: Environ) -> dict[str, object]:
    """The JSON object that was sent; a request without a body has an empty one."""
    length = whole(environ.get("CONTENT_LENGTH") or "0")
    if length is None:
        raise Problem(HTTPStatus.BAD_REQUEST, "Content-Length must be a number.")
    if length > MAX_BODY_BYTES:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {MAX_BODY_BYTES} bytes.")
    if length == 0:
        return {}
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A body must be application/json.")
    try:
        body = json.loads(environ["wsgi.input"].read(length))
    except (ValueError, RecursionError):
        raise Problem(HTTPStatus.BAD_REQUEST, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The body must be a JSON object.")
    return body
