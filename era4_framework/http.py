"""The outbound edge: a request leaves as HTTP, and everything that can go wrong gets its name here.

Inside the framework there are only the errors of `errors.py`; what requests and urllib3 raise, and
what a status means, is said in this file and nowhere else. `web.py` is the inbound edge.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from era4_framework.errors import (
    BadAnswer,
    CallFailed,
    ConnectFailed,
    ConnectionLost,
    Timeout,
)
from era4_framework.policies.classify import kind_of
from era4_framework.service import Request, Response

MOST_INSTANCES = 100  # whose connections are kept
MOST_IDLE = 16  # connections to each
MOST_ANSWER_BYTES = 16 * 1024 * 1024
PIECE_BYTES = 64 * 1024
LONGEST_DETAIL = 200
LEAST_TIMEOUT_S = 0.001  # requests takes 0 for a mistake


class Http:
    """The innermost service of a client: sends the request to the instance that was chosen.

    Beneath a requests.Session lies its adapter, which keeps the connections. What the Session adds
    is not wanted here: cookies, redirects, .netrc, proxies from the environment, and their time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._adapter = HTTPAdapter(pool_connections=MOST_INSTANCES, pool_maxsize=MOST_IDLE)

    def __call__(self, request: Request) -> Response:
        """Raises Unreachable or NoAnswer."""
        if request.endpoint is None or request.deadline is None:
            raise ValueError("no instance or no deadline: balancing or deadlines are not above")
        instance, until = request.endpoint.instance, request.deadline.at
        asked = requests.Request(
            request.method, instance.url + request.path, dict(request.headers), data=request.body
        )
        status, headers, body = self.exchange(instance.name, asked, request.timeout_s, until)
        kind = kind_of(status, body.get("certain") is True)
        if kind:
            why = f"{instance.name}: {str(body.get('detail', status))[:LONGEST_DETAIL]}"
            raise _refusal(kind, why, headers.get("Retry-After", ""))
        if not isinstance(body.get("outcome"), str):
            raise BadAnswer(f"{instance.name}: status {status}, and no outcome")
        return Response(status, body, headers)

    def exchange(
        self, name: str, asked: requests.Request, timeout_s: float, until: float
    ) -> tuple[int, Mapping[str, str], Mapping[str, Any]]:
        """Status, headers and JSON object of an answer. Raises ConnectFailed or NoAnswer.

        name: of whoever is asked, for errors. timeout_s: for connecting, and for every silence.
        until: when the whole body must be there. Headers that trickle are waited for longer: each
        line of them is a silence of its own, to http.client.
        """
        timeout_s = max(LEAST_TIMEOUT_S, timeout_s)
        if asked.data:
            asked.headers["Content-Type"] = "application/json"
        try:
            answer = self._adapter.send(asked.prepare(), stream=True, timeout=timeout_s)
            with answer:
                return answer.status_code, answer.headers, self._object(name, answer, until)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _failure(name, timeout_s, error) from error

    def _object(self, name: str, answer: requests.Response, until: float) -> Mapping[str, Any]:
        content = bytearray()
        while piece := answer.raw.read1(PIECE_BYTES):
            content += piece
            if len(content) > MOST_ANSWER_BYTES:
                raise BadAnswer(f"{name}: an answer of more than {MOST_ANSWER_BYTES} bytes")
            if self._clock() >= until:
                raise Timeout(f"{name}: only {len(content)} bytes of its answer in time")
        try:
            members = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise BadAnswer(f"{name}: its answer is not JSON") from error
        if not isinstance(members, dict):
            raise BadAnswer(f"{name}: its answer is no JSON object")
        return members


def _refusal(kind: type[CallFailed], why: str, retry_after: str) -> CallFailed:
    """The error that the callee raised; when to come again is one of seconds (RFC 9110, 10.2.3)."""
    is_told = retry_after.isascii() and retry_after.isdigit() and len(retry_after) <= 6
    return kind(why, float(retry_after) if is_told else 0.0)


def _failure(name: str, timeout_s: float, error: Exception) -> CallFailed:
    """What requests and urllib3 raise, in our words.

    1. no connection came about: certainly not executed
    2. a connection came about and went silent or broke: perhaps executed
    """
    if isinstance(error, requests.ConnectTimeout):
        return ConnectFailed(f"{name}: no connection in {timeout_s:.3g} s")
    # that nothing was sent is told deep inside only: ConnectionError(MaxRetryError(reason))
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return ConnectFailed(f"{name}: no connection")
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return Timeout(f"{name}: silent for {timeout_s:.3g} s")
    if isinstance(error, requests.ConnectionError | urllib3.exceptions.ProtocolError):
        return ConnectionLost(f"{name}: the connection ended before its answer")
    return BadAnswer(f"{name}: {type(error).__name__}")
