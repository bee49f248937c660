"""The registry: which instances there are, and where.

An instance takes a lease and renews it by its heartbeat. One that dies cannot say so: its lease
runs out (Gray and Cheriton, 1989). All of it is in memory: a registry that starts again is empty,
and full again one heartbeat later.

What it is about is `Leases`; the rest is how a service is asked, and who may. That is written out
here for a third time, and makes this file as long as it is: this era has no library in which the
three could share it, and era 4 runs this file as it stands.
"""

import ipaddress
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import flask
import jwt
from waitress.server import create_server
from werkzeug.exceptions import HTTPException

from era0_naive.role import host_and_port

SHORTEST_LEASE_S, LONGEST_LEASE_S = 0.1, 3600.0
LEAST_SECRET_BYTES = 32  # as long as the hash: RFC 7518, section 3.2
LEEWAY_S = 5.0  # clocks of two machines do not agree: RFC 7519, section 4.1.4
THREADS = 4
MOST_CONNECTIONS = 150  # at once; they fit into the 256 files that macOS lets a process open
BACKLOG = 128  # connections that wait to be accepted
IDLE_CONNECTION_S = 30
MOST_HEADER_BYTES = 32 * 1024
MOST_REQUEST_BYTES = 64 * 1024
NETWORKS = ("127.0.0.0/8",)  # where instances may live, unless the command line says otherwise
ACCEPTED = (
    "GET /services/SERVICE, PUT and DELETE /services/SERVICE/INSTANCE, GET /health,"
    f" in at most {MOST_REQUEST_BYTES} bytes"
)
OPERATOR = "operator"  # may write for every service, such as one that cannot register itself
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Key = tuple[str, str]  # service, instance


@dataclass(frozen=True)
class Lease:
    """Where an instance is, and until when that is believed."""

    url: str
    ends_at: float


class Leases:
    """Who holds a lease. Times are seconds of any one clock, given as `now`."""

    def __init__(self) -> None:
        self._leases: dict[Key, Lease] = {}

    def renew(self, service: str, instance: str, url: str, lease_s: float, now: float) -> None:
        """Take a lease, or prolong it, or move it to another address: the last word counts."""
        self._leases[service, instance] = Lease(url, now + lease_s)

    def give_back(self, service: str, instance: str) -> bool:
        """True if there was one."""
        return self._leases.pop((service, instance), None) is not None

    def instances(self, service: str, now: float) -> list[dict[str, str]]:
        """Name and URL of everyone whose lease has not ended, by name."""
        self._expire(now)
        mine = sorted(
            (key[1], lease.url) for key, lease in self._leases.items() if key[0] == service
        )
        return [{"name": name, "url": url} for name, url in mine]

    def _expire(self, now: float) -> None:
        self._leases = {key: lease for key, lease in self._leases.items() if now < lease.ends_at}


class Refused(Exception):
    """The request is not served; `status` as in HTTP."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def routes(secret: bytes, networks: Sequence[str]) -> flask.Flask:
    """The lease table behind HTTP. Raises ValueError if a network is none."""
    allowed = [ipaddress.ip_network(network) for network in networks]
    leases, turn = Leases(), threading.Lock()
    app = flask.Flask("registry", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_REQUEST_BYTES

    @app.put("/services/<service>/<instance>")
    def renew(service: str, instance: str) -> tuple[dict[str, Any], int]:
        _authorise(service, secret)
        _check_name("service", service)
        _check_name("instance", instance)
        url, lease_s = _wanted(flask.request.get_data(), allowed)
        with turn:
            leases.renew(service, instance, url, lease_s, time.monotonic())
        return {"name": instance, "url": url, "lease_s": lease_s}, 200

    @app.delete("/services/<service>/<instance>")
    def give_back(service: str, instance: str) -> dict[str, Any]:
        _authorise(service, secret)
        with turn:
            return {"name": instance, "was_there": leases.give_back(service, instance)}

    @app.get("/services/<service>")
    def instances(service: str) -> dict[str, Any]:
        with turn:
            return {"service": service, "instances": leases.instances(service, time.monotonic())}

    @app.get("/health")
    def health() -> dict[str, bool]:
        return {"healthy": True}

    @app.errorhandler(Refused)
    def refuse(error: Refused) -> flask.Response:
        return _problem(error.status, str(error))

    @app.errorhandler(HTTPException)
    def misunderstand(error: HTTPException) -> flask.Response:
        asked = f"{flask.request.method} {flask.request.path[:80]!r}"
        return _problem(error.code or 500, f"{asked}: {error.name}; accepted: {ACCEPTED}")

    return app


def _authorise(service: str, secret: bytes) -> None:
    """A service writes about itself and nobody else. Raises Refused."""
    scheme, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Refused(401, "no token; accepted: Authorization: Bearer TOKEN")
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],  # never what the token itself names: RFC 8725, section 3.1
            audience="registry",
            leeway=LEEWAY_S,
            options={"require": ["exp", "sub", "aud"]},
        )
    except jwt.PyJWTError as error:
        accepted = "HS256, signed with the shop's secret, aud registry, with sub and exp"
        why = f"token refused: {type(error).__name__}; accepted: {accepted}"
        raise Refused(401, why) from None  # the error's own text might repeat a piece of the token
    if claims["sub"] not in (service, OPERATOR):
        raise Refused(403, f"the token's subject may not write service {service}")


def _check_name(what: str, name: str) -> None:
    if not NAME.fullmatch(name):
        accepted = "1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first"
        raise Refused(400, f"{what} is {name[:80]!r}; accepted: {accepted}")


def _wanted(body: bytes, allowed: Sequence[Any]) -> tuple[str, float]:
    """URL and lease of a registration. Raises Refused."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is {body[:80]!r}; accepted: a JSON object") from error
    if not isinstance(asked, dict):
        raise Refused(400, f"the body is {body[:80]!r}; accepted: a JSON object")
    lease_s: Any = asked.get("lease_s")
    if type(lease_s) not in (int, float) or not SHORTEST_LEASE_S <= lease_s <= LONGEST_LEASE_S:
        accepted = f"seconds from {SHORTEST_LEASE_S} to {LONGEST_LEASE_S}"
        raise Refused(400, f"lease_s is {str(lease_s)[:80]!r}; accepted: {accepted}")
    url: Any = asked.get("url")
    if not _is_inside(url, allowed):
        networks = ", ".join(map(str, allowed))
        raise Refused(400, f"url is {str(url)[:80]!r}; accepted: http://IP:PORT inside {networks}")
    return url, float(lease_s)


def _is_inside(url: Any, allowed: Sequence[Any]) -> bool:
    """Whether clients may be sent there: a registry must not aim them at what is not ours."""
    try:
        host, _ = host_and_port(url, "http")
        address = ipaddress.ip_address(host)
    except (TypeError, ValueError):
        return False
    return any(address in network for network in allowed)


def _problem(status: int, detail: str) -> flask.Response:
    """Problem details: RFC 9457; of the type about:blank the title is the status's own."""
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return flask.Response(json.dumps(problem), status, mimetype="application/problem+json")


def main(
    listen: str, secret: Path, networks: Sequence[str] | None, ready: Callable[[str], None]
) -> None:
    """Runs the registry until it is stopped; `ready` is told where it is found."""
    app = routes(_read_secret(secret), networks or NETWORKS)
    with _listener(listen) as listener:
        server = create_server(
            app,
            sockets=[listener],
            threads=THREADS,
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=IDLE_CONNECTION_S,
            max_request_header_size=MOST_HEADER_BYTES,
            max_request_body_size=16 * MOST_REQUEST_BYTES,  # up to here Flask says 413 better
            asyncore_use_poll=True,
            ident=None,
        )
        host, port = listener.getsockname()
        ready(f"http://{host}:{port}")
        server.run()


def _listener(address: str) -> socket.socket:
    """Raises ValueError or OSError, naming the address, if it cannot be listened at."""
    try:
        return socket.create_server(host_and_port(address, "http", least_port=0), backlog=BACKLOG)
    except OSError as error:
        raise OSError(
            f"address {address!r}: {error.strerror}; accepted: an address of this machine with"
            " a free port, or port 0 for any"
        ) from error


def _read_secret(path: Path) -> bytes:
    """What tokens are signed with: the file's bytes without the white space around them."""
    accepted = f"a file of at least {LEAST_SECRET_BYTES} bytes, as 64 hex digits"
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ValueError(f"secret {path}: {error.strerror}; accepted: {accepted}") from error
    if len(secret) < LEAST_SECRET_BYTES:
        raise ValueError(f"secret {path} has {len(secret)} bytes; accepted: {accepted}")
    return secret
