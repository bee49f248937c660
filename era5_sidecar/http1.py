"""HTTP/1.1 heads, just as much of them as a relay must understand (RFC 9110, RFC 9112). No I/O.

Who stands between two programs must not read a message otherwise than they do: where two readers
disagree about the end of a message, its tail becomes the next one (request smuggling). Hence:

1. What goes on is what was understood: the request line is written anew, framing has one meaning or
   is refused, hop-by-hop fields and all that only this hop may say are left out.
2. Nothing is repaired. A line end that is not CRLF, a name that is no token, a length that is not
   plain digits: the message is refused (RFC 9112, sections 2.2, 5.1, 6.3).
3. What a request's first line means is in request_line.py, what fields mean in fields.py; where the
   end of a body is found stands below.
"""

import re

from era5_sidecar.fields import (
    FRAMING,
    LONGEST_KNOWN,
    MOST_KNOWN,
    NEVER_NOMINATED,
    BadMessage,
    sort,
)
from era5_sidecar.request_line import request_line

HOST = re.compile(rb"[A-Za-z0-9._~-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
STATUS_LINE = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*)?")
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"))  # RFC 9110, 9.2.2
MOST_DIGITS = 18  # of a length: below 2**63
CHUNKED = -1
UNTIL_CLOSE = -2
MOST_ANSWERS = 256  # heads that are remembered: within a second many answers begin alike
LONGEST_ANSWER = 512

_answers: dict[tuple[bytes, bytes, int], "ResponseHead"] = {}
_hosts: set[bytes] = set()
_statuses: dict[bytes, tuple[int, bool, bytes]] = {}


class RequestHead:
    """A request as far as its head tells. `size` of its body: bytes, or CHUNKED."""

    __slots__ = ("host", "is_last", "kept", "method", "size", "special", "target")

    def __init__(self, head: bytes, most_fields: int) -> None:
        """head: without the empty line. Raises BadMessage."""
        lines = _lines_of(head, most_fields)
        self.method, host, self.target = request_line(lines.pop(0))
        self.kept, self.special = sort(lines)
        special = self.special
        named = special.get(b"host")
        if named is None:
            raise BadMessage("no Host; accepted: exactly one (RFC 9112, 3.2)")
        host = named if host is None else host
        self.host = host if host in _hosts else _checked_host(host)
        self.size = _framing(special, 0)
        options = special.get(b"connection")
        self.is_last = options is not None and _is_last(options, self.kept)

    @property
    def may_repeat(self) -> bool:
        """Whether two of it are as good as one."""
        return self.method in IDEMPOTENT

    @property
    def expects_continue(self) -> bool:
        """Whether the body comes only after a 100. Raises BadMessage for any other expectation."""
        expected = self.special.get(b"expect")
        if expected is None:
            return False
        if expected.lower() != b"100-continue":
            raise BadMessage("accepted in Expect: 100-continue", 417)
        return self.size != 0

    def with_body(self, fields: bytes, body: bytes) -> bytes:
        """The request as it goes on; fields: ours, each with its CRLF."""
        kept = b"\r\n".join(self.kept) + b"\r\n" if self.kept else b""
        parts = self.method, self.target, self.host, kept, fields, body
        return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b\r\n%b" % parts


class ResponseHead:
    """An answer as far as its head tells. `size` of its body: bytes, CHUNKED or UNTIL_CLOSE.

    start: the head as it goes on, without its end. Nobody changes it: see `answer_head`.
    """

    __slots__ = ("is_last", "size", "special", "start", "status")

    def __init__(self, head: bytes, method: bytes, most_fields: int) -> None:
        """method: of the request, as HEAD changes the framing. Raises BadMessage."""
        lines = _lines_of(head, most_fields)
        first = lines.pop(0)
        self.status, is_old, first = _statuses.get(first) or _learn_status(first)
        status = self.status
        kept, self.special = sort(lines, first)
        special = self.special
        self.size = size = _framing(special, UNTIL_CLOSE)
        if status < 200 or status in (204, 304) or method == b"HEAD":
            self.size = size = 0  # whatever it says of one: RFC 9112, section 6.3
            if status == 204:
                kept = _without_framing(kept)
        self.is_last = is_old or size == UNTIL_CLOSE
        options = special.get(b"connection")
        if options is not None and _is_last(options, kept):
            self.is_last = True
        self.start = b"\r\n".join(kept) + b"\r\n"

    def with_length(self, size: int) -> bytes:
        """`start` of an answer that goes on with so many bytes, however it was framed."""
        return self._framed(b"Content-Length: %d" % size)

    def with_chunks(self) -> bytes:
        """`start` of an answer that goes on in chunks, however it was framed."""
        return self._framed(b"Transfer-Encoding: chunked")

    def _framed(self, line: bytes) -> bytes:
        kept = _without_framing(self.start.split(b"\r\n")[:-1])
        return b"\r\n".join((*kept, line, b""))


def answer_head(head: bytes, method: bytes, most_fields: int) -> ResponseHead:
    """What ResponseHead makes of these; of what it was told before, it is the same object."""
    key = head, method, most_fields
    known = _answers.get(key)
    if known is None:
        known = ResponseHead(head, method, most_fields)
        if len(head) <= LONGEST_ANSWER:
            if len(_answers) >= MOST_ANSWERS:
                _answers.clear()
            _answers[key] = known
    return known


def _without_framing(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if _name_of(line) not in FRAMING]


def _lines_of(head: bytes, most_fields: int) -> list[bytes]:
    lines = head.split(b"\r\n")
    if len(lines) > most_fields + 1:
        raise BadMessage(f"more than {most_fields} fields", 431)
    return lines


def _learn_status(line: bytes) -> tuple[int, bool, bytes]:
    """Status, whether it is HTTP/1.0, and the line that goes on. Raises BadMessage."""
    if not STATUS_LINE.fullmatch(line):
        raise BadMessage("no status line")
    told = int(line[9:12]), line[7:8] == b"0", b"HTTP/1.1" + line[8:]
    if len(_statuses) < MOST_KNOWN and len(line) <= LONGEST_KNOWN:
        _statuses[line] = told
    return told


def _framing(special: dict[bytes, bytes], without: int) -> int:
    """How the end of the body is found: RFC 9112, section 6.3. `without`: if nothing says."""
    coding = special.get(b"transfer-encoding")
    length = special.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise BadMessage("both Content-Length and Transfer-Encoding; accepted: one of them")
        if coding.lower() != b"chunked":
            raise BadMessage("accepted in Transfer-Encoding: chunked, alone", 501)
        return CHUNKED
    if length is None:
        return without
    if not length.isdigit() or len(length) > MOST_DIGITS:
        raise BadMessage(f"accepted in Content-Length: 1 to {MOST_DIGITS} digits")
    return int(length)


def _is_last(connection: bytes, kept: list[bytes]) -> bool:
    """Whether the sender closes after this; what it says is for this hop only is taken out."""
    options = {option.strip(b" \t") for option in connection.lower().split(b",")}
    nominated = options - NEVER_NOMINATED
    if nominated:
        kept[:] = [line for line in kept if _name_of(line) not in nominated]
    return b"close" in options


def _name_of(line: bytes) -> bytes:
    return line.partition(b":")[0].lower()


def _checked_host(host: bytes) -> bytes:
    if host in _hosts:
        return host
    if not HOST.fullmatch(host):
        raise BadMessage("accepted as host: NAME or NAME:PORT")
    if len(_hosts) < MOST_KNOWN and len(host) <= LONGEST_KNOWN:
        _hosts.add(host)
    return host
