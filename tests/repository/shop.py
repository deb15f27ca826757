"""A small project to be read: its files, and a repository server over a worktree of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from contracts.workspace import OpenParams
from servers.repository import Repository
from servers.workspace import Workspace
from tests.git_project import RUN, FakeCall, Project, bring_in

FILES: dict[str, str | bytes] = {
    "README.md": "# Shop\n\nOrders, invoices and refunds.\n",
    "logo.png": b"\x89PNG\0refund",
    "shop/__init__.py": "",
    "shop/money.py": '"""Amounts."""\n\n\nclass Cents(int):\n    def rounded(self) -> "Cents":\n        return self\n',
    "shop/orders.py": '''"""Orders as they come in."""

from shop.money import Cents
from shop.web import route


@route("POST", "/orders")
def place_order(request, store):
    """Take an order."""
    if request.body is None:
        raise ValueError("an order has lines")
    return store.orders.add(request.body)


@route("GET", "/orders/{id}")
def show_order(request, store, id):
    """One order."""
    return store.orders.get(id)
''',
    "shop/refunds.py": '''"""Money given back."""

from .money import Cents


class RefundDesk:
    """Gives money back."""

    def refund(self, order: int, amount: Cents = Cents(0)) -> Cents:
        """Give `amount` back for `order`."""

        def local(): ...

        return amount
''',
    "shop/web.py": "def route(method, path):\n    return lambda handler: handler\n",
    "shop/weather.py": "def forecast(): ...\n",
    "tests/test_refunds.py": "from shop.refunds import RefundDesk\n\n\ndef test_refund(): ...\n",
}


async def reader_of(files: Mapping[str, str | bytes], folder: Path) -> Repository:
    """A repository server over the committed `files`."""
    project = Project(folder / "p")
    project.commit(files)
    return await opened(project, folder / "work")


async def opened(project: Project, work: Path) -> Repository:
    """A repository server over the last commit of `project`."""
    room, brought = bring_in(project, work)
    await Workspace(room).open(OpenParams(run=RUN, base=brought.base), FakeCall())
    return Repository(room)
