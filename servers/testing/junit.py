"""Reads JUnit XML, the one report nearly every test runner can write.

The form is that of the Ant and Maven Surefire reports: `testsuites`/`testsuite`/`testcase` with `failure`,
`error` or `skipped` inside.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from xml.etree import ElementTree

from contracts.test_runner import TestCase, TestOutcome
from servers.testing.text import shown

MAX_BYTES = 32 << 20
MAX_CASES = 100_000


class NoReport(Exception):
    """There is no report, or it is not one; the message says which."""


def read_report(tree: Path, name: str) -> tuple[TestCase, ...]:
    """The cases of the report the tests left in the scratch copy.

    Raises:
        NoReport: it is missing, no regular file, too large, or not JUnit XML.
    """
    try:
        fd = os.open(tree / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as wrong:
        raise NoReport(f"the command left no report at {name}: {wrong.strerror}") from wrong
    inside = Path(f"/proc/self/fd/{fd}").resolve().is_relative_to(tree.resolve())
    if not inside or not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NoReport(f"{name} is not a regular file inside the tree")
    with os.fdopen(fd, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise NoReport(f"{name} is larger than {MAX_BYTES >> 20} MB")
    return parse(data)


def parse(data: bytes) -> tuple[TestCase, ...]:
    """The cases of a report, in its order.

    Raises:
        NoReport: it is not JUnit XML. A document type is refused: entities are what XML attacks are made of.
    """
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"\0" in data[:4]:
        raise NoReport("the report declares a document type, or is not in an 8-bit encoding")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as wrong:
        raise NoReport(f"the report is not XML: {wrong}") from wrong
    if root.tag not in ("testsuites", "testsuite"):
        raise NoReport(f"the report begins with <{shown(root.tag[:50])}>, not <testsuites>")
    return tuple(_case(element) for element, _ in zip(root.iter("testcase"), range(MAX_CASES), strict=False))


def _case(element: ElementTree.Element) -> TestCase:
    parts = [element.get("classname", ""), element.get("name", "")]
    outcome: TestOutcome = "passed"
    message = detail = ""
    for tag, meaning in (("skipped", "skipped"), ("failure", "failed"), ("error", "error")):
        found = element.find(tag)
        if found is not None:
            outcome = "skipped" if meaning == "skipped" else "failed" if meaning == "failed" else "error"
            message, detail = found.get("message", ""), found.text or ""
    try:
        seconds = max(0.0, float(element.get("time", "0")))
    except ValueError:
        seconds = 0.0
    return TestCase(
        id=shown("::".join(part for part in parts if part)[:4096]),
        outcome=outcome,
        duration_s=seconds if seconds < 1e9 else 0.0,
        message=shown(message[:1000]),
        detail=shown(detail[:8000]),
    )
