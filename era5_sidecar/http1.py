"""HTTP/1.1 heads, just as much of them as a relay must understand (RFC 9110, RFC 9112). No I/O.

Who stands between two programs must not read a message otherwise than they do: where two readers
disagree about the end of a message, its tail becomes the next one (request smuggling). Hence:

1. What goes on is what was understood: the request line is written anew, framing has one meaning or
   is refused, hop-by-hop fields and all that only this hop may say are left out.
2. Nothing is repaired. A line end that is not CRLF, a name that is no token, a length that is not
   plain digits: the message is refused (RFC 9112, sections 2.2, 5.1, 6.3).
3. One pass. `bytes.translate` finds forbidden bytes and line ends at the speed of C; a name as this
   or that client spells it is judged once, and remembered.
"""

import re
from collections.abc import Sequence
from enum import Enum

GOOD = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])  # of a field line: RFC 9110, 5.5
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HOST = re.compile(rb"[A-Za-z0-9._~-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
TARGET = re.compile(rb"/[\x21\x22\x24-\x7e]*")  # origin-form; "#" never leaves a client
ABSOLUTE = re.compile(rb"http://([^/?#]*)([/?][\x21\x22\x24-\x7e]*)?", re.IGNORECASE)
METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS"))
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"))  # RFC 9110, 9.2.2
TUNNELS = (b"CONNECT", b"TRACE")  # one asks for a way past us, the other to be told secrets
MOST_DIGITS = 18  # of a length: below 2**63
MOST_NAMES = 4096  # remembered; strangers must not fill our memory with names
CHUNKED = -1
UNTIL_CLOSE = -2


class BadMessage(Exception):
    """A message that cannot be understood in one way only; `status` is for who sent a request."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


class Role(Enum):
    """What becomes of a field: it goes on as it came, or not at all, or is read by us."""

    KEEP = "keep"
    DROP = "drop"


KEEP, DROP = Role
OWN = {  # fields that mean something to this hop; `special` has them under these names
    b"host": b"host",
    b"content-length": b"content-length",
    b"transfer-encoding": b"transfer-encoding",
    b"connection": b"connection",
    b"expect": b"expect",
    b"traceparent": b"traceparent",
    b"x-deadline-ms": b"x-deadline-ms",
    b"x-certain": b"x-certain",
    b"retry-after": b"retry-after",
    # hop by hop: RFC 9110, section 7.6.1
    b"keep-alive": DROP,
    b"proxy-connection": DROP,
    b"te": DROP,
    b"trailer": DROP,  # trailers end here, as any hop may let them (RFC 9110, section 6.5.1)
    b"upgrade": DROP,
    b"proxy-authorization": DROP,
    b"proxy-authenticate": DROP,
    # what only a sidecar may tell its service
    b"x-caller": DROP,
    b"x-forwarded-client-cert": DROP,
}
LISTS = (b"connection", b"expect")  # more than one line of these is one list
NEVER_NOMINATED = frozenset(  # `Connection: authorization` must not take it away (RFC 9110, 7.6.1)
    (b"authorization", b"cookie", b"content-type", b"content-encoding", b"cache-control")
)

_roles: dict[bytes, bytes | Role] = {}
_hosts: set[bytes] = set()


class RequestHead:
    """A request as far as its head tells. `size` of its body: bytes, or CHUNKED."""

    __slots__ = ("fields", "host", "is_last", "method", "size", "special", "target")

    def __init__(self, head: bytes, most_fields: int) -> None:
        """head: without the empty line. Raises BadMessage."""
        first, *lines = _lines_of(head, most_fields)
        parts = first.split(b" ")
        if len(parts) != 3 or parts[2] != b"HTTP/1.1":
            raise _bad_request_line(parts)
        self.method, self.target, _ = parts
        if self.method not in METHODS:
            raise _bad_method(self.method)
        self.fields, self.special = _sort(lines)
        special = self.special
        host = special.get(b"host")
        if host is None:
            raise BadMessage("no Host; accepted: exactly one (RFC 9112, 3.2)")
        if self.target[:1] != b"/":
            self.target, host = _absolute(self.method, self.target, host)
        elif not TARGET.fullmatch(self.target):
            raise BadMessage("the target has bytes that no target has")
        self.host = _checked_host(host)
        self.size = _framing(special, 0)
        options = special.get(b"connection")
        self.is_last = False
        if options and options.lower() != b"keep-alive":
            named = _options(options)
            self.fields = _without(self.fields, named)
            self.is_last = b"close" in named

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

    def start(self) -> bytes:
        """The head as it goes on, without its end: more fields may follow."""
        framing = b""
        if self.size == CHUNKED:
            framing = b"Transfer-Encoding: chunked\r\n"
        elif self.size or b"content-length" in self.special:
            framing = b"Content-Length: %d\r\n" % self.size
        fields = b"\r\n".join(self.fields) + b"\r\n" if self.fields else b""
        line = b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (self.method, self.target, self.host)
        return line + fields + framing


class ResponseHead:
    """An answer as far as its head tells. `size` of its body: bytes, CHUNKED or UNTIL_CLOSE."""

    __slots__ = ("fields", "is_last", "reason", "size", "special", "status")

    def __init__(self, head: bytes, method: bytes, most_fields: int) -> None:
        """method: of the request, as HEAD changes the framing. Raises BadMessage."""
        first, *lines = _lines_of(head, most_fields)
        digits = first[9:12]
        if first[:7] != b"HTTP/1." or first[7:9] not in (b"1 ", b"0 ") or not digits.isdigit():
            raise BadMessage("no status line")
        self.status = int(digits)
        if not 100 <= self.status <= 599 or first[12:13] not in (b" ", b""):
            raise BadMessage("no status line")
        self.reason = first[13:]
        self.fields, self.special = _sort(lines)
        special = self.special
        size = _framing(special, UNTIL_CLOSE)
        if method == b"HEAD" or self.status in (204, 304) or self.status < 200:
            size = 0  # whatever it says of one: RFC 9112, section 6.3
        self.size = size
        self.is_last = size == UNTIL_CLOSE or first[7:8] == b"0"
        options = special.get(b"connection")
        if options and options.lower() != b"keep-alive":
            named = _options(options)
            self.fields = _without(self.fields, named)
            self.is_last = self.is_last or b"close" in named

    def start_with(self, body: bytes) -> bytes:
        """The same for a body that is whole."""
        if self.size in (CHUNKED, UNTIL_CLOSE):
            self.size = len(body)
            self.special[b"content-length"] = b"%d" % len(body)
        return self.start()

    def start(self) -> bytes:
        """The head as it goes on, without its end."""
        lines = [b"HTTP/1.1 %d %b" % (self.status, self.reason), *self.fields]
        special = self.special
        if b"content-length" in special and self.status != 204:
            lines.append(b"Content-Length: " + special[b"content-length"])
        if self.size == CHUNKED:
            lines.append(b"Transfer-Encoding: chunked")
        if b"retry-after" in special:
            lines.append(b"Retry-After: " + special[b"retry-after"])
        lines.append(b"")
        return b"\r\n".join(lines)


def _lines_of(head: bytes, most_fields: int) -> list[bytes]:
    """The lines, once it is certain that CRLF ends each of them and nothing else is in between."""
    lines = head.split(b"\r\n")
    if len(lines) > most_fields + 1:
        raise BadMessage(f"more than {most_fields} fields", 431)
    if head.translate(None, GOOD) != b"\r\n" * (len(lines) - 1):
        raise BadMessage("a byte that no head has, or a line that does not end in CRLF")
    return lines


def _sort(lines: Sequence[bytes]) -> tuple[list[bytes], dict[bytes, bytes]]:
    """What goes on as it came, and what we must look at."""
    kept: list[bytes] = []
    special: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        role = _roles.get(name) if colon else None
        if role is None:
            role = _learn(name, colon)
        if role is KEEP:
            kept.append(line)
        elif role is not DROP:
            _note(special, role, value.strip(b" \t"))
    return kept, special


def _learn(name: bytes, colon: bytes) -> bytes | Role:
    """The role of a name in this spelling. Raises BadMessage if it is no name."""
    if not colon or not TOKEN.fullmatch(name):
        raise BadMessage("a field line that is not NAME: VALUE")
    # WSGI and CGI cannot tell "_" from "-" in a name: X_Caller would pass for X-Caller
    role = DROP if b"_" in name else OWN.get(name.lower(), KEEP)
    if len(_roles) < MOST_NAMES:
        _roles[name] = role
    return role


def _note(special: dict[bytes, bytes], name: bytes | Role, value: bytes) -> None:
    assert isinstance(name, bytes)  # noqa: S101  (the two Roles were handled before)
    if name in special:
        if name not in LISTS:
            raise BadMessage(f"{name.decode()} twice; accepted: once")
        value = special[name] + b", " + value
    special[name] = value


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


def _options(connection: bytes) -> set[bytes]:
    return {option.strip(b" \t") for option in connection.lower().split(b",")}


def _without(fields: list[bytes], options: set[bytes]) -> list[bytes]:
    nominated = options - NEVER_NOMINATED - {b"close", b"keep-alive", b""}
    if not nominated:
        return fields
    return [line for line in fields if line.partition(b":")[0].lower() not in nominated]


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
    if len(_hosts) < MOST_NAMES:
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
