"""What the library has and who has it: all in memory, gone when the process ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Book:
    """A book; there is one copy of each."""

    id: int
    title: str
    author: str
    year: int | None = None


@dataclass(frozen=True)
class Member:
    """Somebody who may borrow."""

    id: int
    name: str
    email: str


@dataclass(frozen=True)
class Loan:
    """A book that was lent to a member."""

    id: int
    book: int
    member: int
    lent_on: date


class Store:
    """Books, members and loans by id. Ids are counted from 1 and never used again."""

    def __init__(self, today: Callable[[], date] = date.today) -> None:
        self._today = today
        self._last_id = {"book": 0, "member": 0, "loan": 0}
        self.books: dict[int, Book] = {}
        self.members: dict[int, Member] = {}
        self.loans: dict[int, Loan] = {}

    def add_book(self, title: str, author: str, year: int | None = None) -> Book:
        """Put a book on the shelf."""
        book = Book(self._next("book"), title, author, year)
        self.books[book.id] = book
        return book

    def add_member(self, name: str, email: str) -> Member:
        """Let somebody in."""
        member = Member(self._next("member"), name, email)
        self.members[member.id] = member
        return member

    def add_loan(self, book: Book, member: Member) -> Loan:
        """Lend `book` to `member`, today."""
        loan = Loan(self._next("loan"), book.id, member.id, self._today())
        self.loans[loan.id] = loan
        return loan

    def member_with(self, email: str) -> Member | None:
        """Who has this address."""
        return next((member for member in self.members.values() if member.email == email), None)

    def loan_of(self, book: int) -> Loan | None:
        """The loan a book is out on."""
        return next((loan for loan in self.loans.values() if loan.book == book), None)

    def loans_of(self, member: int) -> list[Loan]:
        """What a member has borrowed, oldest first."""
        return [loan for loan in self.loans.values() if loan.member == member]

    def _next(self, kind: str) -> int:
        self._last_id[kind] += 1
        return self._last_id[kind]
