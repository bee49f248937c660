"""The inbound edge: HTTP comes in by Flask, becomes a request, and a response goes out.

Who asks for what exists not at all, or sends too much, is answered here; everybody else meets the
stack. /health, /ready and /metrics pass it by: they must answer when the service is full, too.
"""

import json
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from era0_naive import shop
from era4_framework.config import ServerConfig
from era4_framework.outcomes import Operation, problem
from era4_framework.protocol import UNDERSTOOD
from era4_framework.service import Request, Response, Service
from era4_framework.telemetry import Telemetry

LONGEST_TOLD = 100
Readiness = Callable[[], tuple[bool, dict[str, Any]]]


class AnyText(BaseConverter):
    """Also nothing, slashes, line breaks: what an id must be is the shop's rule, not a 404."""

    regex = r"[\s\S]*"
    part_isolating = False


def web(
    name: str,
    operations: Sequence[Operation],
    service: Service,
    readiness: Readiness,
    telemetry: Telemetry,
    config: ServerConfig,
) -> flask.Flask:
    """The WSGI application of one service.

    name: of the service. service: the operations behind their stack. readiness: whether to send
    requests here, and what else /ready is to tell.
    """
    app = flask.Flask(name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = config.max_body_bytes
    app.url_map.merge_slashes = False
    app.url_map.converters["text"] = AnyText
    for operation in operations:
        view = _view(operation, service)
        app.add_url_rule(operation.path, operation.name, view, methods=[operation.method])

    def health() -> flask.Response:
        return _sent(Response(200, {"healthy": True}))

    def ready() -> flask.Response:
        is_ready, told = readiness()
        return _sent(Response(200 if is_ready else 503, {"ready": is_ready, **told}))

    def metrics() -> flask.Response:
        return flask.Response(telemetry.exposition(), mimetype="text/plain; version=0.0.4")

    def misunderstood(error: HTTPException) -> flask.Response:
        return _misunderstood(error, operations, config)

    app.add_url_rule("/health", "health", health)
    app.add_url_rule("/ready", "ready", ready)
    app.add_url_rule("/metrics", "metrics", metrics)
    app.register_error_handler(HTTPException, misunderstood)
    app.register_error_handler(Exception, _failed)
    return app


def _view(operation: Operation, service: Service) -> Callable[..., flask.Response]:
    def view(key: str = "") -> flask.Response:
        came, told = flask.request, flask.request.headers
        headers = {name: told[name] for name in UNDERSTOOD if name in told}
        body = came.get_data()  # raises 413
        name, method, fields = operation.name, operation.method, tuple(operation.fields)
        return _sent(service(Request(name, method, came.path, body, key, headers, fields)))

    return view


def _sent(response: Response) -> flask.Response:
    kind = "application/json" if response.status < 400 else "application/problem+json"
    return flask.Response(json.dumps(response.body), response.status, response.headers, kind)


def _misunderstood(
    error: HTTPException, operations: Sequence[Operation], config: ServerConfig
) -> flask.Response:
    """No such path, no such method, too large a body: what would be accepted is said."""
    asked = f"{flask.request.method} {flask.request.path[:LONGEST_TOLD]}"
    known = [f"{each.method} {each.path.replace('<text:key>', 'KEY')}" for each in operations]
    accepted = f"{', '.join(known)}, in at most {config.max_body_bytes} bytes"
    told = shop.Outcome("invalid", f"{asked}: {error.name}; accepted: {accepted}").message()
    sent = _sent(problem(error.code or 500, "invalid", told))
    sent.headers.extend(header for header in error.get_headers() if header[0] == "Allow")
    return sent


def _failed(error: Exception) -> flask.Response:
    """The outermost loop of a service: one request must not end it."""
    traceback.print_exception(error)
    told = shop.unavailable("the service failed", certain=False).message()
    return _sent(problem(500, "unavailable", told))
