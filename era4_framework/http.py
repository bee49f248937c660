"""The outbound edge: a request leaves as HTTP, and everything that can go wrong gets its name here.

Inside the framework there are only the errors of `errors.py`; what requests and urllib3 raise, and
what a status means, is said in this file and nowhere else. `web.py` is the inbound edge.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
import urllib3

from era4_framework.errors import BadAnswer, CallFailed, ConnectFailed, ConnectionLost, Timeout
from era4_framework.policies.classify import kind_of
from era4_framework.service import Request, Response

MOST_ANSWER_BYTES = 16 * 1024 * 1024
PIECE_BYTES = 64 * 1024
LONGEST_DETAIL = 200
LEAST_TIMEOUT_S = 0.001  # requests takes 0 for a mistake


class Http:
    """The innermost service of a client: sends the request to the instance that was chosen."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._threads = threading.local()  # a Session is not promised to be thread-safe

    def __call__(self, request: Request) -> Response:
        """Raises Unreachable or NoAnswer."""
        if request.endpoint is None or request.deadline is None:
            raise ValueError("no instance or no deadline: balancing or deadlines are not above")
        name, url = request.endpoint.instance.name, request.endpoint.instance.url + request.path
        until = request.deadline.at
        status, headers, body = self.exchange(
            name, request.method, url, request.body, request.headers, request.timeout_s, until
        )
        kind = kind_of(status, body.get("certain") is True)
        if kind:
            raise kind(f"{name}: {str(body.get('detail', status))[:LONGEST_DETAIL]}")
        if not isinstance(body.get("outcome"), str):
            raise BadAnswer(f"{name}: status {status}, and no outcome")
        return Response(status, body, headers)

    def exchange(
        self,
        name: str,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_s: float,
        until: float,
    ) -> tuple[int, Mapping[str, str], Mapping[str, Any]]:
        """Status, headers and JSON object of an answer. Raises ConnectFailed or NoAnswer.

        name: of whoever is asked, for errors. timeout_s: for connecting, and for every silence.
        until: when the whole answer must be there; a peer that trickles is not waited for.
        """
        timeout_s = max(LEAST_TIMEOUT_S, timeout_s)
        told = {"Content-Type": "application/json", **headers} if body else headers
        try:
            with self._session().request(
                method,
                url,
                data=body,
                headers=dict(told),
                timeout=timeout_s,
                stream=True,
                allow_redirects=False,  # where to ask is the resolver's matter
            ) as answer:
                content = self._whole(answer, name, until)
                return answer.status_code, answer.headers, _object(name, content)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _failure(name, timeout_s, error) from error

    def _whole(self, answer: requests.Response, name: str, until: float) -> bytes:
        content = bytearray()
        while piece := answer.raw.read1(PIECE_BYTES):
            content += piece
            if len(content) > MOST_ANSWER_BYTES:
                raise BadAnswer(f"{name}: more than {MOST_ANSWER_BYTES} bytes")
            if self._clock() >= until:
                raise Timeout(f"{name}: still answering when the deadline passed")
        return bytes(content)

    def _session(self) -> requests.Session:
        """This thread's own, with connections that are kept."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
            session.trust_env = False  # no proxy and no .netrc: services call each other directly
            session.headers["Accept-Encoding"] = "identity"
        return session


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


def _object(name: str, content: bytes) -> Mapping[str, Any]:
    try:
        members = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"{name}: its answer is not JSON") from error
    if not isinstance(members, dict):
        raise BadAnswer(f"{name}: its answer is no JSON object")
    return members
