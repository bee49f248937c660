"""Which server is meant, and which resource: Host and the request target."""

from lab.hostile.case import Case, Guarded, Outcome, Passed, Refused
from lab.hostile.cases.shape import FINE, HTTP, REFUSE, REJECT, get, request

HOST, TARGET, ABSOLUTE, AUTHORITY, ASTERISK = (
    HTTP + section for section in ("§3.2", "§3.2.1", "§3.2.2", "§3.2.3", "§3.2.4")
)
PATH, URI = "RFC 3986 §6.2.2", "RFC 9110 §4.2"
TO_B = Passed(has=(("host", "b"),))


def _host(number: str, name: str, lines: bytes, *allowed: Outcome) -> Case:
    return Case(number, name, get(host=lines), allowed or (REJECT,), HOST)


def _target(number: str, name: str, target: bytes, *allowed: Outcome, rfc: str = TARGET) -> Case:
    return Case(number, name, get(target=target), allowed or (REFUSE,), rfc)


def _guarded(number: str, spelling: bytes) -> Case:
    """The proxy lets customers in under /open/ only: may this spelling get out of there?"""
    name = f"path {spelling.decode('latin-1')}"
    return Case(number, name, get(target=spelling), (Guarded(),), PATH)


def _connect(number: str, name: str, target: bytes) -> Case:
    return Case(number, name, request(b"CONNECT", target=target), (REFUSE,), "RFC 9110 §9.3.6")


CASES = (
    _host("33", "no Host", b"", Refused((400,))),
    _host("34", "two Hosts", b"Host: a\r\nHost: b\r\n", Refused((400,))),
    _target("35", "absolute form, another Host", b"http://b/open/first", TO_B, rfc=ABSOLUTE),
    _connect("36", "CONNECT to the address of cloud metadata", b"169.254.169.254:80"),
    _target("37", "a space in the target", b"/open/first x", Refused((400,)), rfc=HTTP + "§3"),
    _guarded("40a", b"/open/../closed"),
    _guarded("40b", b"/open/%2e%2e/closed"),
    _guarded("40c", b"/open%2f..%2fclosed"),
    _guarded("40d", b"//closed"),
    _guarded("40e", b"/%63losed"),
    _guarded("40f", b"/./closed"),
    _guarded("40g", b"/open/..\\closed"),
    _guarded("40h", b"/open/%2E%2E/closed"),
    _guarded("40i", b"/open/.%2e/closed"),
    _guarded("40j", b"/open/..%2fclosed"),
    _guarded("40k", b"/open/..%5cclosed"),
    _guarded("40l", b"/open//../closed"),
    _guarded("40m", b"/CLOSED"),
    # ---- more of the same kind
    _guarded("301", b"/open/./../closed"),
    _guarded("302", b"/open/a/../../closed"),
    _guarded("303", b"/open/%252e%252e/closed"),
    _guarded("304", b"/open/..//closed"),
    _guarded("305", b"http://a/open/../closed"),
    _guarded("306", b"http://a/closed"),
    _guarded("307", b"/open/..?x=/open/"),
    _guarded("308", b"/closed?/open/"),
    _guarded("309", b"/closed;/open/"),
    _guarded("310", b"/open/..%00/closed"),
    _guarded("311", b"/open\\..\\closed"),
    _guarded("312", b"/open/%5c../closed"),
    _guarded("313", b"/open/..;/../closed"),
    _guarded("314", b"/open/../open/../closed"),
    _guarded("315", b"/open/..%2F..%2Fclosed"),
    _guarded("316", b"/openclosed"),
    _guarded("317", b"/OPEN/../closed"),
    _guarded("318", b"/open/%2e%2e%2f%2e%2e/closed"),
    _host("319", "two Hosts that say the same", b"Host: a\r\nHost: a\r\n", Refused((400,))),
    _host("320", "two Hosts in different cases", b"Host: a\r\nHOST: b\r\n", Refused((400,))),
    _host("321", "Host empty", b"Host:\r\n", REJECT, FINE),
    _host("322", "Host a, b", b"Host: a, b\r\n"),
    _host("323", "Host with a path", b"Host: a/b\r\n"),
    _host("324", "Host with a user", b"Host: u@a\r\n"),
    _host("325", "Host with a space", b"Host: a b\r\n"),
    _host("326", "Host with a NUL", b"Host: a\x00b\r\n"),
    _host("327", "Host with a port that is no number", b"Host: a:b\r\n"),
    _host("328", "Host with port 99999", b"Host: a:99999\r\n", REJECT, FINE),
    _host("329", "Host with an empty port", b"Host: a:\r\n", REJECT, FINE),
    _host("330", "Host with an IPv6 address", b"Host: [::1]:80\r\n", FINE),
    _host("331", "Host with half a bracket", b"Host: [::1\r\n"),
    _host("332", "Host with a query", b"Host: a?b\r\n"),
    _host("333", "Host with a fragment", b"Host: a#b\r\n"),
    _host("334", "Host with a backslash", b"Host: a\\b\r\n"),
    _host("335", "Host with a vertical tab", b"Host: a\x0bb\r\n"),
    _host("336", "Host with a tab in it", b"Host: a\tb\r\n"),
    _host("337", "Host of 20 kB", b"Host: " + b"a" * 20000 + b"\r\n", REJECT, FINE),
    _host("338", "space between Host and its colon", b"Host : a\r\n", Refused((400,))),
    _host("339", "Host and a folded Host", b"Host: a\r\n Host: b\r\n", REJECT),
    _host("340", "Host with quotes", b'Host: "a"\r\n'),
    _host("341", "Host with angle brackets", b"Host: <a>\r\n"),
    _target(
        "342",
        "absolute form with a user",
        b"http://u:p@b/open/first",
        REJECT,
        TO_B,
        rfc="RFC 9110 §4.2.4",
    ),
    _target("343", "absolute form without a host", b"http:///open/first", REJECT, rfc=URI),
    _target(
        "344",
        "absolute form with a port",
        b"http://b:8080/open/first",
        Passed(has=(("host", "b:8080"),)),
        rfc=ABSOLUTE,
    ),
    _target("345", "absolute form in capitals", b"HTTP://b/open/first", TO_B, rfc=ABSOLUTE),
    _target("346", "absolute form without a path", b"http://b", REFUSE, Guarded(), rfc=ABSOLUTE),
    _target("347", "absolute form, https", b"https://b/open/first", REFUSE, TO_B, rfc=ABSOLUTE),
    _target("348", "absolute form, ftp", b"ftp://b/open/first", REFUSE, TO_B, rfc=ABSOLUTE),
    _target("349", "absolute form, file", b"file:///open/first", REFUSE, rfc=ABSOLUTE),
    _target("350", "a host after two slashes", b"//b/open/first", REFUSE, Guarded(), rfc=URI),
    _target("351", "absolute form, backslash in the host", b"http://b\\@c/open/first", rfc=URI),
    _target("352", "absolute form, port that is no number", b"http://b:x/open/first", rfc=URI),
    _target("353", "absolute form, half a bracket", b"http://[::1/open/first", rfc=URI),
    Case(
        "354",
        "absolute form without Host",
        get(target=b"http://b/open/first", host=b""),
        (Refused((400,)), TO_B),
        HOST,
    ),
    Case(
        "355",
        "absolute form and two Hosts",
        get(target=b"http://b/open/first", host=b"Host: b\r\nHost: b\r\n"),
        (Refused((400,)),),
        HOST,
    ),
    _connect("356", "CONNECT to a name", b"a:80"),
    _connect("357", "CONNECT to a path", b"/open/first"),
    _connect("358", "CONNECT in absolute form", b"http://a/open/first"),
    Case(
        "359",
        "OPTIONS *",
        request(b"OPTIONS", target=b"*"),
        (REFUSE, Passed(target="*")),
        ASTERISK,
    ),
    _target("360", "GET *", b"*", rfc=ASTERISK),
    _target("361", "GET of an authority", b"a:80", rfc=AUTHORITY),
    _target("362", "a path without its slash", b"open/first"),
    _target("363", "a query without a path", b"?x"),
    _target("364", "a fragment", b"/open/first#x", REFUSE, FINE, Passed(target="/open/first#x")),
    _target("365", "a control byte", b"/open/\x01", REJECT, rfc=PATH),
    _target("366", "a DEL", b"/open/\x7f", REJECT, rfc=PATH),
    _target("367", "a NUL", b"/open/\x00", REJECT, rfc=PATH),
    _target("368", "a bare CR", b"/open/\rx", REJECT, rfc=PATH),
    _target("369", "a tab", b"/open/\tx", REJECT, rfc=PATH),
    _target(
        "370",
        "high bytes",
        b"/open/\xc3\xa9",
        REFUSE,
        Passed(target="/open/\xc3\xa9"),
        Passed(target="/open/%C3%A9"),
        rfc=PATH,
    ),
    _target("371", "a percent sign alone", b"/open/%", REFUSE, Passed(target="/open/%"), rfc=PATH),
    _target("372", "%zz", b"/open/%zz", REFUSE, Passed(target="/open/%zz"), rfc=PATH),
    _target("373", "%00", b"/open/%00", REFUSE, Passed(target="/open/%00"), rfc=PATH),
    _target(
        "374",
        "CR and LF in percent signs",
        b"/open/first%0d%0aX-A:%20b",
        REFUSE,
        Passed(target="/open/first%0d%0aX-A:%20b", lacks=("x-a",)),
        rfc=PATH,
    ),
    _target(
        "375",
        "a URL and dots in the query",
        b"/open/first?u=http://b/../c",
        Passed(target="/open/first?u=http://b/../c"),
    ),
    _target(
        "376",
        "an empty query",
        b"/open/first?",
        Passed(target="/open/first?"),
        Passed(target="/open/first"),
    ),
    _target(
        "377",
        "quotes and brackets",
        b'/open/<">',
        REFUSE,
        Passed(target='/open/<">'),
        Passed(target="/open/%3C%22%3E"),
        rfc=PATH,
    ),
    _target(
        "378",
        "CR and LF themselves, and a request behind them",
        b"/open/first HTTP/1.1\r\nHost: a\r\n\r\nGET /open/second",
        Passed(also=("/open/second",)),
    ),
)
