"""Orders: takes orders from customers, and asks inventory for the goods.

There are several inventories now, they come and go, and any of them may be dead, slow or full. So
orders finds them, chooses among them, gives up in time, tries again but not too often, leaves the
broken ones alone, says who it is, refuses what is too much, and can be watched. None of this is
about orders, and most of it stands in inventory.py once more, typed again. The length of this file
is the lesson: what makes it so long is no longer in the service in era 4.
"""

import ipaddress
import itertools
import json
import logging
import os
import random
import re
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

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

DEADLINE_S = 3.0  # for a customer's request as a whole; a customer may ask for less
BUSY_TIMEOUT_S = 0.4  # for who else holds the book: a thread is needed elsewhere
TRY_TIMEOUT_S = 0.5  # for one attempt: to connect, and for every silence in its answer
ATTEMPTS = 3  # in all
BACKOFF_BASE_S = 0.025  # the pause before attempt 2 is random below this, then below twice this,
BACKOFF_CAP_S = 0.25  # up to here ("full jitter": Brooker, AWS Architecture Blog, 2015)
BUDGET_TTL_S = 10.0  # the retries of so many seconds may be
BUDGET_RATIO = 0.2  # a fifth of the requests of the same seconds,
BUDGET_PER_S = 10.0  # and ten a second besides (Finagle's RetryBudget has these values)
FAILURES_TO_TRIP = 5  # in a row open an instance's circuit breaker
IN_TURN = ("catalogue",)  # asked of one instance after the other; all else of the less busy
COOL_DOWN_S = 1.0  # before an open breaker lets one probe through
POLL_S = 0.5  # how often the registry is asked
MOST_INSTANCES = 100  # of its list are used
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of an instance, as the registry has it
TOKEN_S = 60.0  # the life of a token; it is renewed at half of it
THREADS = 16
MOST_IN_FLIGHT = 14  # requests; the other threads refuse, and answer /health
MOST_CONNECTIONS = 150  # at once; they fit into the 256 files that macOS lets a process open
BACKLOG = 128  # connections that wait to be accepted
IDLE_CONNECTION_S = 30
MOST_HEADER_BYTES = 32 * 1024
MOST_REQUEST_BYTES = 64 * 1024
MOST_ANSWER_BYTES = 16 * 1024 * 1024  # of an inventory or the registry
PIECE_BYTES = 64 * 1024
LEAST_SECRET_BYTES = 32  # as long as the hash: RFC 7518, section 3.2
SETTLE_S = 0.5  # after SIGTERM still open, until balancers have seen that /ready says no
DRAIN_S = 3.0  # after that at most, until everybody inside has his answer
QUIET_S = 0.1  # who was answered only now may be sending already what he asks next

STATUS = {"conflict": 409, "out_of_stock": 409, "unknown_sku": 404, "not_found": 404}
STATUS |= {"invalid": 400, "unavailable": 503}  # every other outcome is a success
ACCEPTED = "PUT, GET, DELETE /orders/ID, GET /catalogue, /health, /ready, /metrics, in"
ACCEPTED += f" at most {MOST_REQUEST_BYTES} bytes"
# the only statuses under which an outcome is believed: another service may live there by now
ANSWERS: dict[str, dict[str, tuple[int, ...]]] = {
    "reserve": {"reserved": (200, 201), "out_of_stock": (409,), "conflict": (409,)},
    "release": {"released": (200,), "invalid": (400,)},
    "catalogue": {"catalogue": (200,)},
}
ANSWERS["reserve"] |= {"unknown_sku": (404,), "invalid": (400,)}
NOT_EXECUTED = (401, 403, 429, 503, 504)  # if problem details say so too

Verdict = Literal["success", "failure", "ignored"]
log = logging.getLogger("orders")


class CallFailed(Exception):
    """No outcome; `retry_after_s`: for so long it wants to be left alone, if it says so."""

    def __init__(self, why: str, retry_after_s: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Unreachable(CallFailed):
    """The request certainly was not executed: it may always be sent again."""


class TurnedAway(Unreachable):
    """It answered that it had no room, or that our token is no good to it: not executed, and no
    sign that the instance is broken. Another may have room, or the secret that we have."""


class NoAnswer(CallFailed):
    """Perhaps executed. Sent again only because inventory knows an order by its id."""


class Orders:
    """What customers can ask for, and how orders asks inventory for its part of it."""

    def __init__(self, book: shop.Book, registry: str, secret: bytes) -> None:
        self.book = book
        self.registry = registry
        self.secret = secret
        self.draining = threading.Event()
        self.turn = threading.Lock()  # for all below; nobody waits for the network while he has it
        self.in_flight = 0
        self.instances: list[Instance] = []
        self.rounds = itertools.count()
        self.budget = RetryBudget()
        self.token, self.token_until = "", 0.0
        self.registry_complaint = ""
        self.sessions = threading.local()  # a requests.Session is not promised to be thread-safe
        self.metrics = CollectorRegistry()
        call = ["caller", "callee", "op"]
        self.calls = Counter("requests", "Calls.", [*call, "outcome"], registry=self.metrics)
        self.seconds = Histogram("request_seconds", "Their time.", call, registry=self.metrics)
        attempt = ["callee", "instance"]
        self.attempts = Counter(
            "attempts", "Tries of calls.", [*attempt, "verdict"], registry=self.metrics
        )
        self.breakers = Gauge(
            "breaker_state", "0 closed, 1 half open, 2 open.", attempt, registry=self.metrics
        )
        self.loads = Gauge("in_flight", "Unanswered now.", attempt, registry=self.metrics)

    def place(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        return shop.place(self.book, self.reserve, order_id, sku, quantity, self.release)

    def cancel(self, order_id: str) -> shop.Outcome:
        return shop.cancel(self.book, self.release, order_id)

    def show(self, order_id: str) -> shop.Outcome:
        return shop.show(self.book, order_id)

    def catalogue(self) -> shop.Outcome:
        return self.ask({"op": "catalogue"})

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        request = {"op": "reserve", "order_id": order_id, "sku": sku, "quantity": quantity}
        return self.ask(request)

    def release(self, order_id: str) -> shop.Outcome:
        return self.ask({"op": "release", "order_id": order_id})

    def ask(self, request: dict[str, Any]) -> shop.Outcome:
        """The call path: what happens between a question and its answer."""
        began = time.monotonic()
        with self.turn:
            self.budget.deposit(began)
        outcome = self._ask_until_answered(request)
        self._count("orders", "inventory", request["op"], outcome.kind, began)
        return outcome

    def _ask_until_answered(self, request: dict[str, Any]) -> shop.Outcome:
        tried: dict[Instance, float] = {}  # and until when it wants to be left alone
        is_certain = True  # until an attempt is lost: it may have been executed, or may be yet
        for attempt in range(1, ATTEMPTS + 1):
            try:
                outcome = self._ask_once(request, attempt, tried)
                return outcome if is_certain else _in_doubt(outcome)
            except Unreachable as error:
                failure = str(error)
            except NoAnswer as error:
                failure, is_certain = str(error), False
            pause_s = self._rest_s(tried, time.monotonic())
            pause_s += random.uniform(0, min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** (attempt - 1)))
            obstacle = self._obstacle(attempt, pause_s)
            if obstacle:
                break
            time.sleep(pause_s)
        return shop.unavailable(f"{failure} ({obstacle})", is_certain)

    def _obstacle(self, attempt: int, pause_s: float) -> str:
        """Why there will be no further attempt; empty if there will."""
        now = time.monotonic()
        if attempt == ATTEMPTS:
            return f"attempt {attempt} of {ATTEMPTS}"
        if now + pause_s >= flask.g.deadline:
            return f"attempt {attempt}, and no time for another"
        with self.turn:
            is_allowed = self.budget.try_withdraw(now)
        return "" if is_allowed else f"attempt {attempt}, and the retry budget is spent"

    def _ask_once(
        self, request: dict[str, Any], attempt: int, tried: dict["Instance", float]
    ) -> shop.Outcome:
        """One question to one instance. Raises Unreachable or NoAnswer."""
        if time.monotonic() >= flask.g.deadline:
            raise Unreachable("the deadline has passed")
        instance, permit = self._choose(request["op"], tried, time.monotonic())
        span = secrets.token_hex(8)
        note = _told(request) + (f", attempt {attempt}" if attempt > 1 else "")
        self._report("call", "orders", instance.name, request, note, span)
        verdict: Verdict = "ignored"  # a fault of our own says nothing about the instance
        try:
            outcome = self._exchange(instance, request, span)
            verdict = "success"
            self._report("answer", instance.name, "orders", request, outcome.kind, span)
            return outcome
        except (Unreachable, NoAnswer) as error:
            verdict = _verdict(error)
            tried[instance] = time.monotonic() + error.retry_after_s
            self._report("note", "orders", "orders", request, str(error), span)
            raise
        finally:
            with self.turn:
                instance.in_flight -= 1
                instance.record(permit, verdict, time.monotonic())
            self.attempts.labels("inventory", instance.name, verdict).inc()

    def _choose(
        self, op: str, tried: dict["Instance", float], now: float
    ) -> tuple["Instance", int | None]:
        """Whom to ask, and the permit of its breaker.

        A change waits for the store, longer at one instance than at another: it goes to the less
        busy of two, drawn at random (Mitzenmacher 2001). Reading costs the same everywhere, so
        taking turns shares it best, and needs to know nothing.
        """
        with self.turn:
            among = self._candidates(tried, now)
            if not among:
                raise Unreachable("no instance of inventory is known")
            two = random.sample(among, min(2, len(among)))  # at random also decides a tie
            instance = min(two, key=lambda each: each.in_flight)
            if op in IN_TURN:
                instance = among[next(self.rounds) % len(among)]
            instance.in_flight += 1
            return instance, instance.admit(now)

    def _candidates(self, tried: dict["Instance", float], now: float) -> list["Instance"]:
        """Who may be asked next: the first of these that is not empty. Asked holding `turn`.

        1. instances that this request has not tried yet, with a breaker that admits
        2. any with a breaker that admits
        3. any at all: if all breakers are open they know nothing that helps (Envoy's panic)
        """
        admitting = [each for each in self.instances if each.admits(now)]
        untried = [each for each in admitting if each not in tried]
        return untried or admitting or self.instances

    def _rest_s(self, tried: dict["Instance", float], now: float) -> float:
        """How long to leave alone whoever may be asked next: not long if somebody is untried.

        Retry-After speaks of the one who says it (RFC 9110, section 10.2.3), not of his neighbours.
        """
        with self.turn:
            candidates = self._candidates(tried, now)
        return max([0.0, *(tried.get(each, now) - now for each in candidates)])

    def _exchange(self, instance: "Instance", request: dict[str, Any], span: str) -> shop.Outcome:
        """The question as HTTP, and the answer. Raises Unreachable or NoAnswer."""
        method, path, body = _as_http(request)
        left_s = flask.g.deadline - time.monotonic()
        headers = {
            "Authorization": f"Bearer {self._token()}",
            "X-Deadline-Ms": str(max(0, round(left_s * 1000) - 1)),  # smaller at every hop
            "traceparent": f"00-{flask.g.trace}-{span}-01",
        }
        status, answer, retry_after_s = self._fetch(
            method, instance.url + path, body, headers, instance.name, flask.g.deadline
        )
        outcome = shop.read_outcome(answer)
        if status in ANSWERS[request["op"]].get(outcome.kind, ()):
            return outcome
        told = f"status {status}, {outcome.detail or outcome.kind}"
        is_refusal = outcome.kind == "unavailable" and outcome.certain is True
        if not is_refusal or status not in NOT_EXECUTED:
            raise NoAnswer(f"{instance.name}: its answer makes no sense: {told}", retry_after_s)
        if status in (403, 429):  # they mean us: another instance would say the same
            return outcome
        raise TurnedAway(f"{instance.name}: {told}", retry_after_s)

    def _fetch(
        self, method: str, url: str, body: Any, headers: dict[str, str], name: str, deadline: float
    ) -> tuple[int, Any, float]:
        """Status and JSON of an answer, and when to come again. What requests raises ends here."""
        timeout_s = max(0.001, min(TRY_TIMEOUT_S, deadline - time.monotonic()))
        headers = {"Accept-Encoding": "identity", **headers}
        try:
            with self._session().request(
                method,
                url,
                json=body,
                headers=headers,
                timeout=timeout_s,
                stream=True,
                allow_redirects=False,
            ) as response:
                answer = json.loads(_whole(response, deadline, name))
                return response.status_code, answer, _retry_after_s(response)
        except requests.ConnectTimeout as error:
            raise Unreachable(f"{name}: no connection in {timeout_s:.3g} s") from error
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise NoAnswer(f"{name}: silent for {timeout_s:.3g} s") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # refused, no route ...: the only sign that nothing was sent is deep inside
            reason = getattr(error.args[0] if error.args else None, "reason", None)
            if isinstance(reason, urllib3.exceptions.NewConnectionError):
                raise Unreachable(f"{name}: no connection") from error
            raise NoAnswer(f"{name}: connection lost ({type(error).__name__})") from error
        except (ValueError, RecursionError) as error:
            raise NoAnswer(f"{name}: its answer is not JSON") from error

    def _session(self) -> requests.Session:
        """This thread's own, with connections that are kept."""
        if not hasattr(self.sessions, "mine"):
            session = requests.Session()
            session.trust_env = False  # no proxy, no .netrc: services call directly
            # told not to follow a redirect, it reads its body all the same, however long that is
            session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]
            self.sessions.mine = session
        mine: requests.Session = self.sessions.mine
        return mine

    def _token(self) -> str:
        """Our name, signed. Renewed at half its life, so that none expires on its way."""
        with self.turn:
            if time.monotonic() >= self.token_until:
                issued = int(time.time())
                claims = {"sub": "orders", "aud": "inventory", "iat": issued}
                claims["exp"] = issued + int(TOKEN_S)
                self.token = jwt.encode(claims, self.secret, algorithm="HS256")
                self.token_until = time.monotonic() + TOKEN_S / 2
            return self.token

    def refresh(self) -> None:
        """Asks the registry who is there. Whatever it answers, or not, the last list is kept."""
        try:
            url = f"{self.registry}/services/inventory"
            deadline = time.monotonic() + TRY_TIMEOUT_S
            status, answer, _ = self._fetch("GET", url, None, {}, "registry", deadline)
            found = _endpoints(answer) if status == 200 else []
            complaint = "" if found else f"registry: status {status}, no instance in its answer"
        except (Unreachable, NoAnswer) as error:
            found, complaint = [], str(error)
        if complaint != self.registry_complaint:
            log.warning("registry complaint=%r instances_kept=%d", complaint, len(self.instances))
            self.registry_complaint = complaint
        if not found:  # a young registry is likelier than an empty world (after Eureka)
            return
        with self.turn:
            known = {(each.name, each.url): each for each in self.instances}
            self.instances = [known.get(each) or Instance(*each) for each in found]
        self._forget_attempts()

    def _forget_attempts(self) -> None:
        """Of instances that left, each new one of which may have a new name: else they pile up."""
        samples = [sample for each in self.attempts.collect() for sample in each.samples]
        there = {each.name for each in self.instances}
        for callee, name, verdict in {tuple(sample.labels.values()) for sample in samples}:
            if name not in there:
                self.attempts.remove(callee, name, verdict)

    def follow_registry(self) -> None:
        """Asks it again and again, in a thread of its own, until we leave."""
        while not self.draining.wait(POLL_S):
            self.refresh()

    def answer(self, request: dict[str, Any]) -> flask.Response:
        """A customer's request, served: the inbound half of everything."""
        began = time.monotonic()
        flask.g.trace, flask.g.parent = _trace_context(flask.request.headers.get("traceparent", ""))
        flask.g.span = secrets.token_hex(8)
        with self.turn:
            self.in_flight += 1
            is_crowded = self.in_flight > MOST_IN_FLIGHT
        outcome = shop.unavailable("orders failed", certain=False)
        try:
            refused = _refusal(request, is_crowded, began)
            self._report("call", "customer", "orders", request, _told(request), flask.g.span)
            outcome = refused or self._serve_one(request)
        except shop.Busy:
            outcome = shop.unavailable("somebody else holds the book", certain=True)
        finally:
            with self.turn:
                self.in_flight -= 1
            self._count("customer", "orders", request["op"], outcome.kind, began)
            self._report("answer", "orders", "customer", request, outcome.kind, flask.g.span)
        return _response(request["op"], outcome)

    def _serve_one(self, request: dict[str, Any]) -> shop.Outcome:
        get: Callable[[str], Any] = request.get  # what is missing is None, and refused
        match get("op"):
            case "place":
                return self.place(get("order_id"), get("sku"), get("quantity"))
            case "cancel":
                return self.cancel(get("order_id"))
            case "show":
                return self.show(get("order_id"))
            case _:
                return self.catalogue()

    def _count(self, caller: str, callee: str, op: str, outcome: str, began: float) -> None:
        self.calls.labels(caller, callee, op, outcome).inc()
        self.seconds.labels(caller, callee, op).observe(time.monotonic() - began)

    def exposition(self) -> bytes:
        """The metrics as Prometheus reads them."""
        with self.turn:
            self.breakers.clear()  # instances that are gone are not told for ever
            self.loads.clear()
            for each in self.instances:
                self.breakers.labels("inventory", each.name).set(each.state())
                self.loads.labels("inventory", each.name).set(each.in_flight)
        return generate_latest(self.metrics)

    def _report(
        self, what: str, source: str, target: str, request: dict[str, Any], note: str, span: str
    ) -> None:
        """A line for the trace, if the environment names a folder for it."""
        folder = os.environ.get("ERAS_TRACE")
        if not folder:
            return
        event = {"t": time.monotonic(), "process": "orders", "what": what, "from": source}
        event |= {"to": target, "id": request.get("order_id", "")[:64], "note": note}
        parent = flask.g.parent if span == flask.g.span else flask.g.span
        event |= {"trace": flask.g.trace, "span": span, "parent": parent}
        path = Path(folder) / f"orders-{os.getpid()}.jsonl"
        with suppress(OSError), path.open("a") as trace:  # watching must not hurt
            trace.write(json.dumps(event) + "\n")

    def drain(self, server: Any) -> None:
        """Says no to balancers, shuts the door, and returns when all who are inside are served.

        The door stays open for SETTLE_S, until balancers have noticed; then who is inside has
        DRAIN_S. The threads end here: none of them may find the book closed.
        """
        self.draining.set()
        time.sleep(SETTLE_S)
        until = time.monotonic() + DRAIN_S
        server.trigger.pull_trigger(lambda: _shut_the_door(server))
        while (server.accepting or _is_busy(server)) and time.monotonic() < until:
            time.sleep(0.01)
        server.task_dispatcher.shutdown(timeout=max(0.1, until - time.monotonic()))


@dataclass(eq=False)
class Instance:
    """One inventory, and what its circuit breaker has learned. `turn` guards it.

    closed --5 failures in a row--> open --1 s--> half open, one probe --success--> closed
                                      ^                   |
                                      +----- failure -----+
    """

    name: str
    url: str
    in_flight: int = 0
    failures: int = 0  # in a row
    opened_at: float | None = None  # None: closed
    is_probing: bool = False
    term: int = 0  # grows with every change of state

    def admits(self, now: float) -> bool:
        """Whether a call would get a permit; `now` in seconds of one and the same clock."""
        if self.opened_at is None:
            return True
        return not self.is_probing and now >= self.opened_at + COOL_DOWN_S

    def admit(self, now: float) -> int | None:
        """The permit of a call; None for one that is made all the same, and teaches nothing."""
        if not self.admits(now):
            return None
        self.is_probing = self.opened_at is not None
        return self.term

    def record(self, permit: int | None, verdict: Verdict, now: float) -> None:
        """What came of the call that had this permit."""
        if permit != self.term:
            return  # a straggler: it was admitted before the state changed, and is no probe
        was_probe, self.is_probing = self.is_probing, False
        if verdict == "ignored":
            return
        self.failures = 0 if verdict == "success" else self.failures + 1
        if verdict == "success" and was_probe:
            self._change(opened_at=None)
        if verdict == "failure" and (was_probe or self.failures >= FAILURES_TO_TRIP):
            self._change(opened_at=now)

    def _change(self, opened_at: float | None) -> None:
        self.opened_at, self.failures, self.term = opened_at, 0, self.term + 1
        log.warning(
            "breaker instance=%s state=%s", self.name, ("closed", "half", "open")[self.state()]
        )

    def state(self) -> int:
        """0 closed, 1 half open, 2 open"""
        return 0 if self.opened_at is None else 1 if self.is_probing else 2


class RetryBudget:
    """How many retries may be made: so few that they cannot bring down what is merely slow."""

    def __init__(self) -> None:
        self.requests_at: deque[float] = deque()
        self.retries_at: deque[float] = deque()

    def deposit(self, now: float) -> None:
        """A request was made."""
        self._forget(now)
        self.requests_at.append(now)

    def try_withdraw(self, now: float) -> bool:
        """True if one more retry may be made; it is counted."""
        self._forget(now)
        most = BUDGET_RATIO * len(self.requests_at) + BUDGET_PER_S * BUDGET_TTL_S
        if len(self.retries_at) + 1 > most:
            return False
        self.retries_at.append(now)
        return True

    def _forget(self, now: float) -> None:
        for times in (self.requests_at, self.retries_at):
            while times and times[0] <= now - BUDGET_TTL_S:
                times.popleft()


def _verdict(error: Exception) -> Verdict:
    """What an attempt that failed says about the instance: whether it is a sign of a broken one."""
    if isinstance(error, TurnedAway):
        return "ignored"
    # else customers with a patience of 1 ms could open every breaker
    return "ignored" if time.monotonic() >= flask.g.deadline else "failure"


def _in_doubt(outcome: shop.Outcome) -> shop.Outcome:
    """A refusal after an attempt that was lost: that one may be under way yet, and be served."""
    if outcome.kind in ("out_of_stock", "unavailable"):
        return replace(outcome, certain=False)
    if outcome.kind in ("invalid", "unknown_sku"):
        return shop.unavailable(f"after a lost attempt: {outcome.detail}", certain=False)
    return outcome  # also a conflict: whatever is late conflicts as well, and takes nothing


def _as_http(request: dict[str, Any]) -> tuple[str, str, Any]:
    """Method, path and body of a question to inventory."""
    match request["op"]:
        case "reserve":
            body = {"sku": request["sku"], "quantity": request["quantity"]}
            return "PUT", f"/reservations/{request['order_id']}", body
        case "release":
            return "DELETE", f"/reservations/{request['order_id']}", None
        case _:
            return "GET", "/catalogue", None


def _retry_after_s(response: requests.Response) -> float:
    """How long we are told to wait (RFC 9110, section 10.2.3); 0 if not, or by a date."""
    told = response.headers.get("Retry-After", "")
    return float(told) if re.fullmatch(r"[0-9]{1,6}", told) else 0.0


def _whole(response: requests.Response, deadline: float, name: str) -> bytes:
    """The body, if it ends before the deadline: a peer that trickles is not waited for."""
    body = bytearray()
    while piece := response.raw.read1(PIECE_BYTES):
        body += piece
        if len(body) > MOST_ANSWER_BYTES:
            raise NoAnswer(f"{name}: an answer of more than {MOST_ANSWER_BYTES} bytes")
        if time.monotonic() >= deadline:
            raise NoAnswer(f"{name}: only {len(body)} bytes of its answer in time")
    return bytes(body)


def _endpoints(answer: Any) -> list[tuple[str, str]]:
    """Name and URL of each instance in the registry's answer; what makes no sense is left out.

    A host is an IP address: what a name means, somebody else says, and may say otherwise later.
    """
    listed = answer.get("instances") if isinstance(answer, dict) else None
    endpoints = []
    for each in listed[:MOST_INSTANCES] if isinstance(listed, list) else []:
        with suppress(AttributeError, TypeError, ValueError):
            host, _ = host_and_port(each.get("url"), "http")
            ipaddress.ip_address(host)
            if NAME.fullmatch(each.get("name")):
                endpoints.append((each.get("name"), each.get("url")))
    return endpoints


def _trace_context(header: str) -> tuple[str, str]:
    """Trace and parent as traceparent names them; a new trace for a header that is wrong.

    W3C Trace Context, level 1, section 3.2: four fields, none of them all zeros, version ff is
    none, and only later versions may bring more fields.
    """
    found = re.fullmatch(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", header)
    if not found or found[1] == "ff" or (found[1] == "00" and found[4]):
        return secrets.token_hex(16), ""
    if not int(found[2], 16) or not int(found[3], 16):
        return secrets.token_hex(16), ""
    return found[2], found[3]


def _refusal(request: dict[str, Any], is_crowded: bool, began: float) -> shop.Outcome | None:
    """What is wrong before the shop's rules are asked. Fills in the body and sets the deadline.

    1. too many requests at once   2. a deadline that is none   3. a body that is no JSON object
    """
    flask.g.deadline = began + DEADLINE_S
    if is_crowded:
        return shop.unavailable(f"more than {MOST_IN_FLIGHT} requests at once", certain=True)
    patience = flask.request.headers.get("X-Deadline-Ms")
    if patience is not None and not re.fullmatch(r"[0-9]{1,9}", patience):
        return shop.refuse("X-Deadline-Ms", patience, "whole milliseconds, 0 to 999999999")
    if patience is not None:
        flask.g.deadline = began + min(DEADLINE_S, int(patience) / 1000)
    if request["op"] != "place":
        return None
    try:
        body = json.loads(flask.request.get_data())
    except (ValueError, RecursionError):
        return shop.refuse("the body", flask.request.get_data(), "a JSON object")
    if not isinstance(body, dict):
        return shop.refuse("the body", body, "a JSON object")
    request |= {name: body[name] for name in ("sku", "quantity") if name in body}
    return None


def _told(request: dict[str, Any]) -> str:
    names = ("op", "order_id", "sku", "quantity")
    return " ".join(str(request[name]) for name in names if name in request)[:120]


def _response(op: str, outcome: shop.Outcome, status: int | None = None) -> flask.Response:
    """The outcome as HTTP: a refusal as problem details (RFC 9457)."""
    message = outcome.message()
    status = status or STATUS.get(outcome.kind)
    if status is None:
        status = 201 if (op, outcome.kind) == ("place", "placed") else 200
        return flask.Response(json.dumps(message), status, mimetype="application/json")
    title = outcome.kind.replace("_", " ")
    problem = {"type": f"urn:seven-eras:{outcome.kind}", "title": title, "status": status}
    problem |= message
    response = flask.Response(json.dumps(problem), status, mimetype="application/problem+json")
    if outcome.kind == "unavailable":
        response.headers["Retry-After"] = "1"
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


def routes(orders: Orders) -> flask.Flask:
    """Where everything is found."""
    app = flask.Flask("orders", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_REQUEST_BYTES
    app.url_map.merge_slashes = False
    app.url_map.converters["text"] = AnyText

    @app.put("/orders/<text:order_id>")
    def place(order_id: str) -> flask.Response:
        flask.request.get_data()  # too large a body ends here, as 413
        return orders.answer({"op": "place", "order_id": order_id})

    @app.delete("/orders/<text:order_id>")
    def cancel(order_id: str) -> flask.Response:
        return orders.answer({"op": "cancel", "order_id": order_id})

    @app.get("/orders/<text:order_id>")
    def show(order_id: str) -> flask.Response:
        return orders.answer({"op": "show", "order_id": order_id})

    @app.get("/catalogue")
    def catalogue() -> flask.Response:
        return orders.answer({"op": "catalogue"})

    @app.get("/health")
    def health() -> dict[str, bool]:
        return {"healthy": True}

    @app.get("/ready")
    def is_ready() -> tuple[dict[str, Any], int]:
        names = [each.name for each in orders.instances]
        can_serve = bool(names) and not orders.draining.is_set()
        return {"ready": can_serve, "instances": names}, 200 if can_serve else 503

    @app.get("/metrics")
    def metrics() -> flask.Response:
        return flask.Response(orders.exposition(), mimetype="text/plain; version=0.0.4")

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> flask.Response:
        """No such path, no such method, too large a body; or our own fault (Flask logs it)."""
        if isinstance(error, InternalServerError):
            return _response("", shop.unavailable("orders failed", certain=False), 500)
        asked = f"{flask.request.method} {flask.request.path[:80]!r}"
        outcome = shop.Outcome("invalid", f"{asked}: {error.name}; accepted: {ACCEPTED}")
        response = _response("", outcome, error.code)
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = ", ".join(error.valid_methods or ())
        return response

    return app


def main(
    listen: str, registry: str, store: Path, secret: Path, ready: Callable[[str], None]
) -> None:
    """Runs the service until it is stopped; `ready` is told where customers find it.

    The server is waitress: one process with a pool of threads.
    * Breakers, requests in flight, budgets and quotas are in one memory. With a process per core,
      as gunicorn has them, each would count for itself.
    * A thread gets a request when all of it is there: who sends slowly costs a connection only.
    * Nothing is forked, so threads that follow the registry, or beat as a heart, go on living.
    The price: one process computes on one core. More instances are the way to more of them.
    """
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queue is no news: we shed
    host_and_port(registry, "http")
    with closing(shop.Book(store, BUSY_TIMEOUT_S)) as book, closing(_listener(listen)) as listener:
        orders = Orders(book, registry, _read_secret(secret))
        orders.refresh()
        server: Any = create_server(
            routes(orders),
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
        threading.Thread(target=orders.follow_registry, daemon=True).start()
        host, port = listener.getsockname()
        ready(f"http://{host}:{port}")
        try:
            threading.Event().wait()
        finally:
            orders.drain(server)


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
