"""`/loans`: who has what."""

from __future__ import annotations

from http import HTTPStatus

from lendery.books import the_book
from lendery.fields import Fields
from lendery.members import the_member
from lendery.store import Loan, Store
from lendery.web import Problem, Request, Response, Routes, conflict, created, not_found, ok, whole

MAX_LOANS = 3
"""So many books a member may have at once."""

routes = Routes()


def shown(loan: Loan) -> dict[str, object]:
    """A loan as it is answered."""
    return {"id": loan.id, "book": loan.book, "member": loan.member, "lent_on": loan.lent_on.isoformat()}


def the_loan(store: Store, id: int) -> Loan:
    """The loan with this id.

    Raises:
        Problem: 404.
    """
    if id not in store.loans:
        raise not_found(f"loan {id}")
    return store.loans[id]


@routes.get("/loans")
def list_loans(request: Request, store: Store) -> Response:
    """All loans; `?member=` keeps those of one member, 404 for one who does not exist."""
    asked = request.query.get("member")
    if asked is None:
        return ok([shown(loan) for loan in store.loans.values()])
    id = whole(asked)
    if id is None:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The query is wrong.", {"member": "a member's id is needed"})
    return ok([shown(loan) for loan in store.loans_of(the_member(store, id).id)])


@routes.post("/loans")
def lend_book(request: Request, store: Store) -> Response:
    """Lend `book` to `member`, both ids; 409 when the book is out, or the member has `MAX_LOANS` already."""
    fields = Fields(request.body)
    book_id, member_id = fields.number("book"), fields.number("member")
    fields.check()
    book, member = the_book(store, book_id), the_member(store, member_id)
    if store.loan_of(book.id):
        raise conflict(f"Book {book.id} is lent.")
    if len(store.loans_of(member.id)) >= MAX_LOANS:
        raise conflict(f"Member {member.id} has {MAX_LOANS} books already.")
    loan = store.add_loan(book, member)
    return created(shown(loan), f"/loans/{loan.id}")


@routes.get("/loans/{id}")
def show_loan(request: Request, store: Store, id: int) -> Response:
    """One loan."""
    return ok(shown(the_loan(store, id)))
