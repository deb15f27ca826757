"""`/books`: what the library has."""

from __future__ import annotations

from lendery.fields import Fields
from lendery.store import Book, Store
from lendery.web import Request, Response, Routes, conflict, created, no_content, not_found, ok

routes = Routes()


def shown(book: Book, store: Store) -> dict[str, object]:
    """A book as it is answered."""
    return {
        "id": book.id,
        "title": book.title,
        "author": book.author,
        "year": book.year,
        "available": store.loan_of(book.id) is None,
    }


def the_book(store: Store, id: int) -> Book:
    """The book with this id.

    Raises:
        Problem: 404.
    """
    if id not in store.books:
        raise not_found(f"book {id}")
    return store.books[id]


@routes.get("/books")
def list_books(request: Request, store: Store) -> Response:
    """All books; `?author=` keeps those by whoever has this in their name."""
    author = request.query.get("author", "").casefold()
    return ok([shown(book, store) for book in store.books.values() if author in book.author.casefold()])


@routes.post("/books")
def add_book(request: Request, store: Store) -> Response:
    """Add a book: `title`, `author`, and `year` if it is known."""
    fields = Fields(request.body)
    title, author, year = fields.text("title"), fields.text("author"), fields.optional_number("year")
    fields.check()
    book = store.add_book(title, author, year)
    return created(shown(book, store), f"/books/{book.id}")


@routes.get("/books/{id}")
def show_book(request: Request, store: Store, id: int) -> Response:
    """One book."""
    return ok(shown(the_book(store, id), store))


@routes.delete("/books/{id}")
def delete_book(request: Request, store: Store, id: int) -> Response:
    """Take a book off the shelf; 409 while somebody has it."""
    book = the_book(store, id)
    if store.loan_of(book.id):
        raise conflict(f"Book {id} is lent.")
    del store.books[book.id]
    return no_content()
