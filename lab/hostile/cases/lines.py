"""The first line, the ends of lines, and what may stand before, between and after them."""

from lab.hostile.case import FIN, Case, Outcome, Passed, Refused, drip
from lab.hostile.cases.shape import (
    FINE,
    FIVE,
    HANG_UP,
    HELLO,
    HTTP,
    REFUSE,
    REJECT,
    TOO_LARGE,
    get,
    post,
    request,
)

REST = b"\r\nHost: a\r\n\r\n"
LINE, ENDS, FOLD, VERSION = HTTP + "§3", HTTP + "§2.2", HTTP + "§5.2", HTTP + "§2.3"
VALUE = "RFC 9110 §5.5"
UNKNOWN_VERSION = Refused((400, 426, 501, 505), may_be_silent=True)
OLD = Refused((426, 505))  # who speaks 1.1 only may say so: RFC 9110 §15.5.22


def _line(number: str, name: str, line: bytes, *allowed: Outcome, rfc: str = LINE) -> Case:
    return Case(number, name, line + REST, allowed or (REJECT,), rfc)


def _version(number: str, name: str, version: bytes, *allowed: Outcome) -> Case:
    sent = request(b"GET", version=version)
    return Case(number, name, sent, allowed or (UNKNOWN_VERSION,), VERSION)


def _raw(number: str, name: str, sent: bytes, *allowed: Outcome, rfc: str = ENDS) -> Case:
    return Case(number, name, sent, allowed or (REJECT,), rfc)


CASES = (
    _raw(
        "18",
        "a field that is folded",
        get(b"X-A: b", b" c"),
        REJECT,
        Passed(has=(("x-a", "b c"),)),
        rfc=FOLD,
    ),
    _raw(
        "19",
        "space before the first field",
        b"GET /open/first HTTP/1.1\r\n X-A: b\r\nHost: a\r\n\r\n",
        Refused((400,)),
    ),
    _raw(
        "20",
        "a bare CR in a value",
        get(b"X-A: b\rc"),
        REJECT,
        Passed(has=(("x-a", "b c"),)),
    ),
    _raw("21", "a NUL in a value", get(b"X-A: b\x00c"), rfc=VALUE),
    _raw("22", "lines ended by LF alone", b"GET /open/first HTTP/1.1\nHost: a\n\n", FINE, REJECT),
    _raw("23", "a field without a colon", get(b"nothing"), Refused((400,)), rfc=HTTP + "§5"),
    _raw("38", "HTTP/0.9", b"GET /open/first\r\n", UNKNOWN_VERSION, rfc=VERSION),
    _version("39", "HTTP/2.0 as text", b"HTTP/2.0", Refused((400, 426, 505))),
    # ---- more of the same kind
    _raw(
        "222",
        "LF alone, with a body",
        post(HELLO, body=b"hello").replace(b"\r\n", b"\n"),
        FIVE,
        REJECT,
    ),
    _raw("223", "CR alone", b"GET /open/first HTTP/1.1\rHost: a\r\r"),
    _raw(
        "224",
        "LF alone after the first line only",
        b"GET /open/first HTTP/1.1\nHost: a\r\n\r\n",
        FINE,
        REJECT,
    ),
    _raw("225", "LF alone after a field only", get(b"X-A: b\nX-C: d"), FINE, REJECT),
    _raw(
        "226",
        "the empty line is LF alone",
        b"GET /open/first HTTP/1.1\r\nHost: a\r\n\n",
        FINE,
        REJECT,
    ),
    _raw(
        "227", "a CR more before the empty line", b"GET /open/first HTTP/1.1\r\nHost: a\r\n\r\r\n"
    ),
    _raw(
        "228",
        "a CR more after the first line",
        b"GET /open/first HTTP/1.1\r\r\nHost: a\r\n\r\n",
        FINE,
        REJECT,
    ),
    _raw("229", "LF CR in the place of CR LF", b"GET /open/first HTTP/1.1\n\rHost: a\n\r\n\r"),
    _raw("230", "an empty line before the request", b"\r\n" + get(), FINE, REJECT),
    _raw("231", "three empty lines before the request", b"\r\n" * 3 + get(), FINE, REJECT),
    _raw("232", "LF alone before the request", b"\n" + get(), FINE, REJECT),
    _raw("233", "70 KiB of empty lines", b"\r\n" * 35000 + get(), FINE, TOO_LARGE),
    _raw("234", "a space before the method", b" " + get(), FINE, REJECT),
    _raw("235", "a NUL before the method", b"\x00" + get()),
    _raw("236", "a byte order mark before the method", b"\xef\xbb\xbf" + get()),
    _line("237", "two spaces before the target", b"GET  /open/first HTTP/1.1", FINE, REJECT),
    _line("238", "two spaces before the version", b"GET /open/first  HTTP/1.1", FINE, REJECT),
    _line(
        "239", "tabs between the words", b"GET\t/open/first\tHTTP/1.1", Passed(method="GET"), REJECT
    ),
    _line("240", "a space after the version", b"GET /open/first HTTP/1.1 ", FINE, REJECT),
    _line("241", "a tab after the version", b"GET /open/first HTTP/1.1\t", FINE, REJECT),
    _line("242", "a vertical tab between the words", b"GET\x0b/open/first HTTP/1.1"),
    _line("243", "a fourth word", b"GET /open/first HTTP/1.1 x"),
    _line("244", "no version, but fields", b"GET /open/first", UNKNOWN_VERSION),
    _line("245", "no target", b"GET HTTP/1.1"),
    _line("246", "an empty target", b"GET  HTTP/1.1"),
    _line("247", "a method alone", b"GET"),
    _line("248", "a NUL in the method", b"GE\x00T /open/first HTTP/1.1"),
    _line("249", "a bracket in the method", b"GE(T /open/first HTTP/1.1"),
    _line("250", "a CR in the method", b"GE\rT /open/first HTTP/1.1"),
    _line("251", "a colon in the method", b"GET: /open/first HTTP/1.1"),
    _line("252", "a high byte in the method", b"G\xc9T /open/first HTTP/1.1"),
    _line("253", "a method in small letters", b"get /open/first HTTP/1.1", FINE, REFUSE),
    _line(
        "254", "an unknown method", b"BREW /open/first HTTP/1.1", FINE, REFUSE, rfc="RFC 9110 §9.1"
    ),
    _line("255", "a method of 70 KiB", b"A" * 71680 + b" /open/first HTTP/1.1", TOO_LARGE),
    _line("256", "a method of 300 bytes", b"A" * 300 + b" /open/first HTTP/1.1", FINE, REFUSE),
    _line("257", "TRACE", b"TRACE /open/first HTTP/1.1", FINE, REFUSE, rfc="RFC 9110 §9.3.8"),
    _version("258", "http in small letters", b"http/1.1"),
    _version("259", "HTTP/1.2", b"HTTP/1.2", FINE, UNKNOWN_VERSION),
    _version("260", "HTTP/1.10", b"HTTP/1.10"),
    _version("261", "HTTP/01.1", b"HTTP/01.1"),
    _version("262", "HTTP/1", b"HTTP/1"),
    _version("263", "HTTP/1.1x", b"HTTP/1.1x"),
    _version("264", "HTTP /1.1", b"HTTP /1.1"),
    _version("265", "HTTP/3.0", b"HTTP/3.0"),
    _version("266", "HTTP/-1.1", b"HTTP/-1.1"),
    _version("267", "HTPP/1.1", b"HTPP/1.1"),
    _version("268", "HTTP/1,1", b"HTTP/1,1"),
    _version("269", "HTTP/0.9 with fields", b"HTTP/0.9"),
    _version("270", "HTTP/1.\u00b9 of Latin 1", b"HTTP/1.\xb9"),
    _raw(
        "271", "HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HANG_UP, rfc="RFC 9113 §3.4"
    ),
    _raw(
        "272",
        "a TLS client hello",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"\x07" * 160,
        HANG_UP,
    ),
    _raw("273", "all bytes there are", bytes(range(256)) * 4, HANG_UP),
    _raw("274", "a SOCKS greeting", b"\x05\x01\x00\r\n\r\n", HANG_UP),
    _raw(
        "275", "a PROXY line that nobody asked for", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get()
    ),
    _raw("276", "a status line", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HANG_UP),
    Case("277", "byte by byte", drip(get(b"X-A: b")), (Passed(then="next"),), ENDS),
    Case(
        "278",
        "the client ends amid the head",
        (b"GET /open/first HTTP/1.1\r\nHost: a\r\n", FIN),
        (HANG_UP,),
        HTTP + "§8",
        next=False,
    ),
    Case("279", "the client ends at once", (FIN,), (HANG_UP,), HTTP + "§8", next=False),
    Case(
        "280",
        "HTTP/1.0 without Host",
        request(b"GET", version=b"HTTP/1.0", host=b""),
        (Passed(then="closes"), REJECT),
        HTTP + "§3.2",
    ),
    Case(
        "281",
        "HTTP/1.0 that asks to keep the connection",
        request(b"GET", b"Connection: keep-alive", version=b"HTTP/1.0"),
        (FINE, OLD),
        HTTP + "§9.3",
    ),
    Case(
        "282",
        "twenty requests in one piece",
        get() + b"".join(get(target=b"/open/%d" % n) for n in range(2, 21)),
        (Passed(also=tuple(f"/open/{n}" for n in range(2, 21)), then="next"),),
        HTTP + "§9.3.2",
    ),
    _raw(
        "283",
        "a folded line of blanks",
        get(b"X-A: b", b"   "),
        REJECT,
        Passed(has=(("x-a", "b"),)),
        rfc=FOLD,
    ),
    _raw(
        "284",
        "Host is folded",
        b"GET /open/first HTTP/1.1\r\nHost:\r\n a\r\n\r\n",
        REJECT,
        Passed(has=(("host", "a"),)),
        rfc=FOLD,
    ),
    _raw("285", "a field that is only a space", get(b" "), REJECT, FINE, rfc=FOLD),
    _raw("286", "an empty line after a whole request", get() + b"\r\n", FINE),
)
