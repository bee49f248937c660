"""What is seen of a request, on either side: counted, timed, and put on tape as a span."""

from collections.abc import Callable
from dataclasses import replace

from era4_framework.errors import CallFailed
from era4_framework.protocol import TRACE
from era4_framework.service import Request, Response, Service
from era4_framework.telemetry import Telemetry
from era4_framework.tracing import Span, serving_span

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
        span = self._telemetry.tracer.inbound(request.headers.get(TRACE, ""))
        began, outcome = self._clock(), "unavailable"
        before = serving_span.set(span)
        try:
            response = service(request)
            outcome = response.outcome
            return response
        finally:
            serving_span.reset(before)
            caller = request.learned.caller or self._customer or "unknown"
            seconds = self._clock() - began
            self._telemetry.request(caller, self._callee, request.op, outcome, seconds)
            self._tell(request, outcome, span)

    def _tell(self, request: Request, outcome: str, span: Span) -> None:
        tracer, customer = self._telemetry.tracer, self._customer
        told = request.learned.told or f"{request.op} {request.key}".rstrip()
        if not customer:
            note = f"{told}: {outcome}"
            tracer.write("note", tracer.process, tracer.process, request, note, span)
            return
        if not request.learned.told:  # it was not let in, so its question is not on tape yet
            tracer.write("call", customer, tracer.process, request, told, span)
        tracer.write("answer", tracer.process, customer, request, outcome, span)


class Admissions:
    """Puts on tape what is asked, once it was let in: a stranger's body is not worth reading."""

    def __init__(self, telemetry: Telemetry, customer: str = "") -> None:
        """customer: as in Arrivals."""
        self._tracer = telemetry.tracer
        self._customer = customer

    def __call__(self, request: Request, service: Service) -> Response:
        tracer, span = self._tracer, serving_span.get()
        request.learned.told = told = tracer.told(request)
        if self._customer and told and span:
            tracer.write("call", self._customer, tracer.process, request, told, span)
        return service(request)
