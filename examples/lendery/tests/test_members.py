import pytest


def test_a_member_is_added_and_found_where_the_answer_says(client):
    answer = client.post("/members", {"name": "Ada", "email": "Ada@Example.org"})
    assert answer.status == 201
    assert answer.body == {"id": 1, "name": "Ada", "email": "ada@example.org"}
    assert client.get(answer.headers["Location"]).body == answer.body


def test_members_are_listed(library):
    assert [member["name"] for member in library.get("/members").body] == ["Ada", "Grace"]


@pytest.mark.parametrize("email", ["", "ada", "@example.org", "ada@", "ada@home", "a da@example.org", None])
def test_an_address_must_look_like_one(client, email):
    answer = client.post("/members", {"name": "Ada", "email": email})
    assert answer.status == 422
    assert list(answer.body["errors"]) == ["email"]


def test_an_address_belongs_to_one_member(library):
    assert library.post("/members", {"name": "Another Ada", "email": "ADA@example.org"}).status == 409


def test_a_member_who_does_not_exist(client):
    assert client.get("/members/1").status == 404
