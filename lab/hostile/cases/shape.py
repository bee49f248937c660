"""Short ways to write requests and responses byte by byte, and the outcomes most cases share."""

from lab.hostile.case import SMUGGLED, Answered, Case, Cut, Outcome, Passed, Refused, Step

CHUNKED = b"Transfer-Encoding: chunked"
HELLO = b"Content-Length: 5"
TAIL = b"0\r\n\r\n" + SMUGGLED  # the end of a chunked body, and what is hidden behind it
ALL = b"Content-Length: %d" % len(TAIL)

REJECT = Refused()
REFUSE = Refused(may_go_on=True)
TOO_LARGE = Refused((400, 413, 414, 431, 501), may_be_silent=True)
HANG_UP = Refused(may_be_silent=True)
BAD_GATEWAY = Answered((502,))
FINE = Passed()
FIVE = Passed(b"hello")

HTTP = "RFC 9112 "


def request(
    method: bytes,
    *fields: bytes,
    body: bytes = b"",
    target: bytes = b"/open/first",
    version: bytes = b"HTTP/1.1",
    host: bytes = b"Host: a\r\n",
) -> bytes:
    """A whole request; fields and body are taken as they are."""
    head = b" ".join((method, target, version)) + b"\r\n" + host
    return head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def get(*fields: bytes, target: bytes = b"/open/first", host: bytes = b"Host: a\r\n") -> bytes:
    return request(b"GET", *fields, target=target, host=host)


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return request(b"POST", *fields, body=body)


def chunked(body: bytes) -> bytes:
    """A POST whose body is sent as these bytes of chunks."""
    return post(CHUNKED, body=body)


def answer(*fields: bytes, body: bytes = b"", line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """A whole response; fields and body are taken as they are."""
    return line + b"\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def asked(
    number: str,
    name: str,
    script: bytes | tuple[Step, ...],
    allowed: tuple[Outcome, ...],
    rfc: str,
    ask: bytes = b"",
) -> Case:
    """A plain GET (or `ask`) that is answered by `script`."""
    steps = script if isinstance(script, tuple) else (script,)
    return Case(number, name, ask or get(), allowed, rfc, answer=steps)


BROKEN: tuple[Outcome, ...] = (BAD_GATEWAY, Cut())
