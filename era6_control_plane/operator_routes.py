"""What an operator asks the control plane, as HTTP on loopback, in JSON.

| request                                    | answer                                          |
|--------------------------------------------|-------------------------------------------------|
| GET /ready                                 | 200, or 503 and why not; needs no token         |
| GET /intent                                | what is in force, and who said it when          |
| PUT /intent {text, who, note, base}        | 201, a new revision; ?dry_run=1 only tells      |
| GET /intent/diff?from=N&to=M               | lines and words; PUT {text}: to a new text      |
| GET /history?limit=N                       | the newest revisions                            |
| POST /rollback {revision, who, note, base} | 201, a new revision that says what an old one did |
| GET /status?wait=N&within_s=S              | who knows what; waits until all know revision N |
| POST /tokens {service, instance, life_s}   | 201, a join token, shown once                   |
| POST /authorities/rotate                   | 202                                             |

Whoever may speak here rules the mesh, so he must know the token; `who` is what he calls himself.
Loopback is no wall against a browser on the same machine (see era 5's admin.py): a request must
name us by a loopback name, and one with an Origin came from a page. Refusals are problem details
(RFC 9457).
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import flask

from era0_naive.sqlite_file import Busy
from era6_control_plane.governed import LONGEST_WAIT_S, Governed
from era6_control_plane.history import Revision, UnknownRevision
from era6_control_plane.intent_file import MOST_BYTES
from era6_control_plane.operator_problems import problem, tell_refusals
from era6_control_plane.operator_words import Misspoken, body, query, seconds, whole
from era6_control_plane.ruling import Applied, Ruling

MOST_BODY_BYTES = 2 * MOST_BYTES + 65536  # JSON may write a letter in twice as many
MOST_WAITING = 4  # requests at once; others must find a thread
TOKEN_LIFE_S, LONGEST_TOKEN_LIFE_S = 600.0, 7 * 86400.0
MOST_LISTED = 1000
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Answer = tuple[Mapping[str, Any], int]


def application(
    ruling: Ruling, governed: Governed, token: str, names: frozenset[str]
) -> flask.Flask:
    """The table above. names: the values of Host by which we may be called."""
    app = flask.Flask("operator", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _guard(app, token, names)
    _rule(app, ruling)
    _govern(app, ruling, governed)
    tell_refusals(app)
    return app


def _guard(app: flask.Flask, token: str, names: frozenset[str]) -> None:
    @app.before_request
    def admit() -> flask.Response | None:
        headers = flask.request.headers
        if headers.get("Host", "").lower() not in names:
            return problem(403, f"accepted: a Host of {', '.join(sorted(names))}")
        if "Origin" in headers:
            return problem(403, "no web page may ask this; accepted: no Origin")
        if (flask.request.method, flask.request.path) == ("GET", "/ready"):
            return None
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        # as bytes: text that is no ASCII cannot be compared in constant time
        if scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode()):
            return None
        refused = problem(401, "accepted: Authorization: Bearer and the operator's token")
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused

    @app.after_request
    def protect(response: flask.Response) -> flask.Response:
        response.headers.update(HEADERS)
        return response


def _rule(app: flask.Flask, ruling: Ruling) -> None:
    @app.get("/intent")
    def intent() -> Answer:
        query()
        if not (revision := ruling.revision):
            raise UnknownRevision("nothing was ever said; accepted: PUT /intent")
        return {**_told(revision), "text": revision.text}, 200

    @app.put("/intent")
    def apply() -> Answer:
        is_rehearsal = bool(whole(query("dry_run"), "dry_run", 0, 0, 1))
        said = body({"text": str, "who": str}, {"note": str, "base": int})
        note, base = said.get("note", ""), said.get("base")
        return _done(ruling.apply(said["text"], said["who"], note, base, is_rehearsal))

    @app.get("/intent/diff")
    def compare() -> Answer:
        asked, newest = query("from", "to"), ruling.revision.number if ruling.revision else 0
        old, new = (whole(asked, name, newest, 0) for name in ("from", "to"))
        return _difference(*ruling.diff(old, new))

    @app.put("/intent/diff")
    def compare_text() -> Answer:
        newest = ruling.revision.number if ruling.revision else 0
        old = whole(query("from"), "from", newest, 0)
        return _difference(*ruling.diff(old, body({"text": str}, {})["text"]))

    @app.get("/history")
    def history() -> Answer:
        limit = whole(query("limit"), "limit", 20, 1, MOST_LISTED)
        return {"revisions": [_told(each) for each in ruling.latest(limit)]}, 200

    @app.post("/rollback")
    def rollback() -> Answer:
        query()
        said = body({"revision": int, "who": str}, {"note": str, "base": int})
        note, base = said.get("note", ""), said.get("base")
        return _done(ruling.rollback(said["revision"], said["who"], note, base))


def _govern(app: flask.Flask, ruling: Ruling, governed: Governed) -> None:
    room = threading.BoundedSemaphore(MOST_WAITING)

    @app.get("/ready")
    def ready() -> flask.Response | Answer:
        why_not = governed.why_not_ready()
        return problem(503, why_not) if why_not else ({"ready": True}, 200)

    @app.get("/status")
    def status() -> Answer:
        asked = query("wait", "within_s")
        newest = ruling.revision.number if ruling.revision else 0
        wait_for = whole(asked, "wait", 0, 0, newest)
        within_s = seconds(asked, "within_s", 5.0, LONGEST_WAIT_S)
        if not wait_for:
            return governed.status(), 200
        if not room.acquire(blocking=False):
            raise Busy(f"{MOST_WAITING} others are waiting already")
        try:
            return governed.status(wait_for, within_s), 200
        finally:
            room.release()

    @app.post("/tokens")
    def new_token() -> Answer:
        query()
        said = body({"service": str, "instance": str}, {"life_s": float})
        known = ruling.intent.services if ruling.intent else {}
        if said["service"] not in known:
            accepted = ", ".join(known) or "none, as nothing was ever said"
            raise Misspoken("service", f"is not in the intent: accepted are {accepted}")
        life_s = said.get("life_s", TOKEN_LIFE_S)
        if not 1 <= life_s <= LONGEST_TOKEN_LIFE_S:
            accepted = f"a number from 1 to {LONGEST_TOKEN_LIFE_S:g}"
            raise Misspoken("life_s", f"is {life_s}: accepted is {accepted}")
        return {"token": governed.new_token(said["service"], said["instance"], life_s)}, 201

    @app.post("/authorities/rotate")
    def rotate() -> Answer:
        query()
        return {"stage": governed.rotate()}, 202


def _told(revision: Revision) -> dict[str, Any]:
    at = datetime.fromtimestamp(revision.at, UTC).isoformat(timespec="seconds")
    who, note, words = revision.who, revision.note, list(revision.changes)
    return {"revision": revision.number, "at": at, "who": who, "note": note, "changes": words}


def _done(done: Applied) -> Answer:
    told = {"revision": done.revision, "changes": list(done.changes), "is_new": done.is_new}
    return told, 201 if done.is_new else 200


def _difference(text: str, words: list[str]) -> Answer:
    return {"text": text, "changes": words}, 200
