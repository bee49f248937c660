"""What is seen of a request, on either side: counted, timed, and put on tape as a span."""

from collections.abc import Callable
from dataclasses import replace

from era4_framework.errors import CallFailed
from era4_framework.protocol import TRACE
from era4_framework.service import Request, Response, Service
from era4_framework.telemetry import Telemetry
from era4_framework.tracing import serving

Clock = Callable[[], float]


class Calls:
    """Counts and times whole requests, as their caller lives through them."""

    def __init__(self, telemetry: Telemetry, caller: str, callee: str, clock: Clock) -> None:
        self._telemetry = telemetry
        self._caller = caller
        self._callee = callee
        self._clock = clock

    def __call__(self, request: Request, service: Service) -> Response:
        began = self._clock()
        outcome = "unavailable"
        try:
            response = service(request)
            outcome = response.outcome
            return response
        finally:
            seconds = self._clock() - began
            self._telemetry.request(self._caller, self._callee, request.op, outcome, seconds)


class Attempts:
    """Makes each attempt a span, and puts on tape what was asked of whom and what came back."""

    def __init__(self, telemetry: Telemetry, caller: str) -> None:
        self._tracer = telemetry.tracer
        self._caller = caller

    def __call__(self, request: Request, service: Service) -> Response:
        span = self._tracer.outbound()
        callee = request.endpoint.instance.name if request.endpoint else ""
        note = self._tracer.told(request)
        self._tracer.write("call", self._caller, callee, request, note, span)
        try:
            response = service(replace(request, headers={**request.headers, TRACE: span.header()}))
        except CallFailed as error:
            self._tracer.write("note", self._caller, self._caller, request, str(error), span)
            raise
        self._tracer.write("answer", callee, self._caller, request, response.outcome, span)
        return response


class Arrivals:
    """Counts, times and traces what came in."""

    def __init__(self, telemetry: Telemetry, callee: str, clock: Clock, customer: str = "") -> None:
        """callee: the name of the service. customer: how callers are called who keep no tape of
        their own, so that question and answer are put on ours; else the result alone is."""
        self._telemetry = telemetry
        self._callee = callee
        self._clock = clock
        self._customer = customer

    def __call__(self, request: Request, service: Service) -> Response:
        tracer, customer = self._telemetry.tracer, self._customer
        span = tracer.inbound(request.headers.get(TRACE, ""))
        told, began, outcome = tracer.told(request), self._clock(), "unavailable"
        if customer:
            tracer.write("call", customer, tracer.process, request, told, span)
        before = serving.set(span)
        try:
            response = service(request)
            outcome = response.outcome
            return response
        finally:
            serving.reset(before)
            caller = request.learned.caller or customer or "unknown"
            seconds = self._clock() - began
            self._telemetry.request(caller, self._callee, request.op, outcome, seconds)
            if customer:
                tracer.write("answer", tracer.process, customer, request, outcome, span)
            else:
                note = f"{told}: {outcome}"
                tracer.write("note", tracer.process, tracer.process, request, note, span)
