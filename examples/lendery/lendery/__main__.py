"""`python -m lendery`: serve an empty library."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from wsgiref.simple_server import make_server

from lendery.app import Application
from lendery.store import Store

HOST = "127.0.0.1"
PORT = 8000


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m lendery", description="Serve an empty library.")
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s)")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    asked = options(words)
    with make_server(asked.host, PORT, Application(Store())) as server:
        print(f"Lending books at http://{asked.host}:{server.server_port}/books (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("Closed.")


if __name__ == "__main__":
    main()
