"""HTTP as anybody on the network can speak it, from here or from inside orders' host.

`python -m tests.promises.web` reads a request from stdin as JSON and prints the answer as JSON.
"""

import http.client
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

ANSWER_S = 10.0


@dataclass(frozen=True)
class Request:
    """`url` is http://HOST:PORT; a `body` travels as JSON."""

    url: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True)
class Answer:
    """`headers` by their names in lower case. `status` 0: the era does not speak HTTP."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def outcome(self) -> str:
        """What the contract calls it; empty if it says nothing that we know."""
        try:
            return str(json.loads(self.text)["outcome"])
        except (ValueError, TypeError, KeyError):
            return ""


def exchange(request: Request) -> Answer:
    """One request on a connection of its own. Raises OSError, HTTPException."""
    body = None if request.body is None else json.dumps(request.body)
    kind = {} if body is None else {"Content-Type": "application/json"}
    connection = http.client.HTTPConnection(urlsplit(request.url).netloc, timeout=ANSWER_S)
    try:
        connection.request(request.method, request.path, body, {**kind, **request.headers})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read().decode(errors="replace"))
    finally:
        connection.close()


def with_token(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


if __name__ == "__main__":
    print(json.dumps(asdict(exchange(Request(**json.load(sys.stdin))))))
