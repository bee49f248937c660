"""Responses by their first line: statuses without a body, interim ones, and no status at all."""

from lab.hostile.case import FIN, RESET, Answered, Case, Cut, Outcome, Pause
from lab.hostile.cases.shape import BAD_GATEWAY, HELLO, HTTP, answer, asked, get, request

LINE, EMPTY, CUT = HTTP + "§4", HTTP + "§6.3", HTTP + "§8"
INTERIM = "RFC 9110 §15.2"
HEAD = request(b"HEAD")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OK = answer(HELLO, body=b"hello")
WHOLE = Answered(body=b"hello")
NO_ANSWER = Answered((502, 503, 504))
EITHER = (WHOLE, BAD_GATEWAY)


def _line(number: str, name: str, line: bytes, *allowed: Outcome) -> Case:
    script = answer(HELLO, body=b"hello", line=line)
    return asked(number, name, script, allowed or (BAD_GATEWAY,), LINE)


CASES = (
    asked(
        "50",
        "204 with a body",
        answer(HELLO, body=b"hello", line=b"HTTP/1.1 204 No Content"),
        (Answered((204,), body=b""), BAD_GATEWAY),
        EMPTY,
    ),
    Case(
        "51",
        "HEAD, answered with a length",
        HEAD,
        (Answered(body=b"", then="next"),),
        EMPTY,
        answer=(answer(HELLO),),
    ),
    asked(
        "52",
        "304 with a length",
        answer(HELLO, line=b"HTTP/1.1 304 Not Modified"),
        (Answered((304,), body=b"", then="next"),),
        EMPTY,
    ),
    asked("53", "100, then 200", CONTINUE + OK, (WHOLE,), INTERIM),
    asked(
        "54",
        "101 that nobody asked for",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        (NO_ANSWER,),
        "RFC 9110 §7.8",
    ),
    asked("59", "no byte at all", (FIN,), (NO_ANSWER,), CUT),
    # ---- more of the same kind
    _line("601", "a status line without a reason", b"HTTP/1.1 200 ", WHOLE),
    _line("602", "a status line without its last space", b"HTTP/1.1 200", *EITHER),
    _line("603", "status 099", b"HTTP/1.1 099 OK"),
    _line("604", "status 1000", b"HTTP/1.1 1000 OK"),
    _line("605", "status 20x", b"HTTP/1.1 20x OK"),
    _line("606", "status 20", b"HTTP/1.1 20 OK"),
    _line("607", "status -20", b"HTTP/1.1 -20 OK"),
    _line("608", "status 2_0", b"HTTP/1.1 2_0 OK"),
    _line("609", "status 000", b"HTTP/1.1 000 OK"),
    _line("610", "status empty", b"HTTP/1.1  OK"),
    _line("611", "status 599", b"HTTP/1.1 599 Odd", Answered((599,), body=b"hello")),
    _line("612", "status 999", b"HTTP/1.1 999 Odd", Answered((999,)), BAD_GATEWAY),
    _line("613", "HTTP/2.0 as text", b"HTTP/2.0 200 OK"),
    _line("614", "HTTP/1.2", b"HTTP/1.2 200 OK", *EITHER),
    _line("615", "ICY", b"ICY 200 OK"),
    _line("616", "http in small letters", b"http/1.1 200 OK"),
    _line("617", "two spaces before the status", b"HTTP/1.1  200 OK", *EITHER),
    _line("618", "a tab before the status", b"HTTP/1.1\t200 OK", *EITHER),
    _line("619", "a NUL in the reason", b"HTTP/1.1 200 O\x00K", *EITHER),
    _line("620", "a bare CR in the reason", b"HTTP/1.1 200 O\rK", *EITHER),
    _line("621", "a reason in Latin 1", b"HTTP/1.1 200 \xc9t\xe9", WHOLE),
    _line("622", "a reason of 70 KiB", b"HTTP/1.1 200 " + b"a" * 71680, *EITHER),
    asked("623", "a response that is no response", (b"hello\r\n\r\n", FIN), (NO_ANSWER,), LINE),
    asked("624", "the banner of a mail server", (b"220 mail ESMTP\r\n", FIN), (NO_ANSWER,), LINE),
    asked("625", "a TLS alert", (b"\x15\x03\x03\x00\x02\x02\x28", FIN), (NO_ANSWER,), LINE),
    asked("626", "an empty line before the response", b"\r\n" + OK, EITHER, HTTP + "§2.2"),
    asked(
        "627", "closed amid the head", (b"HTTP/1.1 200 OK\r\nX-A: b\r\n", FIN), (NO_ANSWER,), CUT
    ),
    asked("628", "closed amid the first line", (b"HTTP/1.1 2", FIN), (NO_ANSWER,), CUT),
    asked("629", "reset before the head", (RESET,), (NO_ANSWER,), CUT),
    asked(
        "630",
        "reset amid the head",
        (b"HTTP/1.1 200 OK\r\n", Pause(0.05), RESET),
        (NO_ANSWER,),
        CUT,
    ),
    asked(
        "631",
        "two 100s, 102, 103, then 200",
        CONTINUE * 2
        + answer(line=b"HTTP/1.1 102 Processing")
        + answer(b"Link: </a>", line=b"HTTP/1.1 103 Early Hints")
        + OK,
        (WHOLE,),
        INTERIM,
    ),
    asked("632", "a thousand 100s, then 200", CONTINUE * 1000 + OK, (WHOLE, NO_ANSWER), INTERIM),
    asked("633", "100, then the end", (CONTINUE, FIN), (NO_ANSWER, Cut()), INTERIM),
    asked(
        "634",
        "103 to HTTP/1.0, which knows no interim responses",
        answer(line=b"HTTP/1.1 103 Early Hints") + OK,
        (Answered(body=b"hello", interim=()), Answered((426, 505))),
        INTERIM,
        ask=request(b"GET", version=b"HTTP/1.0"),
    ),
    asked(
        "635",
        "100 with a length",
        answer(HELLO, line=b"HTTP/1.1 100 Continue") + OK,
        (WHOLE, NO_ANSWER),
        INTERIM,
    ),
    asked(
        "636",
        "101 to a request that asked for it, of a proxy that does not tunnel",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n",
        (NO_ANSWER, Answered((400, 403, 501))),
        "RFC 9110 §7.8",
        ask=get(b"Connection: Upgrade", b"Upgrade: raw"),
    ),
    asked(
        "637",
        "205 with a body",
        answer(HELLO, body=b"hello", line=b"HTTP/1.1 205 Reset Content"),
        (Answered((205,)), BAD_GATEWAY),
        "RFC 9110 §15.3.6",
    ),
    asked(
        "638",
        "204 with chunks",
        answer(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n", line=b"HTTP/1.1 204 None"),
        (Answered((204,), body=b"", lacks=("transfer-encoding",)), BAD_GATEWAY),
        EMPTY,
    ),
    asked(
        "640",
        "HEAD, answered by nobody: no body of the proxy's either",
        (FIN,),
        (NO_ANSWER,),
        "RFC 9110 §9.3.2",
        ask=HEAD,
    ),
    asked(
        "639",
        "an error passes as it is",
        answer(HELLO, body=b"hello", line=b"HTTP/1.1 500 Broken"),
        (Answered((500,), body=b"hello"),),
        "RFC 9110 §15.6",
    ),
)
