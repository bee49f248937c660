"""Names and values of fields, byte by byte, and how many there may be."""

from lab.hostile.case import Case, Outcome, Passed, Refused
from lab.hostile.cases.shape import (
    FINE,
    HTTP,
    REFUSE,
    REJECT,
    TOO_LARGE,
    get,
)

NAME, VALUE, LIMIT = HTTP + "§5.1", "RFC 9110 §5.5", "RFC 6585 §5"


def _name(number: str, what: str, name: bytes, *allowed: Outcome) -> Case:
    sent = get(name + b": b")
    return Case(number, f"{what} in a name", sent, allowed or (Refused((400,)), FINE), NAME)


def _value(number: str, what: str, value: bytes, *allowed: Outcome) -> Case:
    return Case(number, what, get(b"X-A: " + value), allowed or (REJECT,), VALUE)


def _fields(number: str, name: str, *lines: bytes, allowed: tuple[Outcome, ...], rfc: str) -> Case:
    return Case(number, name, get(*lines), allowed, rfc)


CASES = (
    Case("41a", "a field of 70 KiB", get(b"X-A: " + b"b" * 71680), (TOO_LARGE,), LIMIT),
    Case("41b", "a target of 70 KiB", get(target=b"/open/" + b"a" * 71680), (TOO_LARGE,), LIMIT),
    Case("41c", "two hundred fields", get(*[b"X-A: b"] * 200), (TOO_LARGE,), LIMIT),
    # ---- more of the same kind
    _name("401", "nothing", b"", Refused((400,)), FINE),
    _name("402", "a space", b"X A"),
    _name("403", "a tab", b"X\tA"),
    _name("404", "a bracket", b"X(A"),
    _name("405", "a quote", b'X"A'),
    _name("406", "a slash", b"X/A"),
    _name("407", "an at sign", b"X@A"),
    _name("408", "a square bracket", b"X[A"),
    _name("409", "a brace", b"X{A"),
    _name("410", "an equals sign", b"X=A"),
    _name("411", "a question mark", b"X?A"),
    _name("412", "a comma", b"X,A"),
    _name("413", "a semicolon", b"X;A"),
    _name("414", "a backslash", b"X\\A"),
    _name("415", "a DEL", b"X\x7fA"),
    _name("416", "a high byte", b"X\x80A"),
    _name("417", "a letter of Latin 1", b"X\xc9A"),
    _name("418", "a control byte", b"X\x01A"),
    _name("419", "a NUL", b"X\x00A"),
    _name("420", "a bare CR", b"X\rA"),
    _name("421", "an escape", b"X\x1bA"),
    _name("422", "a space at the end", b"X-A ", Refused((400,))),
    _name("423", "all that is allowed", b"!#$%&'*+.^`|~0aZ-", FINE, REFUSE),
    _name("424", "20 kB", b"X" * 20000, FINE, TOO_LARGE),
    _value("425", "a control byte in a value", b"b\x01c", REJECT),
    _value("426", "a DEL in a value", b"b\x7fc"),
    _value("427", "a vertical tab in a value", b"b\x0bc"),
    _value("428", "a form feed in a value", b"b\x0cc"),
    _value("429", "an escape in a value", b"b\x1bc"),
    _value("430", "a file separator in a value", b"b\x1cc"),
    _value("431", "a NEL in a value", b"b\x85c", REJECT, Passed(has=(("x-a", "b\x85c"),))),
    _value("432", "UTF-8 in a value", "é\u2028".encode(), REJECT, FINE),
    _value("433", "a tab in a value", b"b\tc", Passed(has=(("x-a", "b\tc"),)), FINE),
    _value("434", "an empty value", b"", Passed(has=(("x-a", ""),))),
    _value("435", "a value of blanks", b" \t ", Passed(has=(("x-a", ""),))),
    _value("436", "blanks around a value", b" \tb \t", Passed(has=(("x-a", "b"),))),
    _value("437", "colons in a value", b"a: b: c", Passed(has=(("x-a", "a: b: c"),))),
    _value("438", "CR LF in percent signs", b"%0d%0aX-B: c", Passed(lacks=("x-b",))),
    _value("439", "a NUL at the end of a value", b"b\x00"),
    _value("440", "a CR at the end of a value", b"b\r", REJECT, Passed(has=(("x-a", "b"),))),
    Case("441", "ninety fields", get(*[b"X-%d: b" % n for n in range(90)]), (FINE,), LIMIT),
    Case("442", "twenty thousand fields", get(*[b"X-A: b"] * 20000), (TOO_LARGE,), LIMIT),
    Case("443", "a head of 2 MiB", get(*[b"X-A: " + b"b" * 1000] * 2000), (TOO_LARGE,), LIMIT),
    _fields(
        "444",
        "the same field twice",
        b"X-A: b",
        b"X-A: c",
        allowed=(
            Passed(has=(("x-a", "b"), ("x-a", "c"))),
            Passed(has=(("x-a", "b,c"),)),
            Passed(has=(("x-a", "b, c"),)),
        ),
        rfc="RFC 9110 §5.3",
    ),
)
