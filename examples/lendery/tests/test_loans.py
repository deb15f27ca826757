import pytest


def test_a_book_is_lent_today(library):
    answer = library.post("/loans", {"book": 2, "member": 1})
    assert answer.status == 201
    assert answer.body["book"] == 2
    assert answer.body["member"] == 1
    assert answer.body["lent_on"] == "2024-03-01"
    assert library.get(answer.headers["Location"]).body == answer.body


def test_a_lent_book_is_not_available(library):
    library.post("/loans", {"book": 2, "member": 1})
    assert [book["available"] for book in library.get("/books").body] == [True, False, True, True]


def test_a_book_is_lent_once_at_a_time(library):
    library.post("/loans", {"book": 2, "member": 1})
    answer = library.post("/loans", {"book": 2, "member": 2})
    assert (answer.status, answer.body["detail"]) == (409, "Book 2 is lent.")


def test_a_member_has_three_books_at_most(library):
    for book in (1, 2, 3):
        assert library.post("/loans", {"book": book, "member": 1}).status == 201
    assert library.post("/loans", {"book": 4, "member": 1}).status == 409
    assert library.post("/loans", {"book": 4, "member": 2}).status == 201


@pytest.mark.parametrize("body", [{"book": 9, "member": 1}, {"book": 1, "member": 9}])
def test_book_and_member_must_exist(library, body):
    assert library.post("/loans", body).status == 404


@pytest.mark.parametrize("book", [0, -1, "1", 1.0, True, None])
def test_an_id_is_a_number(library, book):
    answer = library.post("/loans", {"book": book, "member": 1})
    assert (answer.status, list(answer.body["errors"])) == (422, ["book"])


def test_loans_are_listed_for_a_member(library):
    for book, member in ((1, 1), (2, 2), (3, 1)):
        library.post("/loans", {"book": book, "member": member})
    assert [loan["book"] for loan in library.get("/loans").body] == [1, 2, 3]
    assert [loan["book"] for loan in library.get("/loans?member=1").body] == [1, 3]


def test_loans_of_nobody(library):
    assert library.get("/loans?member=9").status == 404
    assert library.get("/loans?member=ada").status == 422


def test_a_loan_that_does_not_exist(library):
    assert library.get("/loans/1").status == 404
