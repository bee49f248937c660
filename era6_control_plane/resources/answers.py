"""What a proxy answers itself: problem details (RFC 9457) in the form that the shop knows.

`X-Certain` says whether the request certainly was not executed, for a caller whose proxy is ours.
A caller's Envoy passes our answer on as it is, though it may have sent the request before to
somebody who executed it. So we are certain only at the first attempt, whose number it tells us;
but the status stays, as with 503 it may ask somebody else.
"""

from __future__ import annotations

import json

from era6_control_plane.resources.parts import (
    ATTEMPTS,
    CERTAIN,
    Json,
    boxed,
    header,
    is_header,
    struct,
)

# Why Envoy answered itself: %RESPONSE_FLAGS% in its documentation.
NOBODY = ("UH", "UO", "NR", "NC")  # nobody there, too much at once, no such route or cluster
REFUSED = ("UF",)  # no connection
LATE = ("UT", "SI", "DT")
BROKE = ("UC", "UR", "UPE", "DC")  # perhaps executed
MISCHIEF = ("FI",)  # a fault that was asked for
MISUNDERSTOOD = (400, 408, 413, 426, 431)
SAID = "%RESPONSE_CODE_DETAILS%"
PROBLEM = "application/problem+json"
SAME = 0  # status: as it is


def to_callers() -> list[Json]:
    """Answers of the inbound side."""
    first, nobody = _attempts("1?"), _flags(*NOBODY, *REFUSED)
    return [
        _mapper(_both(nobody, first), 503, True),
        _mapper(nobody, 503, False),
        _mapper(_flags(*LATE), 504, False),
        _mapper(_flags(*BROKE), 502, False),
        _mapper(_both(_status(429), first), 429, True),
        _mapper(_status(429), 429, False),
        _mapper(_both(_status(403), first), 403, True),
        _mapper(_status(403), 403, False),
        _misunderstood(),
    ]


def to_service() -> list[Json]:
    """Answers of the outbound side: only it knows whether there was an attempt before.

    None of them looks at 403 or 503: it would rewrite what a route answers directly.
    """
    return [
        _mapper(_flags(*MISCHIEF), SAME, True),
        _mapper(_both(_flags(*NOBODY), _attempts("")), 503, True),
        _mapper(_both(_flags(*REFUSED), _attempts("1?")), 503, True),
        _mapper(_flags(*LATE), 504, False),
        _mapper(_flags(*NOBODY, *REFUSED, *BROKE), 502, False),
        _misunderstood(),
    ]


def directly(status: int, title: str, detail: str) -> Json:
    """A route's own answer, before anybody was asked: certainly not executed."""
    body = json.dumps(_problem(status, title, detail, True))
    return {
        "direct_response": {"status": status, "body": {"inline_string": body}},
        "response_headers_to_add": [header("content-type", PROBLEM), header(CERTAIN, "true")],
    }


def _misunderstood() -> Json:
    """What is no request, or too much of one."""
    told = _problem("%RESPONSE_CODE%", SAID, f"sidecar: {SAID}", True)
    told |= {"outcome": "invalid", "field": "the request"}
    return {
        "filter": {"or_filter": {"filters": [_status(status) for status in MISUNDERSTOOD]}},
        "body_format_override": {"json_format": struct(told), "content_type": PROBLEM},
        "headers_to_add": [header(CERTAIN, "true")],
    }


def _mapper(condition: Json, status: int, certain: bool) -> Json:
    told = _problem(status or "%RESPONSE_CODE%", SAID, f"sidecar: {SAID}", certain)
    return {
        "filter": condition,
        **({"status_code": boxed(status)} if status else {}),
        "body_format_override": {"json_format": struct(told), "content_type": PROBLEM},
        "headers_to_add": [header(CERTAIN, "true" if certain else "false")],
    }


def _problem(status: int | str, title: str, detail: str, certain: bool) -> Json:
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "outcome": "unavailable",
        "certain": certain,
    }


def _attempts(regex: str) -> Json:
    match = is_header(ATTEMPTS, {"safe_regex": {"regex": f"^{regex}$"}})
    return {"header_filter": {"header": match | {"treat_missing_header_as_empty": True}}}


def _both(one: Json, other: Json) -> Json:
    return {"and_filter": {"filters": [one, other]}}


def _flags(*flags: str) -> Json:
    return {"response_flag_filter": {"flags": list(flags)}}


def _status(status: int) -> Json:
    value = {"default_value": status, "runtime_key": "none"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}
