import pytest


def test_there_are_no_books_at_first(client):
    answer = client.get("/books")
    assert (answer.status, answer.body) == (200, [])


def test_a_book_is_added_and_found_where_the_answer_says(client):
    answer = client.post("/books", {"title": " Momo ", "author": "Michael Ende", "year": 1973})
    assert answer.status == 201
    assert answer.body == {"id": 1, "title": "Momo", "author": "Michael Ende", "year": 1973, "available": True}
    assert client.get(answer.headers["Location"]).body == answer.body


def test_the_year_may_be_unknown(client):
    assert client.post("/books", {"title": "Beowulf", "author": "unknown"}).body["year"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"author": "Michael Ende"}, "title"),
        ({"title": "  ", "author": "Michael Ende"}, "title"),
        ({"title": "Momo", "author": 7}, "author"),
        ({"title": "M" * 201, "author": "Michael Ende"}, "title"),
        ({"title": "Momo", "author": "Michael Ende", "year": "1973"}, "year"),
        ({"title": "Momo", "author": "Michael Ende", "colour": "grey"}, "colour"),
    ],
)
def test_a_wrong_field_is_named(client, body, field):
    answer = client.post("/books", body)
    assert answer.status == 422
    assert list(answer.body["errors"]) == [field]
    assert client.get("/books").body == []


def test_all_wrong_fields_are_named_at_once(client):
    assert list(client.post("/books", {}).body["errors"]) == ["author", "title"]


def test_books_can_be_narrowed_to_an_author(client):
    client.post("/books", {"title": "Momo", "author": "Michael Ende"})
    client.post("/books", {"title": "Krabat", "author": "Otfried Preußler"})
    assert [book["title"] for book in client.get("/books?author=ende").body] == ["Momo"]


def test_a_book_that_does_not_exist(client):
    assert client.get("/books/1").status == 404
    assert client.get("/books/one").status == 404
    assert client.delete("/books/1").status == 404


def test_a_book_is_deleted(library):
    answer = library.delete("/books/1")
    assert (answer.status, answer.body) == (204, None)
    assert library.get("/books/1").status == 404


def test_a_lent_book_is_not_deleted(library):
    library.post("/loans", {"book": 1, "member": 1})
    assert library.delete("/books/1").status == 409
    assert library.get("/books/1").body["available"] is False
