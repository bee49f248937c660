"""The ways into a shop that the contract knows: the counter of eras 0 to 2, and HTTP."""

import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.contract import (
    Customer,
    CustomerTimeout,
    CutOff,
    Door,
    NotTheContract,
    Outcome,
    ShopClosed,
    outcome_of,
    request_of,
)

LONGEST_ANSWER_BYTES = 16 << 20
SOCKET_PATH_BYTES = 107  # sun_path, unix(7): one less than its 108, for the closing zero


def door_at(address: str) -> Door:
    """The way in at `unix:PATH` (a counter), `http+unix:PATH` (a web shop behind a Unix socket),
    `http://host:port` or `https://host:port`. ValueError else.
    """
    scheme, _, path = address.partition(":")
    if scheme == "unix":
        return Counter(Path(path))
    if scheme == "http+unix":
        return Web("http://orders", Path(path))
    parts = urlsplit(address)
    if parts.scheme in ("http", "https") and parts.hostname:
        return Web(without_user(address))
    accepted = "unix:PATH and http://host:port (or http+unix:PATH)"
    raise ValueError(f"address {without_user(address)!r}: accepted are {accepted}")


def without_user(address: str) -> str:
    """The address without what stands before an @: `user:password` is nobody's business.

    RFC 9110, section 4.2.4, advises against it in an http URL; it is neither used nor shown.
    """
    scheme, slashes, rest = address.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{place.rpartition('@')[2]}{slash}{path}"


def customer_at(address: str) -> Customer:
    """A customer who goes in at that door. ValueError if it is none."""
    return Customer(door_at(address))


class Counter:
    """A Unix stream socket: one JSON operation a line, one JSON outcome a line."""

    def __init__(self, path: Path) -> None:
        if len(bytes(path)) > SOCKET_PATH_BYTES:
            raise ValueError(f"counter {path}: accepted are at most {SOCKET_PATH_BYTES} bytes")
        self._path = path
        self._line: socket.socket | None = None

    def ask(self, operation: Any, timeout_s: float) -> Outcome:
        """The outcome of one operation (or of bytes, sent as they are); raises NoOutcome."""
        raw = operation if isinstance(operation, bytes) else json.dumps(operation).encode()
        deadline = time.monotonic() + timeout_s
        try:
            answer = self._exchange(raw + b"\n", deadline)
        except TimeoutError as error:
            self.close()  # a late answer must not be taken for the next operation's
            raise CustomerTimeout(f"no answer within {timeout_s:g} s to {raw[:200]!r}") from error
        except OSError as error:
            self.close()
            raise CutOff(f"the counter {self._path} went away: {error}") from error
        return _outcome(answer)

    def close(self) -> None:
        if self._line:
            self._line.close()
        self._line = None

    def _exchange(self, line: bytes, deadline: float) -> bytes:
        counter = self._line or self._connect(deadline)
        counter.settimeout(_left(deadline))
        counter.sendall(line)
        answer = bytearray()
        while not answer.endswith(b"\n"):
            counter.settimeout(_left(deadline))
            piece = counter.recv(1 << 16)
            if not piece or len(answer) > LONGEST_ANSWER_BYTES:
                raise ConnectionError(f"connection ended after {len(answer)} bytes of an answer")
            answer += piece
        return bytes(answer)

    def _connect(self, deadline: float) -> socket.socket:
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._line.settimeout(_left(deadline))
        try:
            self._line.connect(str(self._path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            self.close()
            raise ShopClosed(f"nobody at the counter {self._path}: {error}") from error
        return self._line


class Web:
    """A shop that speaks HTTP, at an address of any host, in any language."""

    def __init__(self, url: str, unix_socket: Path | None = None) -> None:
        """`unix_socket`: where to connect instead of the URL's host."""
        parts = urlsplit(url)
        self._connection = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._unix_socket = unix_socket
        self._place = str(unix_socket or parts.netloc)
        self._host = parts.netloc
        self._prefix = parts.path.rstrip("/")

    def ask(self, operation: Any, timeout_s: float) -> Outcome:
        """The outcome of one operation; raises NoOutcome, ValueError for what HTTP cannot say.

        A connection per operation: a customer has no standing line. The timeout bounds each wait
        for the network and not their sum, as it does in most HTTP clients.
        """
        method, path, body = request_of(operation)
        connection = self._connect(timeout_s)
        headers = {"Accept": "application/json, application/problem+json"}
        if body:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._prefix + path, body or None, headers)
            response = connection.getresponse()
            return outcome_of(operation["op"], response.status, response.read())
        except TimeoutError as error:
            raise CustomerTimeout(f"no answer within {timeout_s:g} s: {method} {path}") from error
        except (OSError, http.client.HTTPException) as error:
            raise CutOff(f"{self._place} went away: {error!r}") from error
        finally:
            connection.close()

    def close(self) -> None: ...

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        connection = self._connection(self._host, timeout=timeout_s)
        try:
            if self._unix_socket:
                connection.sock = unix_connection(self._unix_socket, timeout_s)
            else:
                connection.connect()
        except OSError as error:
            connection.close()
            raise ShopClosed(f"nobody at {self._place}: {error}") from error
        return connection


def unix_connection(path: Path, timeout_s: float) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(timeout_s)
    try:
        line.connect(str(path))
    except OSError:
        line.close()
        raise
    return line


def _outcome(line: bytes) -> Outcome:
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise NotTheContract(f"the counter answered {line[:200]!r}, which is not JSON") from error
    if not isinstance(answer, dict) or "outcome" not in answer:
        raise NotTheContract(f"the counter answered {line[:200]!r}, which is no outcome")
    return answer


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
