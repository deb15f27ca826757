"""Calls the application without a socket."""

import io
import json
from dataclasses import dataclass


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: object


@dataclass
class Client:
    app: object

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, body: object = None) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        return self.ask("POST", path, data, CONTENT_TYPE="application/json")

    def delete(self, path: str) -> Answer:
        return self.ask("DELETE", path)

    def ask(self, method: str, path: str, data: bytes = b"", **environ: str) -> Answer:
        path, _, query = path.partition("?")
        said = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_LENGTH": str(len(data))}
        started = []
        chunks = self.app({**said, "wsgi.input": io.BytesIO(data), **environ}, lambda *line: started.append(line))
        text = b"".join(chunks).decode()
        status, headers = started[0]
        return Answer(int(status.split()[0]), dict(headers), json.loads(text) if text else None)
