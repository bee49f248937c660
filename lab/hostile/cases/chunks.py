"""Chunks, their sizes, extensions and trailers: RFC 9112 §7.1."""

from lab.hostile.case import FIN, SMUGGLED, Case, Outcome, Passed, Refused, Unfinished, drip
from lab.hostile.cases.shape import (
    CHUNKED,
    HTTP,
    REJECT,
    TOO_LARGE,
    post,
)

END = b"0\r\n\r\n"
SIZE, EXTENSION, TRAILER = HTTP + "§7.1", HTTP + "§7.1.1", HTTP + "§7.1.2"
TWO = Passed(b"AA")


def _chunks(number: str, name: str, body: bytes, *allowed: Outcome, rfc: str = SIZE) -> Case:
    return Case(number, name, post(CHUNKED, body=body), allowed or (REJECT,), rfc)


def _size(number: str, name: str, size: bytes, *allowed: Outcome, rfc: str = SIZE) -> Case:
    """Two bytes under a size that is written oddly."""
    return _chunks(number, name, size + b"\r\nAA\r\n" + END, *allowed, rfc=rfc)


def _trailer(number: str, name: str, lines: bytes, *allowed: Outcome) -> Case:
    return _chunks(number, name, b"2\r\nAA\r\n0\r\n" + lines + b"\r\n", *allowed, rfc=TRAILER)


CASES = (
    _size("24", "size 0x2", b"0x2", Refused((400,))),
    _size("25", "size +2", b"+2", Refused((400,))),
    _size("26", "size 2^64 + 2, which overflows to 2", b"10000000000000002", Refused((400, 413))),
    _chunks("27", "extension ended by a bare LF", b"2;\nxx\r\nAA\r\n" + END, Refused((400,))),
    _chunks("28", "a chunk longer than its size", b"2\r\nAAA\r\n" + END, Refused((400,))),
    _size("29", "extension of 64 KiB", b"2;" + b"a" * 65536, TOO_LARGE, TWO, rfc=EXTENSION),
    _trailer(
        "30",
        "trailer Content-Length",
        b"Content-Length: 50\r\n",
        TWO,
        REJECT,
    ),
    # ---- more of the same kind
    _size("161", "size -2", b"-2"),
    _size("162", "space before the size", b" 2"),
    _size("163", "space after the size", b"2 ", TWO, REJECT),
    _size("164", "tab before an extension", b"2\t;a", TWO, REJECT, rfc=EXTENSION),
    _size("165", "size empty", b""),
    _size("166", "size g", b"g"),
    _size("167", "size 2_0, which Python's int takes for 32", b"2_0"),
    _size("168", "size 2 2", b"2 2"),
    _size("169", "size with a NUL", b"2\x00"),
    _size("170", "size with a CR more", b"2\r"),
    _size("171", "size as a full-width digit", b"\xef\xbc\x92"),
    _size("172", "size of twenty digits, all zeros but one", b"0" * 19 + b"2", TWO, REJECT),
    _size("173", "size of twenty thousand zeros", b"0" * 20000 + b"2", TOO_LARGE, TWO),
    _size("174", "size 2^63", b"8000000000000000", TOO_LARGE, Unfinished()),
    _size("175", "size 2^64 - 1", b"ffffffffffffffff", TOO_LARGE, Unfinished()),
    _size("176", "size -0", b"-0"),
    _size("177", "size in octal dress", b"0o2"),
    _size("178", "size 2h", b"2h"),
    _size("179", "extension with a value", b"2;a=b", TWO, rfc=EXTENSION),
    _size("180", "extension in quotes, with a semicolon", b'2;a="b;c"', TWO, rfc=EXTENSION),
    _size("181", "extension with a bare CR", b"2;a\rb", rfc=EXTENSION),
    _size("182", "extension with a NUL", b"2;a\x00b", TWO, REJECT, rfc=EXTENSION),
    _size("183", "extension with LF in quotes", b'2;a="\n"', rfc=EXTENSION),
    _size(
        "184",
        "extension with CR LF in quotes",
        b'2;a="\r\nAA\r\n0\r\n\r\n',
        TWO,
        REJECT,
        rfc=EXTENSION,
    ),
    _chunks("185", "a size ended by LF alone", b"2\nAA\r\n" + END, TWO, REJECT),
    _chunks("186", "a size ended by CR alone", b"2\rAA\r\n" + END),
    _chunks("187", "chunk data ended by LF alone", b"2\r\nAA\n" + END, TWO, REJECT),
    _chunks("188", "chunk data ended by CR alone", b"2\r\nAA\r" + END),
    _chunks("189", "chunk data ended by nothing", b"2\r\nAA" + END),
    _chunks("190", "a chunk shorter than its size", b"5\r\nAA\r\n" + END),
    _chunks("191", "the last chunk written 000", b"2\r\nAA\r\n000\r\n\r\n", TWO, REJECT),
    _chunks("192", "the last chunk with an extension", b"2\r\nAA\r\n0;a=b\r\n\r\n", TWO),
    _chunks("193", "the last chunk ended by LF alone", b"2\r\nAA\r\n0\n\r\n", TWO, REJECT),
    _chunks("194", "the end of the body is LF alone", b"2\r\nAA\r\n0\r\n\n", TWO, REJECT),
    _chunks("195", "garbage after the body", b"2\r\nAA\r\n" + END + b"\x01\x02\r\n\r\n", TWO),
    _chunks(
        "196",
        "a request in the place of the trailers",
        b"2\r\nAA\r\n0\r\n" + SMUGGLED,
        REJECT,
        TWO,
    ),
    _chunks(
        "197",
        "hexadecimal in both cases",
        b"A\r\n0123456789\r\nb\r\n0123456789a\r\n" + END,
        Passed(b"01234567890123456789a", then="next"),
    ),
    _chunks(
        "198",
        "three thousand chunks of a byte",
        b"1\r\nA\r\n" * 3000 + END,
        Passed(b"A" * 3000, then="next"),
    ),
    _chunks(
        "199",
        "an extension of 2 kB on each of two hundred bytes",
        (b"1;" + b"a" * 2000 + b"\r\nA\r\n") * 200 + END,
        TOO_LARGE,
        Passed(b"A" * 200),
        rfc=EXTENSION,
    ),
    Case(
        "200",
        "byte by byte",
        drip(post(CHUNKED, body=b"2;a=b\r\nAA\r\n0\r\nX-T: 1\r\n\r\n")),
        (Passed(b"AA", then="next"),),
        SIZE,
    ),
    Case(
        "201",
        "the client ends amid a chunk",
        (post(CHUNKED, body=b"5\r\nhe"), FIN),
        (Unfinished(),),
        HTTP + "§8",
        next=False,
    ),
    Case(
        "202",
        "the client ends between chunks",
        (post(CHUNKED, body=b"2\r\nAA\r\n"), FIN),
        (Unfinished(),),
        HTTP + "§8",
        next=False,
    ),
    Case(
        "203",
        "the client ends after the last chunk, before the last line",
        (post(CHUNKED, body=b"2\r\nAA\r\n0\r\n"), FIN),
        (Unfinished(),),
        HTTP + "§8",
        next=False,
    ),
    _trailer("204", "trailer Transfer-Encoding", b"Transfer-Encoding: identity\r\n", TWO, REJECT),
    _trailer("205", "trailer Host", b"Host: b\r\n", TWO, REJECT),
    _trailer(
        "206",
        "trailer that claims an identity",
        b"X-User-Id: root\r\n",
        Passed(b"AA", lacks=("x-user-id",)),
        REJECT,
    ),
    _trailer("207", "trailer Connection", b"Connection: close\r\n", TWO, REJECT),
    _trailer("208", "trailer without a colon", b"nothing\r\n", REJECT, TWO),
    _trailer("209", "trailer with a space in its name", b"X y: 1\r\n", REJECT, TWO),
    _trailer("210", "trailer folded", b"X-A: b\r\n c\r\n", REJECT, TWO),
    _trailer("211", "trailer ended by LF alone", b"X-A: b\n", REJECT, TWO),
    _trailer("212", "trailer with a bare CR", b"X-A: b\rc\r\n", REJECT, TWO),
    _trailer("213", "trailer with a NUL", b"X-A: b\x00c\r\n", REJECT, TWO),
    _trailer("214", "trailer of 70 KiB", b"X-A: " + b"b" * 71680 + b"\r\n", TOO_LARGE, TWO),
    _trailer("215", "ten thousand trailers", b"X-A: b\r\n" * 10000, TOO_LARGE, TWO),
    _chunks("216", "no chunks at all", END, Passed(then="next")),
    _chunks(
        "217",
        "a request inside a chunk",
        b"%x\r\n%s\r\n" % (len(SMUGGLED), SMUGGLED) + END,
        Passed(SMUGGLED, then="next"),
    ),
    _chunks("218", "an empty line before the first size", b"\r\n2\r\nAA\r\n" + END),
    _chunks("219", "an empty line between chunks", b"2\r\nAA\r\n\r\n2\r\nAA\r\n" + END),
    _size("220", "semicolon without an extension", b"2;", TWO, REJECT, rfc=EXTENSION),
    _size("221", "an extension begun with a comma", b"2,a", rfc=EXTENSION),
)
