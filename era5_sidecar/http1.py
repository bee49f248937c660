"""HTTP/1.1 heads, just as much of them as a relay must understand (RFC 9110, RFC 9112). No I/O.

Who stands between two programs must not read a message otherwise than they do: where two readers
disagree about the end of a message, its tail becomes the next one (request smuggling). Hence:

1. What goes on is what was understood: the request line is written anew, framing has one meaning or
   is refused, hop-by-hop fields and all that only this hop may say are left out.
2. Nothing is repaired. A line end that is not CRLF, a name that is no token, a length that is not
   plain digits: the message is refused (RFC 9112, sections 2.2, 5.1, 6.3).
3. What fields mean is in fields.py, where the end of a body is found stands below.
"""

import re

from era5_sidecar.fields import (
    FRAMING,
    LONGEST_KNOWN,
    MOST_KNOWN,
    NEVER_NOMINATED,
    TOKEN,
    BadMessage,
    sort,
)

HOST = re.compile(rb"[A-Za-z0-9._~-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
TARGET = re.compile(rb"/[\x21\x22\x24-\x7e]*")  # origin-form; "#" never leaves a client
ABSOLUTE = re.compile(rb"http://([^/?#]*)([/?][\x21\x22\x24-\x7e]*)?", re.IGNORECASE)
STATUS_LINE = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*)?")
METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS"))
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"))  # RFC 9110, 9.2.2
TUNNELS = (b"CONNECT", b"TRACE")  # one asks for a way past us, the other to be told secrets
MOST_DIGITS = 18  # of a length: below 2**63
CHUNKED = -1
UNTIL_CLOSE = -2


_hosts: set[bytes] = set()
_statuses: dict[bytes, tuple[int, bool, bytes]] = {}


class RequestHead:
    """A request as far as its head tells. `size` of its body: bytes, or CHUNKED."""

    __slots__ = ("host", "is_last", "kept", "method", "size", "special", "target")

    def __init__(self, head: bytes, most_fields: int) -> None:
        """head: without the empty line. Raises BadMessage."""
        lines = _lines_of(head, most_fields)
        parts = lines.pop(0).split(b" ")
        if len(parts) != 3 or parts[2] != b"HTTP/1.1":
            raise _bad_request_line(parts)
        self.method, self.target, _ = parts
        if self.method not in METHODS:
            raise _bad_method(self.method)
        self.kept, self.special = sort(lines)
        special = self.special
        host = special.get(b"host")
        if host is None:
            raise BadMessage("no Host; accepted: exactly one (RFC 9112, 3.2)")
        if not TARGET.fullmatch(self.target):
            self.target, host = _absolute(self.method, self.target, host)
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
    """An answer as far as its head tells. `size` of its body: bytes, CHUNKED or UNTIL_CLOSE."""

    __slots__ = ("is_last", "kept", "size", "special", "status")

    def __init__(self, head: bytes, method: bytes, most_fields: int) -> None:
        """method: of the request, as HEAD changes the framing. Raises BadMessage."""
        lines = _lines_of(head, most_fields)
        first = lines.pop(0)
        self.status, is_old, first = _statuses.get(first) or _learn_status(first)
        status = self.status
        self.kept, self.special = sort(lines, first)
        special = self.special
        self.size = size = _framing(special, UNTIL_CLOSE)
        if status < 200 or status in (204, 304) or method == b"HEAD":
            self.size = size = 0  # whatever it says of one: RFC 9112, section 6.3
            if status == 204:
                self._drop_framing()
        self.is_last = is_old or size == UNTIL_CLOSE
        options = special.get(b"connection")
        if options is not None and _is_last(options, self.kept):
            self.is_last = True

    def have_body(self, size: int) -> None:
        """However it was framed, it goes on with so many bytes."""
        self._drop_framing()
        self.kept.append(b"Content-Length: %d" % size)

    def have_chunks(self) -> None:
        """However it was framed, it goes on in chunks."""
        self._drop_framing()
        self.kept.append(b"Transfer-Encoding: chunked")

    def start(self) -> bytes:
        """The head as it goes on, without its end."""
        return b"\r\n".join(self.kept) + b"\r\n"

    def _drop_framing(self) -> None:
        self.kept = [line for line in self.kept if _name_of(line) not in FRAMING]


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


def _absolute(method: bytes, target: bytes, host: bytes) -> tuple[bytes, bytes]:
    """Target and host of a request to a proxy: RFC 9112, sections 3.2.2 and 3.2.4."""
    if target == b"*" and method == b"OPTIONS":
        return target, host
    found = ABSOLUTE.fullmatch(target)
    if not found:
        raise BadMessage("accepted as target: /PATH or http://HOST/PATH")
    path = found[2] or b"/"
    return path if path[:1] == b"/" else b"/" + path, found[1]


def _checked_host(host: bytes) -> bytes:
    if host in _hosts:
        return host
    if not HOST.fullmatch(host):
        raise BadMessage("accepted as host: NAME or NAME:PORT")
    if len(_hosts) < MOST_KNOWN and len(host) <= LONGEST_KNOWN:
        _hosts.add(host)
    return host


def _bad_request_line(parts: list[bytes]) -> BadMessage:
    version = parts[-1]
    if len(parts) == 3 and version == b"HTTP/1.0":
        return BadMessage("accepted: HTTP/1.1", 426)
    if len(parts) == 3 and re.fullmatch(rb"HTTP/[0-9]\.[0-9]", version):
        return BadMessage("accepted: HTTP/1.1", 505)
    return BadMessage("accepted: METHOD SP TARGET SP HTTP/1.1")


def _bad_method(method: bytes) -> BadMessage:
    known = ", ".join(sorted(each.decode() for each in METHODS))
    if method in TUNNELS:
        return BadMessage(f"accepted methods: {known}", 405)
    if not TOKEN.fullmatch(method):
        return BadMessage("the method is no token")
    return BadMessage(f"accepted methods: {known}", 501)
