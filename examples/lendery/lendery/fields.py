"""Takes the fields of a request's body, and says all that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TypeVar

from lendery.web import Problem

MAX_TEXT = 200

T = TypeVar("T")


class Fields:
    """The body of a request: ask for each field, then call `check`."""

    def __init__(self, body: Mapping[str, object]) -> None:
        self._body = body
        self._asked: set[str] = set()
        self._errors: dict[str, str] = {}

    def text(self, name: str) -> str:
        """A text that is not blank, without blanks around it."""
        value = self._take(name)
        if not isinstance(value, str) or not value.strip():
            return self._wrong(name, "a text is needed", "")
        if len(value) > MAX_TEXT:
            return self._wrong(name, f"at most {MAX_TEXT} characters", "")
        return value.strip()

    def email(self, name: str) -> str:
        """Something that looks like a mail address, in lower case."""
        value = self.text(name).lower()
        user, at, host = value.partition("@")
        if value and not (user and at and "." in host and " " not in value):
            return self._wrong(name, "a mail address is needed", "")
        return value

    def number(self, name: str) -> int:
        """A whole number above 0."""
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            return self._wrong(name, "a whole number above 0 is needed", 0)
        return value

    def optional_number(self, name: str) -> int | None:
        """The same, or nothing."""
        if self._take(name) is None:
            return None
        return self.number(name)

    def check(self) -> None:
        """Refuse the body if anything is wrong with it.

        Raises:
            Problem: 422, with what is wrong by field.
        """
        for name in self._body.keys() - self._asked:
            self._wrong(name, "this field is not known", None)
        if self._errors:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are wrong.", dict(sorted(self._errors.items())))

    def _take(self, name: str) -> object:
        self._asked.add(name)
        return self._body.get(name)

    def _wrong(self, name: str, why: str, instead: T) -> T:
        self._errors[name] = why
        return instead
