"""What is told of each request: metrics, a line in the access log, and events for the ladders."""

from __future__ import annotations

import time

from era4_framework.errors import CallFailed
from era4_framework.policies.breaker import Verdict
from era5_sidecar.access_log import AccessLog
from era5_sidecar.endpoint import Endpoint
from era5_sidecar.filters import Call
from era5_sidecar.http1 import RequestHead
from era5_sidecar.metrics import Metrics
from era5_sidecar.tape import Tape
from era5_sidecar.tracing import Span

CUSTOMER = "customer"


class Watching:
    """One for each proxy; both sides tell it."""

    def __init__(self, service: str, metrics: Metrics, log: AccessLog, tape: Tape) -> None:
        self.service = service
        self.metrics = metrics
        self.log = log
        self.tape = tape
        self.is_on = tape.is_on

    def came_in(
        self, caller: str, request: RequestHead, status: int, seconds: float, span: Span
    ) -> None:
        """A request from outside came to its end."""
        caller = caller or CUSTOMER
        method = request.method.decode()
        self.metrics.request("inbound", caller, self.service, method, status, seconds)
        self.log.add(
            time.time(),
            "inbound",
            caller,
            method,
            request.target.decode("latin-1"),
            status,
            seconds,
            self.tape.process,
            1,
            span.trace.decode(),
        )

    def went_out(
        self, call: Call, request: RequestHead, status: int, seconds: float, span: Span
    ) -> None:
        """A request of our service came to its end."""
        method = request.method.decode()
        self.metrics.request("outbound", self.service, call.service, method, status, seconds)
        instance = call.asked.instance.name if call.asked else ""
        self.log.add(
            time.time(),
            "outbound",
            self.service,
            method,
            request.target.decode("latin-1"),
            status,
            seconds,
            instance,
            call.attempt,
            span.trace.decode(),
        )

    def refused(self, direction: str, failure: Exception) -> None:
        """A request was not let through, or came to nothing: by the kind of its failure."""
        self.metrics.refused(direction, type(failure).__name__)

    def injected(self, what: str) -> None:
        """Trouble was made on purpose: a `delay` or an `abort`; or a route has an `answer`."""
        self.metrics.refused("injected", what)

    def retry(self, callee: str) -> None:
        self.metrics.retry(callee)

    def sent(self, endpoint: Endpoint, request: RequestHead, span: Span, attempt: int) -> None:
        """An attempt leaves."""
        if self.is_on:
            again = f", attempt {attempt}" if attempt > 1 else ""
            note = f"{request.method.decode()} {request.target.decode('latin-1')}{again}"
            name = endpoint.instance.name
            self._write("call", self.tape.process, name, request, note, span)

    def attempt(
        self,
        endpoint: Endpoint,
        request: RequestHead,
        span: Span,
        verdict: Verdict,
        failure: CallFailed | None,
    ) -> None:
        """An attempt ended."""
        name = endpoint.instance.name
        # `value` is a property in Python, and takes ten times as long
        self.metrics.attempt(endpoint.service, name, verdict._value_)
        if self.is_on:
            told = str(failure) if failure else "answered"
            self._write("answer", name, self.tape.process, request, told, span)

    def _write(
        self, what: str, source: str, target: str, request: RequestHead, note: str, span: Span
    ) -> None:
        key = request.target.rpartition(b"/")[2].decode("latin-1")
        ids = span.trace.decode(), span.id.decode(), span.parent.decode()
        self.tape.write(what, source, target, key, note, *ids)
