"""How the operator's interface refuses: problem details (RFC 9457), whatever went wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from era0_naive.sqlite_file import Busy
from era6_control_plane.history import Moved, UnknownRevision

STATUS: dict[type[Exception], int] = {
    Moved: 409,
    UnknownRevision: 404,
    Busy: 503,
    sqlite3.Error: 503,  # such as a disk that is full
    OSError: 503,  # the same; and TimeoutError is one, when the loop has no time
    ValueError: 400,
}
PLACE = ("line", "key")  # what an error about an intent or a body has beside its text


def tell_refusals(app: flask.Flask) -> None:
    """From now on every exception becomes an answer."""
    for kind in STATUS:
        app.register_error_handler(kind, _refused)
    app.register_error_handler(HTTPException, _misunderstood)


def problem(status: int, detail: str, place: Mapping[str, object] | None = None) -> flask.Response:
    """The answer. detail: what is wrong, and what is accepted. place: what else can be told."""
    title = HTTPStatus(status).phrase
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    response = flask.jsonify({**told, **(place or {})})
    response.status_code, response.mimetype = status, "application/problem+json"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "1"
    return response


def _refused(error: Exception) -> flask.Response:
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    place = {name: getattr(error, name) for name in PLACE if hasattr(error, name)}
    is_disk = isinstance(error, sqlite3.Error) or (isinstance(error, OSError) and error.errno)
    kept = "the state cannot be written: " if is_disk else ""
    return problem(status, f"{kept}{str(error) or 'no time for this now'}", place)


def _misunderstood(error: Any) -> flask.Response:
    """Flask's own; a mistake of ours comes here as a 500, without its words."""
    response = problem(error.code or 500, error.description or error.name)
    for name, value in error.get_headers():
        if name != "Content-Type":  # such as Allow
            response.headers[name] = value
    return response
