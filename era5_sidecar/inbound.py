"""Requests that come in to our service: who may, and then on to the service itself, which stands
on the same host and knows nothing of this.
"""

from __future__ import annotations

import time

from era4_framework.config import BreakerConfig
from era4_framework.errors import CallFailed
from era4_framework.policies.deadline import Deadline
from era5_sidecar import answers
from era5_sidecar.config import SidecarConfig
from era5_sidecar.dialling import Dialling
from era5_sidecar.discovery import Instance
from era5_sidecar.endpoint import Endpoint
from era5_sidecar.exchange import Question, ask
from era5_sidecar.filters import Admission
from era5_sidecar.http1 import RequestHead, ResponseHead
from era5_sidecar.tls import peer_name
from era5_sidecar.tracing import Span, Spans, luggage
from era5_sidecar.upload import NO_BODY, CallerGone, FromCaller, body_of, forget_body
from era5_sidecar.watching import Watching
from era5_sidecar.ways import NO_RULER, Ruling


class Inbound:
    """One side of the proxy. `apply` changes what it is told, for all requests from then on."""

    def __init__(
        self,
        config: SidecarConfig,
        dialling: Dialling,
        spans: Spans,
        watching: Watching,
        ruling: Ruling = NO_RULER,
    ) -> None:
        self.is_leaving = False
        self.waits: dict[bytes, Deadline] = {}  # span that our service was given -> until when
        self._dialling = dialling
        self._spans = spans
        self._watching = watching
        self._admission = Admission(config.inbound)
        self._app = self._endpoint(config)
        self.apply(config, ruling)

    def apply(self, config: SidecarConfig, ruling: Ruling = NO_RULER) -> None:
        self.config = config.inbound
        self._is_permissive = ruling.is_permissive
        self.limits = config.limits
        self._service = config.service
        self._is_guarded = config.tls is not None and not config.inbound.is_edge
        self._admission.obey(config.inbound)
        self.most_age_s = ruling.most_age_s
        told = ruling.served_by
        self._added = b"X-Served-By: %b\r\n" % told.encode() if told else b""
        if config.app != self._app.instance.url:
            self._app.close()
            self._app = self._endpoint(config)

    def _endpoint(self, config: SidecarConfig) -> Endpoint:
        instance = Instance(config.instance, config.app)
        return Endpoint("", instance, BreakerConfig(), self._dialling)

    def in_flight(self) -> int:
        return self._admission.in_flight

    def welcome(self, caller: FromCaller) -> None:
        if not self._is_guarded:
            return
        shown = caller.transport.get_extra_info("ssl_object")
        if shown is not None or not self._is_permissive:
            caller.peer = peer_name(shown)

    def refused(self, caller: FromCaller, failure: Exception) -> None:
        self._watching.refused("inbound", failure)

    async def answer(self, request: RequestHead, caller: FromCaller) -> None:
        now = time.monotonic()
        span = self._spans.below(
            None if self.config.is_edge else request.special.get(b"traceparent")
        )
        status = 0
        admission = self._admission
        try:
            deadline = admission.admit(caller.peer, request, now)
        except CallFailed as failure:
            forget_body(request, caller)
            is_again = _is_again(request)
            caller.write(answers.refusal(failure, caller.is_spent, request.method, is_again))
            self._watching.refused("inbound", failure)
            status = answers.status_of(failure)
            self._watching.came_in(caller.peer, request, status, time.monotonic() - now, span)
            return
        try:
            status = await self._ask_app(request, caller, deadline, span)
        finally:
            self._watching.came_in(caller.peer, request, status, time.monotonic() - now, span)

    async def _ask_app(
        self, request: RequestHead, caller: FromCaller, deadline: Deadline, span: Span
    ) -> int:
        start, body = await body_of(request, caller, self.limits) if request.size else NO_BODY
        fields = span.header()
        if not self.config.is_edge:
            fields += luggage(request.special)
        if caller.peer:
            fields += b"X-Caller: %b\r\n" % caller.peer.encode()
        now = time.monotonic()
        question = Question(request, start, body)
        question.fields = fields
        question.grace_s = question.timeout_s = max(0.001, deadline.left_s(now))
        self.waits[span.id] = deadline
        self._admission.in_flight += 1  # not before: who sends slowly takes nobody's place
        try:
            if request.size:
                self._admission.look_again(deadline, now)
            reply = await ask(
                self._app, question, caller, self.limits, now, _keeps_none, self._added
            )
            return reply.head.status
        except CallFailed as failure:
            self._watching.refused("inbound", failure)
            caller.is_spent = caller.is_spent or not question.is_whole
            if caller.has_answer:
                caller.abort()
                raise CallerGone from failure
            is_again = _is_again(request)
            caller.write(answers.refusal(failure, caller.is_spent, request.method, is_again))
            return answers.status_of(failure)
        finally:
            self._admission.in_flight -= 1
            del self.waits[span.id]


def _keeps_none(head: ResponseHead) -> bool:
    return False


def _is_again(request: RequestHead) -> bool:
    """Whether an Envoy sends it, not for the first time: it passes on to its service what we say,
    and does not weigh it with what came of the attempts before."""
    return request.special.get(b"x-envoy-attempt-count", b"1") != b"1"
