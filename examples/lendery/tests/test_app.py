def test_a_path_that_is_not_there(client):
    answer = client.get("/shelves")
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing at /shelves.",
    }


def test_a_method_that_a_path_does_not_take(client):
    answer = client.delete("/books")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


def test_a_body_must_be_a_json_object(client):
    assert client.ask("POST", "/books", b"{", CONTENT_TYPE="application/json").status == 400
    assert client.ask("POST", "/books", b"[]", CONTENT_TYPE="application/json").status == 422
    assert client.ask("POST", "/books", b"title=Momo", CONTENT_TYPE="text/plain").status == 415


def test_a_body_has_a_size(client):
    assert client.post("/books", {"title": "M" * 70_000}).status == 413
    assert client.ask("POST", "/books", CONTENT_LENGTH="many").status == 400
