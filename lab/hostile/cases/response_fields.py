"""The head of a response: what a field may bring to the client."""

from lab.hostile.case import Answered, Case, Outcome
from lab.hostile.cases.shape import (
    BAD_GATEWAY,
    HELLO,
    HTTP,
    answer,
    asked,
)

BOTH = HTTP + "§6.3"
FOLD, NAME, VALUE = HTTP + "§5.2", HTTP + "§5.1", "RFC 9110 §5.5"
WHOLE = Answered(body=b"hello")
EITHER: tuple[Outcome, ...] = (WHOLE, BAD_GATEWAY)


def _field(number: str, name: str, line: bytes, *allowed: Outcome, rfc: str = VALUE) -> Case:
    script = answer(line, HELLO, body=b"hello")
    return asked(number, name, script, allowed or (BAD_GATEWAY,), rfc)


CASES = (
    _field("57", "a NUL in a response's field", b"X-A: b\x00c"),
    _field(
        "60a",
        "a bare CR in a response's field",
        b"X-A: b\rX-B: c",
        BAD_GATEWAY,
        Answered(lacks=("x-b",)),
    ),
    _field(
        "60b",
        "a bare LF in a response's field",
        b"X-A: b\nX-B: c",
        BAD_GATEWAY,
        WHOLE,
        rfc=HTTP + "§2.2",
    ),
    asked(
        "60c",
        "a response split in two by CR LF in a field",
        answer(b"X-A: b\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK", HELLO, body=b"HELLO"),
        (BAD_GATEWAY, Answered(body=b"")),
        BOTH,
    ),
    # ---- more of the same kind
    _field("542", "a folded field in a response", b"X-A: b\r\n c", *EITHER, rfc=FOLD),
    _field("543", "a response's field without a colon", b"nothing", *EITHER, rfc=NAME),
    _field("544", "a response's field without a name", b": b", *EITHER, rfc=NAME),
    _field("545", "a space in a response's field name", b"X A: b", *EITHER, rfc=NAME),
    _field("546", "a NUL in a response's field name", b"X\x00A: b", rfc=NAME),
    _field("547", "a control byte in a response's field", b"X-A: b\x01c", *EITHER),
    _field("548", "a tab in a response's field", b"X-A: b\tc", WHOLE),
    _field(
        "549",
        "a response's space before the colon",
        b"X-A : b",
        BAD_GATEWAY,
        Answered(body=b"hello", has=(("x-a", "b"),)),
        Answered(body=b"hello", lacks=("x-a",)),
        rfc=NAME,
    ),
    _field(
        "550",
        "fields of one hop in a response",
        b"Connection: x-sec\r\nX-Sec: 1\r\nKeep-Alive: timeout=1",
        Answered(body=b"hello", lacks=("x-sec",)),
        rfc="RFC 9110 §7.6.1",
    ),
    _field(
        "551",
        "two cookies",
        b"Set-Cookie: a=b\r\nSet-Cookie: c=d",
        Answered(has=(("set-cookie", "a=b"), ("set-cookie", "c=d"))),
        rfc="RFC 6265 §3",
    ),
    asked(
        "552",
        "a response's lines ended by LF alone",
        answer(HELLO, body=b"hello").replace(b"\r\n", b"\n"),
        EITHER,
        HTTP + "§2.2",
    ),
    _field(
        "553", "a response's field of 70 KiB", b"X-A: " + b"b" * 71680, *EITHER, rfc=HTTP + "§5"
    ),
    asked(
        "554",
        "a response's head of 2 MiB",
        answer(*[b"X-A: " + b"b" * 1000] * 2000, HELLO, body=b"hello"),
        (BAD_GATEWAY,),
        HTTP + "§5",
    ),
    asked(
        "555",
        "a response of a thousand fields",
        answer(*[b"X-A: b"] * 1000, HELLO, body=b"hello"),
        EITHER,
        HTTP + "§5",
    ),
)
