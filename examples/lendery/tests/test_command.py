from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from lendery import __main__ as command


@pytest.fixture
def started(monkeypatch):
    """Where servers would have listened; none does, and each is interrupted at once."""
    places = []

    @contextmanager
    def make_server(host, port, app):
        def serve_forever():
            raise KeyboardInterrupt

        places.append((host, port))
        yield SimpleNamespace(server_port=port, serve_forever=serve_forever)

    monkeypatch.setattr(command, "make_server", make_server)
    return places


def test_it_listens_on_this_machine_only(started, capsys):
    command.main([])
    assert started == [("127.0.0.1", 8000)]
    assert "http://127.0.0.1:8000/books" in capsys.readouterr().out


def test_the_host_can_be_chosen(started):
    command.main(["--host", "0.0.0.0"])
    assert started == [("0.0.0.0", 8000)]


def test_an_unknown_option_is_refused(started, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--color"])
    assert ended.value.code == 2
    assert "--color" in capsys.readouterr().err
    assert started == []
