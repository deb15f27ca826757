"""What a good model would reply to `examples/lendery/tickets/return-a-book.md`."""

from __future__ import annotations

from contracts.planning import PlannedWork
from contracts.workflow import RelevantFile, WorkItem
from servers.writing.replies import Block, DeclaredTest
from tests.e2e.tickets import Change, Ticket

RETURN_A_BOOK = Ticket(
    "return-a-book",
    PlannedWork(
        goal="`POST /loans/{id}/return` marks a loan as returned today and answers with it; the book can be lent "
        "again, the loan no longer counts for its member, and it stays in the list with its `returned_on`.",
        relevant=(
            RelevantFile(path="lendery/loans.py", why="Holds the endpoints of /loans; the new one belongs here."),
            RelevantFile(path="lendery/store.py", why="Loan has no date of return; loan_of counts every loan as out."),
            RelevantFile(path="lendery/books.py", why="DELETE /books/{id} is alike: finds by id, then 409."),
            RelevantFile(path="tests/test_loans.py", why="Shows how endpoints of /loans are tested."),
            RelevantFile(path="tests/conftest.py", why="The fixtures: library with books and members, calendar."),
        ),
        work=(
            WorkItem(
                id="tests",
                agent="test_writer",
                path="tests/test_returns.py",
                instruction="Test POST /loans/{id}/return through the `library` and `calendar` fixtures, a test or "
                "more for each criterion. Check the detail of the 404, since a missing route answers 404 as well.",
                reads=("tests/test_loans.py", "tests/conftest.py", "tests/client.py", "lendery/loans.py"),
                check="Every test fails while the endpoint is missing.",
            ),
            WorkItem(
                id="store",
                agent="code_writer",
                path="lendery/store.py",
                instruction="Give Loan a field `returned_on: date | None = None`. Add Store.return_loan(loan), which "
                "sets it to today, keeps the loan and returns the new one. loan_of must find loans that are still "
                "out only. Add Store.open_loans_of(member) for those a member has not returned.",
                reads=("lendery/loans.py",),
                after=("tests",),
                check="The existing tests pass.",
            ),
            WorkItem(
                id="endpoint",
                agent="code_writer",
                path="lendery/loans.py",
                instruction="Add POST /loans/{id}/return as delete_book in books.py does it: the_loan for the 404, "
                "conflict for a loan that was returned, then Store.return_loan. Show `returned_on` (ISO date or "
                "null) in every loan, and count open loans only against MAX_LOANS.",
                reads=("lendery/store.py", "lendery/books.py", "tests/test_returns.py"),
                after=("store",),
                check="tests/test_returns.py passes.",
            ),
        ),
    ),
    {
        "tests": Change(
            "tests/test_returns.py",
            "Say how a book is returned",
            text='''from datetime import date

import pytest


@pytest.fixture
def lent(library):
    """A library whose book 2 is lent to member 1: loan 1."""
    library.post("/loans", {"book": 2, "member": 1})
    return library


def test_a_loan_is_returned_on_the_day_it_comes_back(lent, calendar):
    assert lent.get("/loans/1").body["returned_on"] is None
    calendar.day = date(2024, 3, 15)
    answer = lent.post("/loans/1/return")
    assert answer.status == 200
    assert answer.body["id"] == 1
    assert answer.body["lent_on"] == "2024-03-01"
    assert answer.body["returned_on"] == "2024-03-15"
    assert lent.get("/loans/1").body == answer.body


def test_an_unknown_loan_cannot_be_returned(lent):
    answer = lent.post("/loans/9/return")
    assert (answer.status, answer.body["detail"]) == (404, "There is no loan 9.")


def test_a_loan_is_returned_once(lent, calendar):
    assert lent.post("/loans/1/return").status == 200
    calendar.day = date(2024, 4, 1)
    assert lent.post("/loans/1/return").status == 409
    assert lent.get("/loans/1").body["returned_on"] == "2024-03-01"


def test_a_returned_book_is_available_and_can_be_lent_to_somebody_else(lent):
    lent.post("/loans/1/return")
    assert lent.get("/books/2").body["available"] is True
    again = lent.post("/loans", {"book": 2, "member": 2})
    assert again.status == 201
    assert lent.get("/books/2").body["available"] is False
    assert lent.post("/loans/1/return").status == 409
    assert lent.get("/books/2").body["available"] is False


def test_a_returned_loan_leaves_room_for_another_book(lent):
    for book in (1, 3):
        lent.post("/loans", {"book": book, "member": 1})
    assert lent.post("/loans", {"book": 4, "member": 1}).status == 409
    lent.post("/loans/1/return")
    assert lent.post("/loans", {"book": 4, "member": 1}).status == 201
    assert [loan["book"] for loan in lent.get("/loans?member=1").body] == [2, 1, 3, 4]
''',
            tests=(
                DeclaredTest(name="test_a_loan_is_returned_on_the_day_it_comes_back", criteria=("c1",)),
                DeclaredTest(name="test_an_unknown_loan_cannot_be_returned", criteria=("c2",)),
                DeclaredTest(name="test_a_loan_is_returned_once", criteria=("c3",)),
                DeclaredTest(
                    name="test_a_returned_book_is_available_and_can_be_lent_to_somebody_else", criteria=("c4",)
                ),
                DeclaredTest(name="test_a_returned_loan_leaves_room_for_another_book", criteria=("c5",)),
            ),
        ),
        "store": Change(
            "lendery/store.py",
            "A loan knows when it was returned, and a book is out on an open loan only",
            (
                Block(
                    search="from dataclasses import dataclass\n",
                    replace="from dataclasses import dataclass, replace\n",
                ),
                Block(
                    search="    lent_on: date\n",
                    replace="    lent_on: date\n    returned_on: date | None = None\n",
                ),
                Block(
                    search="    def member_with(self, email: str) -> Member | None:\n",
                    replace='''    def return_loan(self, loan: Loan) -> Loan:
        """Take the book of `loan` back, today."""
        returned = replace(loan, returned_on=self._today())
        self.loans[loan.id] = returned
        return returned

    def member_with(self, email: str) -> Member | None:
''',
                ),
                Block(
                    search="        return next((loan for loan in self.loans.values() if loan.book == book), None)\n",
                    replace="        out = (loan for loan in self.loans.values() if loan.returned_on is None)\n"
                    "        return next((loan for loan in out if loan.book == book), None)\n",
                ),
                Block(
                    search="        return [loan for loan in self.loans.values() if loan.member == member]\n",
                    replace='''        return [loan for loan in self.loans.values() if loan.member == member]

    def open_loans_of(self, member: int) -> list[Loan]:
        """What a member has borrowed and not returned."""
        return [loan for loan in self.loans_of(member) if loan.returned_on is None]
''',
                ),
            ),
        ),
        "endpoint": Change(
            "lendery/loans.py",
            "POST /loans/{id}/return marks a loan as returned",
            (
                Block(
                    search="""    return {"id": loan.id, "book": loan.book, "member": loan.member, """
                    """"lent_on": loan.lent_on.isoformat()}
""",
                    replace="""    return {
        "id": loan.id,
        "book": loan.book,
        "member": loan.member,
        "lent_on": loan.lent_on.isoformat(),
        "returned_on": loan.returned_on.isoformat() if loan.returned_on else None,
    }
""",
                ),
                Block(
                    search="    if len(store.loans_of(member.id)) >= MAX_LOANS:\n",
                    replace="    if len(store.open_loans_of(member.id)) >= MAX_LOANS:\n",
                ),
                Block(
                    search="    return ok(shown(the_loan(store, id)))\n",
                    replace='''    return ok(shown(the_loan(store, id)))


@routes.post("/loans/{id}/return")
def return_book(request: Request, store: Store, id: int) -> Response:
    """Take a lent book back; 409 when it was returned already."""
    loan = the_loan(store, id)
    if loan.returned_on:
        raise conflict(f"Loan {id} was returned already.")
    return ok(shown(store.return_loan(loan)))
''',
                ),
            ),
        ),
    },
)
