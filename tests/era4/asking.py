"""Asking a service by hand, as curl would."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

PATIENCE_S = 10.0


def fetch(
    url: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b""
) -> tuple[int, Any]:
    """Status and JSON of an answer, whatever it is. Raises OSError if there is none."""
    asked = urllib.request.Request(  # noqa: S310
        url, body or None, dict(headers or {}), method=method
    )
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


def read(url: str) -> bytes:
    """What is at `url`."""
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310
        return answer.read()


def head_of(url: str) -> tuple[str, int]:
    """Host and port of http://HOST:PORT."""
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def until(holds: Callable[[], object]) -> None:
    """Waits for what must come."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)
