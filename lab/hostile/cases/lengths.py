"""How long is the body? Content-Length and Transfer-Encoding, one by one."""

from lab.hostile.case import Case, Outcome, Refused, Unfinished
from lab.hostile.cases.shape import (
    FIVE,
    HTTP,
    REJECT,
    TOO_LARGE,
    post,
)

LENGTH, CODING, NAME = HTTP + "§6.2", HTTP + "§6.1", HTTP + "§5.1"


def _length(number: str, name: str, value: bytes, *allowed: Outcome) -> Case:
    sent = post(b"Content-Length:" + value, body=b"hello")
    return Case(number, name, sent, allowed or (REJECT,), LENGTH)


def _coding(number: str, name: str, value: bytes, *allowed: Outcome) -> Case:
    sent = post(b"Transfer-Encoding:" + value, body=b"5\r\nhello\r\n0\r\n\r\n")
    return Case(number, name, sent, allowed or (REJECT,), CODING)


CASES = (
    _length("3", "a list of two lengths", b" 5, 6"),
    _length("5", "length +5", b" +5"),
    _length("6", "length -1", b" -1"),
    _length("7", "length 0x5", b" 0x5"),
    _length("8", "length 1_0, which Python's int takes for 10", b" 1_0"),
    _length("9", "length empty", b""),
    _length("10", "length 5 5", b" 5 5"),
    _length("11", "length 2^64 + 1", b" 18446744073709551617"),
    _coding("12", "coding xchunked", b" xchunked", Refused((400, 501))),
    _coding("13", "chunked, identity", b" chunked, identity", Refused((400, 501))),
    _coding("14", "chunked, chunked", b" chunked, chunked"),
    _coding("15", "vertical tab before chunked", b"\x0bchunked"),
    Case(
        "16",
        "space between Transfer-Encoding and its colon",
        post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
        (Refused((400,)),),
        NAME,
    ),
    # ---- more of the same kind
    _length("101", "length 05", b" 05", FIVE, REJECT),
    _length("102", "length with a hundred zeros before it", b" " + b"0" * 100 + b"5", FIVE, REJECT),
    _length("103", "spaces after the length", b" 5  ", FIVE, REJECT),
    _length("104", "tab before the length", b"\t5", FIVE, REJECT),
    _length("105", "a list of the same length twice", b" 5, 5", FIVE, REJECT),
    _length("106", "a list with nothing at its end", b" 5,"),
    _length("107", "length with a parameter", b" 5;a"),
    _length("108", "length in quotes", b' "5"'),
    _length("109", "length 2^64 + 5, which overflows to 5", b" 18446744073709551621"),
    _length("110", "length 2^63", b" 9223372036854775808", TOO_LARGE, Unfinished()),
    _length("111", "length of ten thousand digits", b" " + b"9" * 10000, TOO_LARGE),
    _length("112", "length as a full-width digit", b" \xef\xbc\x95"),
    _length("113", "length as a superscript digit of Latin 1", b" \xb2"),
    _length("114", "length 5.0", b" 5.0"),
    _length("115", "length 5e0", b" 5e0"),
    _length("116", "length of spaces only", b"   "),
    _length("117", "length 0b101", b" 0b101"),
    _length("118", "length with a no-break space", b" 5\xa0"),
    _length("119", "length with a form feed", b" 5\x0c"),
    _length("120", "length with a NUL", b" 5\x00"),
    _length("121", "length folded", b"\r\n 5", FIVE, REJECT),
    Case(
        "122",
        "space between Content-Length and its colon",
        post(b"Content-Length : 5", body=b"hello"),
        (Refused((400,)),),
        NAME,
    ),
    Case(
        "123",
        "tab between Content-Length and its colon",
        post(b"Content-Length\t: 5", body=b"hello"),
        (Refused((400,)),),
        NAME,
    ),
    _coding("126", "coding in capitals", b" CHUNKED", FIVE),
    _coding("127", "spaces after the coding", b" chunked \t ", FIVE, REJECT),
    _coding("128", "coding in quotes", b' "chunked"'),
    _coding("129", "coding with a parameter", b" chunked;a=b", FIVE, REJECT),
    _coding("130", "coding after an empty element", b" ,chunked", FIVE, REJECT),
    _coding("131", "coding before an empty element", b" chunked,", FIVE, REJECT),
    _coding("132", "gzip, chunked", b" gzip, chunked", FIVE, REJECT),
    _coding("133", "gzip alone", b" gzip", Refused((400, 501))),
    _coding("134", "identity", b" identity"),
    _coding("135", "coding with a NUL", b" chunked\x00"),
    _coding("136", "coding after a no-break space", b" \xa0chunked"),
    _coding("137", "coding after a NEL", b" \x85chunked"),
    _coding("138", "coding with a file separator, which Python strips", b" chunked\x1c"),
    _coding("139", "coding with a Kelvin sign for k", b" chun\xe2\x84\xaaed"),
    _coding("140", "coding folded", b"\r\n chunked", FIVE, REJECT),
)
