"""Where does a response end? Its length, its chunks, and the end of the connection."""

from lab.hostile.case import FIN, RESET, Answered, Case, Cut, Outcome, Pause, Step, drip
from lab.hostile.cases.shape import (
    BAD_GATEWAY,
    BROKEN,
    CHUNKED,
    HELLO,
    HTTP,
    answer,
    asked,
    request,
)

BOTH, LENGTH, CHUNK, CUT = HTTP + "§6.3", HTTP + "§6.2", HTTP + "§7.1", HTTP + "§8"
NAME = HTTP + "§5.1"
END = b"0\r\n\r\n"
WHOLE = Answered(body=b"hello")
EITHER: tuple[Outcome, ...] = (WHOLE, BAD_GATEWAY)
HEAD = request(b"HEAD")


def _length(number: str, name: str, value: bytes, *allowed: Outcome) -> Case:
    script = answer(b"Content-Length:" + value, body=b"hello")
    return asked(number, f"response length {name}", script, allowed or (BAD_GATEWAY,), LENGTH)


def _coding(number: str, name: str, value: bytes, *allowed: Outcome) -> Case:
    script = (answer(b"Transfer-Encoding:" + value, body=b"5\r\nhello\r\n" + END), FIN)
    return asked(number, f"response coding {name}", script, allowed or BROKEN, BOTH)


def _chunks(number: str, name: str, body: bytes, *allowed: Outcome) -> Case:
    return asked(number, name, (answer(CHUNKED, body=body), FIN), allowed or BROKEN, CHUNK)


def _cut(number: str, name: str, *script: Step, allowed: tuple[Outcome, ...] = BROKEN) -> Case:
    return asked(number, name, script, allowed, CUT)


CASES = (
    asked(
        "48",
        "response with a length and chunks",
        answer(HELLO, CHUNKED, body=b"5\r\nhello\r\n" + END),
        (BAD_GATEWAY, Answered(body=b"hello", then="either")),
        BOTH,
    ),
    asked(
        "49",
        "response with two lengths",
        answer(HELLO, b"Content-Length: 6", body=b"hello!"),
        (BAD_GATEWAY,),
        BOTH,
    ),
    _cut(
        "55a", "response cut before its length", answer(b"Content-Length: 50", body=b"hello"), FIN
    ),
    _cut("55b", "response cut between chunks", answer(CHUNKED, body=b"5\r\nhello\r\n"), FIN),
    _cut("55c", "response cut amid a chunk", answer(CHUNKED, body=b"9\r\nhello"), FIN),
    _chunks("56", "a bad chunk size amid the response", b"5\r\nhello\r\nxyz\r\nhello\r\n" + END),
    # ---- more of the same kind
    _length("501", "+5", b" +5"),
    _length("502", "-1", b" -1"),
    _length("503", "empty", b"", BAD_GATEWAY),
    _length("504", "5, 6", b" 5, 6"),
    _length("505", "5, 5", b" 5, 5", *EITHER),
    _length("506", "0x5", b" 0x5"),
    _length("507", "1_0", b" 1_0"),
    _length("508", "2^64 + 5", b" 18446744073709551621"),
    _length("509", "as a superscript digit", b" \xb5"),
    _length("510", "05", b" 05", *EITHER),
    asked(
        "511",
        "response with the same length twice",
        answer(HELLO, HELLO, body=b"hello"),
        EITHER,
        BOTH,
    ),
    _coding("512", "xchunked", b" xchunked"),
    _coding("513", "CHUNKED", b" CHUNKED", WHOLE),
    _coding("514", "chunked, chunked", b" chunked, chunked"),
    _coding("515", "with a vertical tab", b"\x0bchunked"),
    _coding("516", "identity", b" identity"),
    _coding("517", "with a NUL", b" chunked\x00"),
    asked(
        "518",
        "response with a coding spelt with a space before the colon, and a length",
        answer(b"Transfer-Encoding : chunked", b"Content-Length: 15", body=b"5\r\nhello\r\n" + END),
        (BAD_GATEWAY, Answered(body=b"hello"), Answered(lacks=("transfer-encoding",))),
        NAME,
    ),
    asked(
        "519",
        "chunks in a response of HTTP/1.0",
        (answer(CHUNKED, body=b"5\r\nhello\r\n" + END, line=b"HTTP/1.0 200 OK"), FIN),
        (BAD_GATEWAY, Answered(then="either"), Cut()),
        HTTP + "§6.1",
    ),
    _chunks("520", "response size 0x5", b"0x5\r\nhello\r\n" + END),
    _chunks("521", "response size +5", b"+5\r\nhello\r\n" + END),
    _chunks("522", "response size 2^64 + 5", b"10000000000000005\r\nhello\r\n" + END),
    _chunks("523", "response size empty", b"\r\nhello\r\n" + END),
    _chunks("524", "response chunk longer than its size", b"4\r\nhello\r\n" + END),
    _chunks("525", "response size 5_0", b"5_0\r\nhello\r\n" + END),
    _chunks("526", "response size with an extension", b"5;a=b\r\nhello\r\n" + END, WHOLE),
    _chunks("527", "response size ended by LF", b"5\nhello\r\n" + END, *BROKEN, WHOLE),
    _chunks("528", "response without its last line", b"5\r\nhello\r\n0\r\n"),
    _chunks("529", "response with a trailer", b"5\r\nhello\r\n0\r\nX-T: b\r\n\r\n", WHOLE),
    _chunks(
        "530",
        "response with a trailer Content-Length",
        b"5\r\nhello\r\n0\r\nContent-Length: 1\r\n\r\n",
        Answered(body=b"hello", lacks=("content-length",)),
        *BROKEN,
    ),
    _chunks(
        "531",
        "response with an extension of 64 KiB",
        b"5;" + b"a" * 65536 + b"\r\nhello\r\n" + END,
        *BROKEN,
        WHOLE,
    ),
    _chunks(
        "532",
        "response of three thousand chunks",
        b"1\r\na\r\n" * 3000 + END,
        Answered(body=b"a" * 3000),
    ),
    asked(
        "533",
        "chunked response to HTTP/1.0, which knows no chunks",
        answer(CHUNKED, body=b"5\r\nhello\r\n" + END),
        (Answered(body=b"hello", lacks=("transfer-encoding",)), Answered((426, 505))),
        HTTP + "§7",
        ask=request(b"GET", version=b"HTTP/1.0"),
    ),
    asked(
        "534",
        "response without a length, ended by the connection",
        (answer(body=b"hello"), FIN),
        (WHOLE,),
        BOTH,
    ),
    asked(
        "535",
        "response of HTTP/1.0 without a length",
        (answer(body=b"hello", line=b"HTTP/1.0 200 OK"), FIN),
        (WHOLE,),
        BOTH,
    ),
    asked(
        "536",
        "response of HTTP/1.0 with a length",
        (answer(HELLO, body=b"hello", line=b"HTTP/1.0 200 OK"), FIN),
        (WHOLE,),
        BOTH,
    ),
    _cut(
        "537",
        "response without a length, ended by a reset",
        answer(body=b"hello"),
        Pause(0.05),
        RESET,
    ),
    _cut(
        "538",
        "response reset before its length",
        answer(b"Content-Length: 50", body=b"hello"),
        Pause(0.05),
        RESET,
    ),
    _cut(
        "539",
        "response reset amid its chunks",
        answer(CHUNKED, body=b"5\r\nhello"),
        Pause(0.05),
        RESET,
    ),
    asked(
        "540",
        "response byte by byte",
        drip(answer(CHUNKED, body=b"5\r\nhello\r\n" + END)),
        (WHOLE,),
        CHUNK,
    ),
    asked(
        "541",
        "response of a length, byte by byte",
        drip(answer(HELLO, body=b"hello")),
        (WHOLE,),
        BOTH,
    ),
    Case(
        "556",
        "HEAD, answered with chunks",
        HEAD,
        (Answered(body=b""),),
        BOTH,
        answer=(answer(CHUNKED),),
    ),
    asked(
        "557",
        "response of 300 kB",
        answer(b"Content-Length: 300000", body=b"x" * 300000),
        (Answered(body=b"x" * 300000),),
        BOTH,
    ),
    asked(
        "558",
        "Connection names Content-Length, in a response",
        answer(b"Connection: Content-Length", HELLO, body=b"hello"),
        (*EITHER, Cut()),
        "RFC 9110 §7.6.1",
    ),
)
