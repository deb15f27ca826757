"""The work a plan holds: whether it can be carried out, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from contracts.file_names import name_problem
from contracts.planning import MAX_ITEMS
from contracts.test_names import decides_tests, holds_tests, is_test, stands_in
from contracts.workflow import WorkItem


def work_problem(work: Sequence[WorkItem], agents: Collection[str], avoid: Sequence[str]) -> str:
    """Why this work cannot be carried out by these `agents`; "" when it can."""
    if len(work) > MAX_ITEMS:
        return f"at most {MAX_ITEMS} items are carried out, found {len(work)}"
    ids = [item.id for item in work]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        return f"item ids must be distinct; found twice: {', '.join(twice)}"
    for item in work:
        if wrong := _item_problem(item, agents, avoid, ids):
            return f"item {item.id}: {wrong}"
        code = sorted({each.id for each in work if each.agent != "test_writer"} & set(item.after))
        if item.agent == "test_writer" and code:
            return f"item {item.id}: tests come before the code, to be seen failing; it cannot wait for {code[0]}"
    try:
        order = waves(work)
    except ValueError as error:
        return str(error)
    for wave in order:
        paths = [item.path for item in wave]
        if shared := sorted({path for path in paths if paths.count(path) > 1}):
            return f"two items change {shared[0]} at once; name one of them in the other's `after`"
    return ""


def _item_problem(item: WorkItem, agents: Collection[str], avoid: Sequence[str], ids: Collection[str]) -> str:
    if item.agent not in agents:
        return f"nobody may be given work as {item.agent!r}; there are {', '.join(sorted(agents))}"
    for path in (item.path, *item.reads):
        if wrong := name_problem(path):
            return wrong
    if any(f"{item.path}/".startswith(f"{prefix.rstrip('/')}/") for prefix in avoid):
        return f"{item.path} is not to be changed"
    if decides_tests(item.path):
        return f"{item.path} decides how tests run; it is not written by agents"
    if is_test(item.path) and not holds_tests(item.path):
        return f"{item.path} is among the tests and no test file (test_*.py, *_test.py); nobody writes it"
    if is_test(item.path) != (item.agent == "test_writer"):
        return f"{item.path} is for {'test_writer' if is_test(item.path) else 'code_writer'}"
    if unknown := sorted(set(item.after) - set(ids)):
        return f"`after` names {', '.join(unknown)}, which is no item"
    return ""


def tree_problem(work: Sequence[WorkItem], files: Collection[str]) -> str:
    """Why this work does not fit a tree that has these `files`; "" when it does."""
    folders = {str(folder) for path in files for folder in PurePosixPath(path).parents}
    written = {*files, *(item.path for item in work)}
    for item in work:
        if item.path in folders:
            return f"item {item.id}: {item.path} is a folder; name one file"
        if above := sorted({str(each) for each in PurePosixPath(item.path).parents} & written):
            return f"item {item.id}: {item.path} cannot lie below {above[0]}, which is a file"
        if item.path not in files and (module := stands_in(item.path)):
            return f"item {item.id}: {item.path} would be imported in place of {module}; give it another name"
    return ""


def waves(work: Sequence[WorkItem]) -> list[list[WorkItem]]:
    """The items in groups that can be written at the same time, all tests before any code.

    Raises:
        ValueError: items wait for each other in a circle.
    """
    order: list[list[WorkItem]] = []
    done: set[str] = set()
    while len(done) < len(work):
        ready = [item for item in work if item.id not in done and set(item.after) <= done]
        if not ready:
            left = ", ".join(item.id for item in work if item.id not in done)
            raise ValueError(f"these items wait for each other in a circle: {left}")
        tests = [item for item in ready if item.agent == "test_writer"]
        order.append(tests or ready)
        done |= {item.id for item in order[-1]}
    return order
