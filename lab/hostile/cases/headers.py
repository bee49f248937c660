"""Fields of one hop, fields that claim something, and Expect."""

from lab.hostile.case import Answered, Await, Case, Outcome, Passed, Pause, Refused
from lab.hostile.cases.shape import (
    FINE,
    FIVE,
    HELLO,
    HTTP,
    REFUSE,
    REJECT,
    TOO_LARGE,
    answer,
    get,
    post,
    request,
)

HOP = "RFC 9110 §7.6.1"
UPGRADE, EXPECT = "RFC 9110 §7.8", "RFC 9110 §10.1.1"
WEBSOCKET = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
OF_ONE_HOP = ("x-sec", "keep-alive", "proxy-connection", "te")
EXPECTS = b"Expect: 100-continue"
NO_UPGRADE = Passed(lacks=("upgrade", "http2-settings"))


def _fields(number: str, name: str, *lines: bytes, allowed: tuple[Outcome, ...], rfc: str) -> Case:
    return Case(number, name, get(*lines), allowed, rfc)


def _claim(number: str, line: bytes) -> Case:
    """What only the proxy itself may tell the service."""
    name = line.decode().partition(":")[0]
    passed = Passed(lacks=(name.lower(),))
    return Case(number, f"a customer's {name}", get(line), (REFUSE, passed), "trust boundary")


CASES = (
    Case(
        "42",
        "a field spelt with underscores",
        get(b"x_user_id: root"),
        (REFUSE, Passed(lacks=("x_user_id",))),
        "RFC 3875 §4.1.18",
    ),
    _fields(
        "43",
        "fields of one hop",
        b"Connection: x-sec",
        b"X-Sec: 1",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"TE: gzip",
        allowed=(Passed(lacks=OF_ONE_HOP),),
        rfc=HOP,
    ),
    _fields(
        "44a",
        "upgrade to websocket that nobody configured",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        WEBSOCKET,
        allowed=(REFUSE, NO_UPGRADE),
        rfc=UPGRADE,
    ),
    _fields(
        "44b",
        "upgrade to HTTP/2",
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABkAAQAAP__",
        allowed=(REFUSE, NO_UPGRADE),
        rfc=UPGRADE,
    ),
    Case(
        "45",
        "Expect: the body is sent after the 100",
        (post(EXPECTS, HELLO), Await(b"100 Continue"), b"hello"),
        (Passed(b"hello", then="next"),),
        EXPECT,
    ),
    _fields(
        "46",
        "fields that only a proxy may set",
        b'X-Forwarded-Client-Cert: By=x;URI="spiffe://seven-eras/orders"',
        b"X-Envoy-Internal: true",
        b"X-Envoy-Original-Path: /closed",
        allowed=(
            REFUSE,
            Passed(lacks=("x-forwarded-client-cert", "x-envoy-internal", "x-envoy-original-path")),
        ),
        rfc="trust boundary",
    ),
    # ---- more of the same kind
    _fields(
        "445",
        "Connection names a field in another case, beside close",
        b"Connection: close, X-SEC",
        b"X-Sec: 1",
        allowed=(Passed(lacks=("x-sec",), then="closes"),),
        rfc=HOP,
    ),
    _fields(
        "446",
        "two Connection fields",
        b"Connection: x-sec",
        b"X-Sec: 1",
        b"Connection: x-other",
        b"X-Other: 1",
        allowed=(Passed(lacks=("x-sec", "x-other")),),
        rfc=HOP,
    ),
    _fields(
        "447",
        "Connection of commas and blanks",
        b"Connection: , ,\t,, x-sec,",
        b"X-Sec: 1",
        allowed=(Passed(lacks=("x-sec",)), REJECT),
        rfc=HOP,
    ),
    _fields("448", "Connection names Host", b"Connection: Host", allowed=(FINE, REJECT), rfc=HOP),
    _fields(
        "449",
        "Connection: close, CLOSE in capitals",
        b"Connection: CLOSE",
        allowed=(Passed(then="closes"),),
        rfc=HTTP + "§9.6",
    ),
    _fields(
        "450",
        "Connection of a thousand names",
        b"Connection: " + b",".join(b"x%d" % n for n in range(1000)),
        b"x999: 1",
        allowed=(Passed(lacks=("x999",)), TOO_LARGE),
        rfc=HOP,
    ),
    _fields(
        "451",
        "upgrade without Connection",
        b"Upgrade: websocket",
        allowed=(REFUSE, NO_UPGRADE),
        rfc=UPGRADE,
    ),
    _fields(
        "452",
        "upgrade to TLS",
        b"Connection: Upgrade",
        b"Upgrade: TLS/1.0",
        allowed=(REFUSE, NO_UPGRADE),
        rfc=UPGRADE,
    ),
    Case(
        "453",
        "upgrade, and the tunnel's bytes at once",
        get(b"Connection: Upgrade", b"Upgrade: raw") + b"\x00\x01\x02\r\n\r\n",
        (REFUSE, NO_UPGRADE),
        UPGRADE,
    ),
    Case(
        "454",
        "Expect in capitals, the body sent at once",
        post(b"EXPECT: 100-Continue", HELLO, body=b"hello"),
        (Passed(b"hello", then="next"),),
        EXPECT,
    ),
    Case(
        "455",
        "Expect of something else",
        post(b"Expect: tea", HELLO, body=b"hello"),
        (Refused((400, 417, 501), may_go_on=True), FIVE),
        EXPECT,
    ),
    Case(
        "456",
        "Expect on a request without a body",
        get(EXPECTS),
        (FINE,),
        EXPECT,
    ),
    Case(
        "457",
        "Expect in HTTP/1.0: no 100 may come",
        request(b"POST", EXPECTS, HELLO, body=b"hello", version=b"HTTP/1.0"),
        (FIVE, Refused((426, 505))),
        EXPECT,
    ),
    Case(
        "458",
        "Expect with chunks",
        (
            post(EXPECTS, b"Transfer-Encoding: chunked"),
            Await(b"100 Continue"),
            b"5\r\nhello\r\n0\r\n\r\n",
        ),
        (Passed(b"hello", then="next"),),
        EXPECT,
    ),
    Case(
        "459",
        "Expect, refused by the upstream; the client leaves out its body",
        (post(EXPECTS, HELLO), Pause(0.2)),
        (Answered((417, 502), then="closes"),),
        EXPECT,
        answer=(answer(b"Content-Length: 0", line=b"HTTP/1.1 417 No"),),
        at_head=True,
    ),
    Case(
        "464",
        "HEAD, refused by the proxy itself: no body either",
        request(b"HEAD", target=b"/closed"),
        (REFUSE,),
        "RFC 9110 §9.3.2",
    ),
    _claim("460", b"X-User-Id: root"),
    _claim("461", b"X-Forwarded-Client-Cert: URI=spiffe://seven-eras/orders"),
    _claim("462", b"X_Forwarded_Client_Cert: URI=spiffe://seven-eras/orders"),
)
