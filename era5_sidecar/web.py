"""The shop's outcomes as HTTP: a Flask app with nothing in it but what can be asked, and how it is
answered. A success is the outcome as JSON, a refusal is problem details (RFC 9457) with the
outcome's members.
"""

import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from era0_naive import shop

REFUSALS = {
    "conflict": 409,
    "out_of_stock": 409,
    "unknown_sku": 404,
    "not_found": 404,
    "invalid": 400,
    "unavailable": 503,
}
CREATED = ("placed", "reserved")  # by a PUT, and not repeated
REPEATED = "repeated"  # the detail of a `reserved` that an earlier request has done
MOST_BODY_BYTES = 64 * 1024
LONGEST_TOLD = 100


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked of a service, and which method of it does it.

    path: as Flask writes it. run is given the key, if the path has one, then each of `fields` from
    the request's JSON object, None for one that is missing.
    """

    name: str
    method: str
    path: str
    run: Callable[..., shop.Outcome]
    fields: Sequence[str] = ()


class AnyText(BaseConverter):
    """Also nothing, slashes, line breaks: what an id must be is the shop's rule, not a 404."""

    regex = r"[\s\S]*"
    part_isolating = False


def web(name: str, operations: Sequence[Operation]) -> flask.Flask:
    """The WSGI application of one service, with /health beside what can be asked."""
    app = flask.Flask(name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES
    app.url_map.merge_slashes = False
    app.url_map.converters["text"] = AnyText
    for operation in operations:
        view = _view(operation)
        app.add_url_rule(operation.path, operation.name, view, methods=[operation.method])

    def health() -> flask.Response:
        return flask.jsonify(healthy=True)

    def misunderstood(error: HTTPException) -> flask.Response:
        return _misunderstood(error, operations)

    app.add_url_rule("/health", "health", health)
    app.register_error_handler(shop.Busy, _busy)
    app.register_error_handler(HTTPException, misunderstood)
    app.register_error_handler(Exception, _failed)
    return app


def _view(operation: Operation) -> Callable[..., flask.Response]:
    def view(**key: str) -> flask.Response:
        body = flask.request.get_data()  # raises 413
        if not operation.fields:
            return answer_of(operation.run(*key.values()))
        members = _read(body)
        if members is None:
            return answer_of(shop.refuse("the body", body, "a JSON object"))
        fields = (members.get(field) for field in operation.fields)
        return answer_of(operation.run(*key.values(), *fields))

    return view


def answer_of(outcome: shop.Outcome, status: int = 0) -> flask.Response:
    """The response that carries an outcome; `status` if it is another than the outcome's own."""
    status = status or REFUSALS.get(outcome.kind, 0)
    if status:
        title = outcome.kind.replace("_", " ")
        told = {"type": f"urn:seven-eras:{outcome.kind}", "title": title, "status": status}
        return _sent(status, told | outcome.message(), "application/problem+json")
    is_new = outcome.kind in CREATED and outcome.detail != REPEATED
    status = 201 if flask.request.method == "PUT" and is_new else 200
    return _sent(status, outcome.message(), "application/json")


def _sent(status: int, message: dict[str, Any], kind: str) -> flask.Response:
    return flask.Response(json.dumps(message), status, mimetype=kind)


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _busy(error: shop.Busy) -> flask.Response:
    return answer_of(shop.unavailable("somebody else holds the store", certain=True))


def _misunderstood(error: HTTPException, operations: Sequence[Operation]) -> flask.Response:
    """No such path, no such method, too large a body: what would be accepted is said."""
    asked = f"{flask.request.method} {flask.request.path[:LONGEST_TOLD]}"
    known = [f"{each.method} {each.path.replace('<text:key>', 'KEY')}" for each in operations]
    accepted = f"{', '.join(known)}, in at most {MOST_BODY_BYTES} bytes"
    told = shop.Outcome("invalid", f"{asked}: {error.name}; accepted: {accepted}")
    sent = answer_of(told, error.code or 500)
    sent.headers.extend(header for header in error.get_headers() if header[0] == "Allow")
    return sent


def _failed(error: Exception) -> flask.Response:
    """The outermost loop of a service: one request must not end it."""
    traceback.print_exception(error)
    return answer_of(shop.unavailable("the service failed", certain=False), 500)
