"""All cases, by theme. Numbers 1 to 60 are the classics; from 100 on each theme has its hundred."""

from lab.hostile.case import Case
from lab.hostile.cases import (
    chunks,
    connections,
    fields,
    framing,
    headers,
    lengths,
    lines,
    response_fields,
    responses,
    status,
    targets,
    waiting,
)

THEMES: dict[str, tuple[Case, ...]] = {
    "framing": framing.CASES,
    "lengths": lengths.CASES,
    "chunks": chunks.CASES,
    "lines": lines.CASES,
    "targets": targets.CASES,
    "fields": fields.CASES,
    "headers": headers.CASES,
    "responses": responses.CASES,
    "response fields": response_fields.CASES,
    "status": status.CASES,
    "connections": connections.CASES,
    "waiting": waiting.CASES,
}
CASES: tuple[Case, ...] = tuple(case for cases in THEMES.values() for case in cases)
