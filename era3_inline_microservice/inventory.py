"""Inventory: owns the stock.

Several instances run on one store. Each tells the registry that it lives, and asks of every caller
who it is, whether it may, how often, and how long it will wait; refuses what is too much; and can
be watched. All of it is in orders.py too, a little different: two copies as long as these are what
this era has to show. Only `reserve` has grown by something that is the shop's own: it knows an
order that it has already served.
"""

import json
import logging
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import flask
import jwt
import requests
import urllib3
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from waitress import wasyncore
from waitress.server import create_server
from waitress.task import WSGITask
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed
from werkzeug.routing import BaseConverter

from era0_naive import shop
from era0_naive.role import host_and_port

DEADLINE_S = 3.0  # for a caller that names none
BUSY_TIMEOUT_S = 0.4  # for another instance that holds the store: less than a caller's patience
HEARTBEAT_S = 0.5
LEASE_S = 2.0  # three heartbeats may be lost, the fourth is too late
REGISTRY_TIMEOUT_S = 0.5  # for one heartbeat
REGISTRY_PATIENCE_S = 5.0  # at the start; after that the heartbeats go on trying
QUOTA = {"orders": (500.0, 1000.0), "reports": (5.0, 10.0)}  # caller: calls a second, and at once
MAY = {"reserve": ("orders",), "release": ("orders",), "catalogue": ("orders", "reports")}
TOKEN_S = 60.0  # the life of a token; each heartbeat brings a new one
LEEWAY_S = 5.0  # clocks of two machines do not agree: RFC 7519, section 4.1.4
THREADS = 16
MOST_IN_FLIGHT = 12  # requests; the other threads refuse, and answer /health
MOST_CONNECTIONS = 150  # at once; they fit into the 256 files that macOS lets a process open
BACKLOG = 128  # connections that wait to be accepted
IDLE_CONNECTION_S = 30
MOST_HEADER_BYTES = 32 * 1024
MOST_REQUEST_BYTES = 64 * 1024
MOST_REGISTRY_BYTES = 16 * 1024
LEAST_SECRET_BYTES = 32  # as long as the hash: RFC 7518, section 3.2
SETTLE_S = 1.0  # after SIGTERM still open: two polls of the registry by those who call us
DRAIN_S = 3.0  # after that at most, until everybody inside has his answer
QUIET_S = 0.1  # who was answered only now may be sending already what he asks next

STATUS = {"conflict": 409, "out_of_stock": 409, "unknown_sku": 404, "invalid": 400}
ACCEPTED = "PUT, DELETE /reservations/ORDER_ID, GET /catalogue, /health, /ready, /metrics, in"
ACCEPTED += f" at most {MOST_REQUEST_BYTES} bytes"
REPEATED = "repeated"  # in a `reserved`: this call did not take the goods, an earlier one had

log = logging.getLogger("inventory")


class Refused(Exception):
    """Certainly not executed; `status` as in HTTP."""

    def __init__(self, status: int, why: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.headers = headers or {}


class Inventory:
    """What orders can ask for."""

    def __init__(
        self,
        stock: shop.Stock,
        products: Sequence[shop.Product],
        name: str,
        registry: str,
        secret: bytes,
    ) -> None:
        self.stock = stock
        self.products = products
        self.name = name
        self.registry = registry
        self.secret = secret
        self.url = ""
        self.session = requests.Session()  # used by one thread at a time: start, heart, drain
        self.session.trust_env = False  # no proxy, no .netrc: services call directly
        # told not to follow a redirect, it reads its body all the same, however long that is
        self.session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]
        self.draining = threading.Event()
        self.turn = threading.Lock()  # for the next two
        self.in_flight = 0
        self.buckets = {caller: Bucket(*quota) for caller, quota in QUOTA.items()}
        self.metrics = CollectorRegistry()
        call = ["caller", "callee", "op"]
        self.calls = Counter("requests", "Calls.", [*call, "outcome"], registry=self.metrics)
        self.seconds = Histogram("request_seconds", "Their time.", call, registry=self.metrics)
        self.load = Gauge("in_flight", "Unanswered now.", ["callee"], registry=self.metrics)
        self.load.labels(name).set_function(lambda: self.in_flight)

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        refused = shop.refusal(order_id, sku, quantity)
        if refused:
            return refused
        with self.stock.transaction():
            self._check_deadline()  # waiting for the store may have taken long
            held = self.stock.reserved(order_id)
            if held == [(sku, quantity)]:
                return shop.Outcome("reserved", REPEATED)
            if held:
                return shop.Outcome("conflict", f"order {order_id} holds {held}")
            if self.stock.was_released(order_id):
                return shop.Outcome("conflict", f"order {order_id} was released: this comes late")
            return self.stock.reserve(order_id, sku, quantity)

    def release(self, order_id: str) -> shop.Outcome:
        return self.stock.release(order_id)

    def catalogue(self) -> shop.Outcome:
        return shop.Outcome("catalogue", products=self.products)

    def answer(self, request: dict[str, Any]) -> flask.Response:
        """The call path: what happens between a request and its answer."""
        began = time.monotonic()
        flask.g.trace, flask.g.parent = _trace_context()
        with self.turn:
            self.in_flight += 1
            is_crowded = self.in_flight > MOST_IN_FLIGHT
        caller, outcome = "unknown", shop.unavailable("inventory failed", certain=False)
        try:
            caller = self._admit(request["op"], is_crowded)
            outcome = _misunderstood(request) or self._serve_one(request)
            return _response(request["op"], outcome)
        except Refused as refused:
            outcome = shop.unavailable(str(refused), certain=True)
            return _problem(refused.status, outcome, refused.headers)
        except shop.Busy:
            outcome = shop.unavailable("another instance holds the store", certain=True)
            return _problem(503, outcome, {"Retry-After": "1"})
        finally:
            with self.turn:
                self.in_flight -= 1
            self.calls.labels(caller, "inventory", request["op"], outcome.kind).inc()
            seconds = time.monotonic() - began
            self.seconds.labels(caller, "inventory", request["op"]).observe(seconds)
            self._report(request, outcome)

    def _admit(self, op: str, is_crowded: bool) -> str:
        """Who is calling, if the call is to be served, cheapest question first. Raises Refused.

        1. is there room   2. who is it   3. may it   4. not too often
        """
        if is_crowded:
            raise Refused(503, f"more than {MOST_IN_FLIGHT} at once", {"Retry-After": "1"})
        caller = _caller(self.secret)
        if caller not in MAY[op]:
            raise Refused(403, f"{caller} may not {op}")
        with self.turn:
            wait_s = self.buckets[caller].try_take(time.monotonic())
        if wait_s:
            raise Refused(429, f"quota of {caller} is spent", {"Retry-After": str(int(wait_s) + 1)})
        return caller

    def _check_deadline(self) -> None:
        if time.monotonic() >= flask.g.deadline:
            raise Refused(504, "the deadline has passed: nobody waits for this any more")

    def _serve_one(self, request: dict[str, Any]) -> shop.Outcome:
        self._check_deadline()
        get: Callable[[str], Any] = request.get  # what is missing is None, and refused
        match get("op"):
            case "reserve":
                return self.reserve(get("order_id"), get("sku"), get("quantity"))
            case "release":
                return self.release(get("order_id"))
            case "catalogue":
                return self.catalogue()
            case unknown:
                return shop.refuse("op", unknown, "reserve, release or catalogue")

    def register(self, url: str) -> None:
        """Takes a lease before we say that we are ready. Raises ValueError if it is refused."""
        self.url = url
        until = time.monotonic() + REGISTRY_PATIENCE_S
        while time.monotonic() < until:
            complaint = self._tell_registry("PUT")
            if not complaint:
                return
            time.sleep(0.1)
        log.warning("registry complaint=%r after_s=%g", complaint, REGISTRY_PATIENCE_S)

    def keep_lease(self) -> None:
        """The heartbeat: also fills a registry that started again, and is empty."""
        complaint = ""
        while not self.draining.wait(HEARTBEAT_S):
            before, complaint = complaint, self._beat()
            if complaint != before:
                log.warning("registry complaint=%r", complaint)

    def _beat(self) -> str:
        try:
            return self._tell_registry("PUT")
        except ValueError as error:
            return str(error)

    def _tell_registry(self, method: str) -> str:
        """Why the registry does not answer; empty if it does. Raises ValueError if it refuses."""
        issued = int(time.time())
        claims = {"sub": "inventory", "aud": "registry", "iat": issued}
        claims["exp"] = issued + int(TOKEN_S)
        token = jwt.encode(claims, self.secret, algorithm="HS256")
        try:
            with self.session.request(
                method,
                f"{self.registry}/services/inventory/{self.name}",
                json={"url": self.url, "lease_s": LEASE_S},
                headers={"Authorization": f"Bearer {token}"},
                timeout=REGISTRY_TIMEOUT_S,
                stream=True,
                allow_redirects=False,
            ) as response:
                said = (response.raw.read1(MOST_REGISTRY_BYTES) or b"").decode(errors="replace")
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            return f"{type(error).__name__}"
        if 400 <= response.status_code < 500:
            raise ValueError(f"registry {self.registry} refused {self.name}: {said}")
        return "" if response.status_code == 200 else f"status {response.status_code}"

    def _report(self, request: dict[str, Any], outcome: shop.Outcome) -> None:
        """A line for the trace, if the environment names a folder for it."""
        folder = os.environ.get("ERAS_TRACE")
        if not folder:
            return
        names = ("op", "order_id", "sku", "quantity")
        told = " ".join(str(request[name]) for name in names if name in request)[:120]
        event = {"t": time.monotonic(), "process": self.name, "what": "note", "from": self.name}
        event |= {"to": self.name, "id": request.get("order_id", "")[:64]}
        event |= {"note": f"{told}: {outcome.kind}", "trace": flask.g.trace}
        event |= {"span": secrets.token_hex(8), "parent": flask.g.parent}
        path = Path(folder) / f"{self.name}-{os.getpid()}.jsonl"
        with suppress(OSError), path.open("a") as trace:  # watching must not hurt
            trace.write(json.dumps(event) + "\n")

    def drain(self, heart: threading.Thread, server: Any) -> None:
        """Leaves the registry, shuts the door, and returns when all who are inside are served."""
        self.draining.set()
        if heart.is_alive():
            heart.join(2 * REGISTRY_TIMEOUT_S)  # its last beat must not undo what comes now
        with suppress(ValueError):
            self._tell_registry("DELETE")
        time.sleep(SETTLE_S)
        until = time.monotonic() + DRAIN_S
        server.trigger.pull_trigger(lambda: _shut_the_door(server))
        while time.monotonic() < until and (server.accepting or _is_busy(server)):
            time.sleep(0.01)
        # no thread may find the stock closed
        server.task_dispatcher.shutdown(timeout=max(0.1, until - time.monotonic()))


class Bucket:
    """A token bucket: `burst` calls at once, and `rate` a second for ever."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self.tokens = burst
        self.filled_at = 0.0

    def try_take(self, now: float) -> float:
        """0 if the call may pass; else the seconds until one may."""
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1:
            return (1 - self.tokens) / self.rate
        self.tokens -= 1
        return 0.0


def _caller(secret: bytes) -> str:
    """The name that the caller's token proves. Raises Refused."""
    scheme, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    challenge = {"WWW-Authenticate": "Bearer"}
    if scheme.lower() != "bearer":
        raise Refused(401, "no token; accepted: Authorization: Bearer TOKEN", challenge)
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],  # never what the token itself names: RFC 8725, section 3.1
            audience="inventory",
            leeway=LEEWAY_S,
            options={"require": ["exp", "sub", "aud"]},
        )
    except jwt.PyJWTError as error:
        # its class tells what is wrong; its text might repeat a piece of the token
        accepted = "HS256, signed with the shop's secret, aud inventory, with sub and exp"
        why = f"token refused: {type(error).__name__}; accepted: {accepted}"
        raise Refused(401, why, challenge) from None
    if claims["sub"] not in QUOTA:
        raise Refused(403, f"subject {claims['sub'][:64]!r} is none of {', '.join(QUOTA)}")
    return str(claims["sub"])


def _trace_context() -> tuple[str, str]:
    """Trace and parent as the caller names them; a new trace if it does not, or wrongly.

    W3C Trace Context, level 1, section 3.2.
    """
    header = flask.request.headers.get("traceparent", "")
    found = re.fullmatch(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", header)
    if not found or found[1] == "ff" or (found[1] == "00" and found[4]):
        return secrets.token_hex(16), ""
    if set(found[2]) == {"0"} or set(found[3]) == {"0"}:
        return secrets.token_hex(16), ""
    return found[2], found[3]


def _misunderstood(request: dict[str, Any]) -> shop.Outcome | None:
    """What is wrong with the deadline or the body, if anything; fills in both."""
    patience = flask.request.headers.get("X-Deadline-Ms")
    if patience is not None and not re.fullmatch(r"[0-9]{1,9}", patience):
        return shop.refuse("X-Deadline-Ms", patience, "whole milliseconds, 0 to 999999999")
    patience_s = DEADLINE_S if patience is None else int(patience) / 1000
    flask.g.deadline = time.monotonic() + min(DEADLINE_S, patience_s)
    if request["op"] != "reserve":
        return None
    try:
        body = json.loads(flask.request.get_data())
    except (ValueError, RecursionError):
        return shop.refuse("the body", flask.request.get_data(), "a JSON object")
    if not isinstance(body, dict):
        return shop.refuse("the body", body, "a JSON object")
    request |= {name: body[name] for name in ("sku", "quantity") if name in body}
    return None


def _response(op: str, outcome: shop.Outcome) -> flask.Response:
    if outcome.kind in STATUS:
        return _problem(STATUS[outcome.kind], outcome, {})
    status = 201 if outcome.kind == "reserved" and outcome.detail != REPEATED else 200
    return flask.Response(json.dumps(outcome.message()), status, mimetype="application/json")


def _problem(status: int, outcome: shop.Outcome, headers: dict[str, str]) -> flask.Response:
    """A refusal as problem details (RFC 9457)."""
    title = outcome.kind.replace("_", " ")
    problem = {"type": f"urn:seven-eras:{outcome.kind}", "title": title, "status": status}
    problem |= outcome.message()
    response = flask.Response(json.dumps(problem), status, mimetype="application/problem+json")
    response.headers.update(headers)
    return response


def _shut_the_door(server: Any) -> None:
    """Nobody new is let in: called by the thread that accepts. Who has knocked already still is."""
    for _ in range(BACKLOG):
        if server.readable():  # fewer connections than it may have
            server.handle_accept()
    wasyncore.dispatcher.close(server)  # server.close() would also cut off its own threads
    for channel in server.active_channels.values():
        channel.task_class = _last_task


def _last_task(channel: Any, request: Any) -> WSGITask:
    """The answer says `Connection: close`, as if it had been asked for (RFC 9112, section 9.6).

    waitress takes no such header from an application: PEP 3333 leaves it to the server.
    """
    if len(channel.requests) == 1:  # what was sent together with it is answered first
        request.headers["CONNECTION"] = "close"
    return WSGITask(channel, request)


def _is_busy(server: Any) -> bool:
    """Whether a request arrives or is under way, an answer is not sent yet, or all was just now."""
    channels = tuple(server.active_channels.values())
    if any(each.request or each.requests or each.total_outbufs_len for each in channels):
        return True
    return any(time.time() - each.last_activity < QUIET_S for each in channels)


class AnyText(BaseConverter):
    """Also nothing, slashes, line breaks: the shop's rule refuses such an id, and not a 404."""

    regex = r"[\s\S]*"
    part_isolating = False


def routes(inventory: Inventory) -> flask.Flask:
    """Where everything is found."""
    app = flask.Flask("inventory", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_REQUEST_BYTES
    app.url_map.merge_slashes = False
    app.url_map.converters["text"] = AnyText

    @app.put("/reservations/<text:order_id>")
    def reserve(order_id: str) -> flask.Response:
        flask.request.get_data()  # too large a body ends here, as 413
        return inventory.answer({"op": "reserve", "order_id": order_id})

    @app.delete("/reservations/<text:order_id>")
    def release(order_id: str) -> flask.Response:
        return inventory.answer({"op": "release", "order_id": order_id})

    @app.get("/catalogue")
    def catalogue() -> flask.Response:
        return inventory.answer({"op": "catalogue"})

    @app.get("/health")
    def health() -> dict[str, bool]:
        return {"healthy": True}

    @app.get("/ready")
    def is_ready() -> tuple[dict[str, bool], int]:
        can_serve = not inventory.draining.is_set()
        return {"ready": can_serve}, 200 if can_serve else 503

    @app.get("/metrics")
    def metrics() -> flask.Response:
        exposition = generate_latest(inventory.metrics)
        return flask.Response(exposition, mimetype="text/plain; version=0.0.4")

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> flask.Response:
        """No such path, no such method, too large a body; or our own fault (Flask logs it)."""
        if isinstance(error, InternalServerError):
            return _problem(500, shop.unavailable("inventory failed", certain=False), {})
        asked = f"{flask.request.method} {flask.request.path[:80]!r}"
        outcome = shop.Outcome("invalid", f"{asked}: {error.name}; accepted: {ACCEPTED}")
        allow = isinstance(error, MethodNotAllowed) and error.valid_methods
        return _problem(error.code or 400, outcome, {"Allow": ", ".join(allow)} if allow else {})

    return app


def main(
    name: str,
    listen: str,
    advertise: str | None,
    registry: str,
    store: Path,
    secret: Path,
    catalogue: Path | None,
    ready: Callable[[str], None],
) -> None:
    """Runs the service until it is stopped; `ready` is told where orders finds it.

    The server is waitress for the reasons that orders has; here it is the heartbeats that a fork
    would leave behind, and the quota that each process would grant anew.
    """
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queue is no news: we shed
    host_and_port(registry, "http")
    products = shop.read_catalogue(catalogue) if catalogue else shop.catalogue()
    key = _read_secret(secret)
    with (
        closing(shop.Stock(store, products, BUSY_TIMEOUT_S)) as stock,
        closing(_listener(listen)) as listener,
    ):
        inventory = Inventory(stock, products, name, registry, key)
        server: Any = create_server(
            routes(inventory),
            sockets=[listener],
            threads=THREADS,
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=IDLE_CONNECTION_S,
            max_request_header_size=MOST_HEADER_BYTES,
            max_request_body_size=16 * MOST_REQUEST_BYTES,  # up to here Flask says 413 better
            asyncore_use_poll=True,
            ident=None,
        )
        threading.Thread(target=server.run, daemon=True).start()
        host, port = listener.getsockname()
        url = f"http://{host}:{port}"
        heart = threading.Thread(target=inventory.keep_lease, daemon=True)
        try:
            inventory.register(advertise or url)
            heart.start()
            ready(url)
            threading.Event().wait()
        finally:
            inventory.drain(heart, server)


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
