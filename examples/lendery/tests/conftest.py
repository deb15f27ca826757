from datetime import date

import pytest
from client import Client

from lendery.app import Application
from lendery.store import Store


class Calendar:
    """A day that tests can turn."""

    def __init__(self):
        self.day = date(2024, 3, 1)

    def __call__(self):
        return self.day


@pytest.fixture
def calendar():
    return Calendar()


@pytest.fixture
def client(calendar):
    """An empty library."""
    return Client(Application(Store(calendar)))


@pytest.fixture
def library(client):
    """Four books (1 to 4) and two members (1 and 2)."""
    for title in ("Momo", "Krabat", "Emil", "Heidi"):
        client.post("/books", {"title": title, "author": "Somebody"})
    for name in ("Ada", "Grace"):
        client.post("/members", {"name": name, "email": f"{name}@example.org"})
    return client
