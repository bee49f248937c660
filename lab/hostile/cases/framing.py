"""Two readings of one body: both lengths, fields that look like one, what may follow."""

from lab.hostile.case import FIN, SMUGGLED, Case, Outcome, Passed, Refused, Unfinished
from lab.hostile.cases.shape import (
    ALL,
    CHUNKED,
    FINE,
    FIVE,
    HELLO,
    HTTP,
    REJECT,
    TAIL,
    get,
    post,
    request,
)

CLOSES = Passed(then="closes")
CODING, BOTH = HTTP + "§6.1", HTTP + "§6.3"
WSGI = "RFC 3875 §4.1.18"  # a gateway turns - and _ of a name into the same letter
WHOLE = Passed(TAIL)


def _both(number: str, name: str, *lines: bytes, allowed: tuple[Outcome, ...] = ()) -> Case:
    """A coding beside a length: whoever overlooks one of them reads another body."""
    return Case(number, name, post(*lines, body=TAIL), allowed or (REJECT, CLOSES), BOTH)


CASES = (
    _both("1", "a length and chunks", ALL, CHUNKED),
    Case("2", "two lengths", post(HELLO, b"Content-Length: 6", body=b"hello!"), (REJECT,), BOTH),
    Case("4", "the same length twice", post(HELLO, HELLO, body=b"hello"), (REJECT, FIVE), BOTH),
    Case(
        "17",
        "chunks in HTTP/1.0",
        request(b"POST", CHUNKED, body=TAIL, version=b"HTTP/1.0"),
        (REJECT, CLOSES),
        CODING,
    ),
    Case(
        "31",
        "GET with a body, then another GET",
        request(b"GET", HELLO, body=b"hello"),
        (Passed(b"hello", then="next"),),
        "RFC 9110 §9.3.1",
    ),
    Case(
        "32",
        "the client ends amid its body",
        (post(b"Content-Length: 50", body=b"hello"), FIN),
        (Unfinished(),),
        HTTP + "§8",
        next=False,
    ),
    # ---- more of the same kind
    Case(
        "124",
        "a second length spelt with an underscore",
        post(HELLO, b"Content_Length: 50", body=b"hello"),
        (REJECT, Passed(b"hello", lacks=("content_length",))),
        WSGI,
    ),
    Case(
        "125",
        "a coding spelt with an underscore",
        post(ALL, b"Transfer_Encoding: chunked", body=TAIL),
        (REJECT, Passed(TAIL, lacks=("transfer_encoding",))),
        WSGI,
    ),
    _both("141", "a length and two codings", ALL, CHUNKED, CHUNKED, allowed=(REJECT,)),
    _both("142", "chunked, then identity", CHUNKED, b"Transfer-Encoding: identity"),
    _both("143", "identity, then chunked", b"Transfer-Encoding: identity", CHUNKED),
    _both(
        "144", "a length and an empty coding", ALL, b"Transfer-Encoding:", allowed=(REJECT, WHOLE)
    ),
    _both("145", "a length and xchunked", ALL, b"Transfer-Encoding: xchunked", allowed=(REJECT,)),
    _both("146", "a length and a folded coding", ALL, b"Transfer-Encoding:\r\n chunked"),
    _both("147", "a coding after a bare LF", ALL, b"X-A: b\nTransfer-Encoding: chunked"),
    _both(
        "148",
        "a coding after a bare CR",
        ALL,
        b"X-A: b\rTransfer-Encoding: chunked",
        allowed=(REJECT, WHOLE),
    ),
    _both(
        "149",
        "a coding with a NUL in its name",
        ALL,
        b"Transfer-Encoding\x00: chunked",
        allowed=(REJECT,),
    ),
    _both("150", "a length before and after the coding", ALL, CHUNKED, ALL),
    Case(
        "151",
        "Connection names Content-Length",
        post(b"Connection: Content-Length", ALL, body=TAIL),
        (REJECT, WHOLE),
        "RFC 9110 §7.6.1",
    ),
    Case(
        "152",
        "Connection names Transfer-Encoding",
        post(b"Connection: Transfer-Encoding", CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"),
        (REJECT, FIVE),
        "RFC 9110 §7.6.1",
    ),
    Case("153", "POST without a length", post(), (Passed(then="next"), Refused((411,))), BOTH),
    Case("154", "POST of nothing", post(b"Content-Length: 0"), (Passed(then="next"),), BOTH),
    Case(
        "155",
        "POST without a length, and a request where its body would be",
        post() + get(target=b"/open/second"),
        (Passed(also=("/open/second",)), Refused((411,))),
        BOTH,
    ),
    Case(
        "156",
        "a request inside a body",
        post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
        (Passed(SMUGGLED, then="next"),),
        BOTH,
    ),
    Case(
        "157",
        "DELETE with a body",
        request(b"DELETE", HELLO, body=b"hello"),
        (Passed(b"hello", then="next"), REJECT),
        "RFC 9110 §9.3.5",
    ),
    Case(
        "158",
        "HTTP/1.0 with a length, and more behind it",
        request(b"POST", HELLO, body=b"hello", version=b"HTTP/1.0"),
        (Passed(b"hello", then="closes"), Refused((426, 505))),
        HTTP + "§9.3",
    ),
    Case(
        "159",
        "GET with chunks",
        request(b"GET", CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"),
        (Passed(b"hello", then="next"), REJECT),
        "RFC 9110 §9.3.1",
    ),
    Case(
        "160",
        "HEAD with a body",
        request(b"HEAD", HELLO, body=b"hello"),
        (FIVE, REJECT, FINE),
        BOTH,
    ),
)
