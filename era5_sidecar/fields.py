"""The fields of a head: what goes on as it came, what means something to us, what ends here.

Most lines of most heads are the same again and again, so a line is judged once, and remembered.
"""

import re
from collections.abc import Sequence

GOOD = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])  # of a field line: RFC 9110, 5.5
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
MOST_KNOWN = 4096  # lines that are remembered; strangers must not fill our memory with theirs
LONGEST_KNOWN = 128


class BadMessage(Exception):
    """A message that cannot be understood in one way only; `status` is for who sent a request."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


Meaning = tuple[bytes, bytes, bool]  # name, value and whether it goes on; or one of these:
KEEP: Meaning = (b"", b"", True)  # it goes on, and we need not look at it
DROP: Meaning = (b"", b"", False)  # it ends here
OWN = {  # what means something to this hop, and whether it goes on: `special` has it by this name
    b"host": False,
    b"content-length": True,
    b"transfer-encoding": True,
    b"retry-after": True,
    b"connection": False,
    b"expect": False,
    b"traceparent": False,
    b"tracestate": False,
    b"baggage": False,
    b"x-deadline-ms": False,
    b"x-certain": False,
    b"x-envoy-attempt-count": False,
}
FRAMING = (b"content-length", b"transfer-encoding")
DROPPED = frozenset(
    (
        # hop by hop: RFC 9110, section 7.6.1
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",  # trailers end here, as any hop may let them (RFC 9110, section 6.5.1)
        b"upgrade",
        b"proxy-authorization",
        b"proxy-authenticate",
        # what only a sidecar may tell its service
        b"x-caller",
        b"x-forwarded-client-cert",
        b"x-user-id",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"forwarded",
    )
)
LISTS = (
    b"connection",
    b"expect",
    b"tracestate",
    b"baggage",
)  # more than one line of these is one list
NO_FIELD = "a field line that is not NAME: VALUE"
OF_A_PROXY = b"x-envoy-"  # what real sidecars tell each other
NEVER_NOMINATED = frozenset(  # `Connection: authorization` must not take it away (RFC 9110, 7.6.1)
    (b"authorization", b"cookie", b"content-type", b"content-encoding", b"cache-control", *FRAMING)
)

NEW_EACH_TIME = b"traceparent"  # its lines are not like any before, so none is remembered

_known: dict[bytes, Meaning] = {}
_names: dict[bytes, tuple[bytes, Meaning | None]] = {}  # in lower case; None: its value matters


def sort(lines: Sequence[bytes], *first: bytes) -> tuple[list[bytes], dict[bytes, bytes]]:
    """What goes on as it came, after `first`, and what we must look at."""
    kept = list(first)
    special: dict[bytes, bytes] = {}
    for line in lines:
        meaning = _known.get(line)
        if meaning is None:
            meaning = _learn(line)
        if meaning is KEEP:
            kept.append(line)
        elif meaning is not DROP:
            name, value, goes_on = meaning
            if name in special:
                value = _joined(name, special[name], value)
            special[name] = value
            if goes_on:
                kept.append(line)
    return kept, special


def _learn(line: bytes) -> Meaning:
    """What a line means. Raises BadMessage if it is none."""
    name, colon, value = line.partition(b":")
    if not colon:
        raise BadMessage(NO_FIELD)
    lower, meaning = _names.get(name) or _learn_name(name)
    if value.translate(None, GOOD):
        raise BadMessage("a field with a byte that none has, or a line that does not end in CRLF")
    if meaning is None:
        value = value.strip(b" \t")
        meaning = lower, value, OWN[lower]
        if lower == b"connection" and value.lower() == b"keep-alive":
            meaning = DROP  # it says what goes without saying
    if len(line) <= LONGEST_KNOWN and lower != NEW_EACH_TIME:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[line] = meaning
    return meaning


def _learn_name(name: bytes) -> tuple[bytes, Meaning | None]:
    """It in lower case, and what its lines mean; None: see the value. Raises BadMessage."""
    if not TOKEN.fullmatch(name):
        raise BadMessage(NO_FIELD)
    lower = name.lower()
    meaning: Meaning | None = None if lower in OWN else KEEP
    # WSGI and CGI cannot tell "_" from "-" in a name: X_Caller would pass for X-Caller
    if b"_" in name or lower in DROPPED or (meaning and lower.startswith(OF_A_PROXY)):
        meaning = DROP
    if len(name) <= LONGEST_KNOWN:
        if len(_names) >= MOST_KNOWN:
            _names.clear()
        _names[name] = lower, meaning
    return lower, meaning


def _joined(name: bytes, before: bytes, value: bytes) -> bytes:
    if name not in LISTS:
        raise BadMessage(f"{name.decode()} twice; accepted: once")
    return before + b", " + value
