"""What a head says, and which heads are none: one case for each rule of http1.py and its parts."""

import pytest

from era5_sidecar import fields, http1, request_line
from era5_sidecar.fields import LONGEST_KNOWN, MOST_KNOWN, BadMessage
from era5_sidecar.http1 import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead, answer_head

MOST = 20
SECRET = b"Authorization: Bearer x"


def request(*lines: bytes, first: bytes = b"PUT /a?b HTTP/1.1", host: bytes = b"Host: h"):
    return RequestHead(b"\r\n".join((first, *((host,) if host else ()), *lines)), MOST)


def response(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK", method: bytes = b"GET"):
    return ResponseHead(b"\r\n".join((first, *lines)), method, MOST)


def refused(read, *lines: bytes, **told: bytes) -> tuple[int, str]:
    with pytest.raises(BadMessage) as error:
        read(*lines, **told)
    return error.value.status, str(error.value)


# What goes on.


def test_a_request_goes_on_as_it_was_understood():
    head = request(b"Accept: */*", b"Content-Length: 2", b"X-Mine: 1")
    assert (head.method, head.target, head.host, head.size) == (b"PUT", b"/a?b", b"h", 2)
    assert head.with_body(b"X-Ours: 1\r\n", b"{}") == (
        b"PUT /a?b HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nContent-Length: 2\r\nX-Mine: 1\r\n"
        b"X-Ours: 1\r\n\r\n{}"
    )


def test_one_without_fields_too():
    assert request().with_body(b"", b"") == b"PUT /a?b HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"TE: trailers",
        b"Trailer: x",
        b"Upgrade: websocket",
        b"Proxy-Authorization: Basic x",
        b"Connection: keep-alive",
        b"X-Caller: orders",
        b"X-Forwarded-Client-Cert: By=x",
        b"X-User-Id: 1",
        b"X_Caller: orders",  # which WSGI cannot tell from the one above
        b"x-Envoy-Retry-On: 5xx",
        b"X-Certain: true",
        b"X-Deadline-Ms: 9",
        b"traceparent: 00-0-0-00",
    ],
)
def test_what_only_this_hop_may_say_ends_here(line):
    assert request(line, SECRET).kept == [SECRET]
    assert request(line, SECRET).kept == [SECRET]  # remembered


def test_what_connection_names_ends_here_but_not_what_the_service_must_see():
    told = b"Connection: x-mine, Authorization, content-length"
    head = request(told, b"X-Mine: 1", SECRET, b"Content-Length: 2")
    assert head.kept == [SECRET, b"Content-Length: 2"]
    assert not head.is_last


@pytest.mark.parametrize("option", [b"close", b"Close", b"x, close", b"keep-alive , close\t"])
def test_close_is_found_among_other_options(option):
    assert request(b"Connection: " + option).is_last


def test_two_lines_of_a_list_are_one_list():
    head = request(b"Connection: a", b"Connection: close, B", b"A: 1", b"b: 2")
    assert head.is_last
    assert head.kept == []


@pytest.mark.parametrize(
    ("first", "target", "host"),
    [
        (b"GET http://inventory/a?b HTTP/1.1", b"/a?b", b"inventory"),
        (b"GET HTTP://inventory:80 HTTP/1.1", b"/", b"inventory:80"),
        (b"GET http://[::1]:80?q HTTP/1.1", b"/?q", b"[::1]:80"),
        (b"OPTIONS * HTTP/1.1", b"*", b"h"),
    ],
)
def test_a_target_for_a_proxy_overrules_host(first, target, host):
    head = request(first=first)
    assert (head.target, head.host) == (target, host)


def test_a_continue_is_expected_only_for_a_body():
    assert request(b"Expect: 100-Continue", b"Content-Length: 1").expects_continue
    assert not request(b"Expect: 100-continue").expects_continue
    assert not request(b"Content-Length: 1").expects_continue
    with pytest.raises(BadMessage, match="100-continue") as error:
        _ = request(b"Expect: 200-ok").expects_continue
    assert error.value.status == 417


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"])
def test_what_may_be_repeated_is_what_the_rfc_says(method):
    assert request(first=method + b" / HTTP/1.1").may_repeat


@pytest.mark.parametrize("method", [b"POST", b"PATCH"])
def test_and_nothing_else(method):
    assert not request(first=method + b" / HTTP/1.1").may_repeat


# What is refused.


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (b"GET / HTTP/1.0", 426),
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/0.9", 505),
        (b"GET / HTTP/1.1 ", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET /", 400),
        (b"", 400),
        (b"GET / http/1.1", 400),
        (b"get / HTTP/1.1", 501),
        (b"BREW / HTTP/1.1", 501),
        (b"CONNECT a:1 HTTP/1.1", 405),
        (b"TRACE / HTTP/1.1", 405),
        (b"G@T / HTTP/1.1", 400),
        (b"GET a HTTP/1.1", 400),
        (b"GET * HTTP/1.1", 400),
        (b"GET /a#b HTTP/1.1", 400),
        (b"GET /\x00 HTTP/1.1", 400),
        (b"GET /\xc3\xa4 HTTP/1.1", 400),
        (b"GET https://h/ HTTP/1.1", 400),
        (b"GET http://me@h/ HTTP/1.1", 400),
        (b"GET http:///a HTTP/1.1", 400),
    ],
)
def test_a_request_line_that_is_none(first, status):
    assert refused(request, first=first)[0] == status


@pytest.mark.parametrize(
    "line",
    [
        b"No colon",
        b": no name",
        b"Name : space before the colon",
        b" Folded: line",
        b"",
        b"N\xc3\xa4me: x",
        b"Name: \x00",
        b"Name: bare\nLF",
        b"Name: bare\rCR",
        b"Name: \x7f",
    ],
)
def test_a_field_line_that_is_none(line):
    assert refused(request, line)[0] == 400
    assert refused(response, line)[0] == 400


@pytest.mark.parametrize("host", [b"", b"Host:", b"Host: a b", b"Host: a,b", b"Host: a/b"])
def test_a_host_that_is_none(host):
    assert refused(request, host=host)[0] == 400


@pytest.mark.parametrize("host", [b"Host: a:", b"Host: a:123456", b"Host: me@a", b"Host: a\xff"])
def test_a_port_that_is_none(host):
    assert "as host" in refused(request, host=host)[1]


@pytest.mark.parametrize(
    "name",
    [b"Host", b"Content-Length", b"Transfer-Encoding", b"X-Deadline-Ms", b"traceparent"],
)
def test_what_must_be_said_once_is_refused_twice_even_if_it_is_the_same(name):
    line = name + b": 1"
    assert "twice" in refused(request, line, line, host=b"Host: 1")[1]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"Content-Length: 1", b"Transfer-Encoding: chunked"], 400),
        ([b"Transfer-Encoding: gzip, chunked"], 501),
        ([b"Transfer-Encoding: identity"], 501),
        ([b"Transfer-Encoding: \x0bchunked"], 400),
        ([b"Transfer-Encoding:"], 501),
        ([b"Content-Length: "], 400),
        ([b"Content-Length: +1"], 400),
        ([b"Content-Length: -1"], 400),
        ([b"Content-Length: 1_0"], 400),
        ([b"Content-Length: 0x1"], 400),
        ([b"Content-Length: 1,1"], 400),
        ([b"Content-Length: 1 1"], 400),
        ([b"Content-Length: \xb2"], 400),
        ([b"Content-Length: " + b"9" * 19], 400),
    ],
)
def test_framing_has_one_meaning_or_is_refused(lines, status):
    assert refused(request, *lines)[0] == status
    assert refused(response, *lines)[0] == status


def test_framing_that_has_one():
    assert request().size == 0
    assert request(b"Transfer-Encoding: Chunked").size == CHUNKED
    assert request(b"content-LENGTH:\t007 ").size == 7
    assert request(b"Content-Length: " + b"9" * 18).size == 10**18 - 1


def test_more_fields_than_may_be():
    lines = [b"A: 1"] * MOST
    assert refused(request, *lines)[0] == 431
    assert request(*lines[1:]).kept == lines[1:]


# Answers.


def test_an_answer_goes_on_as_it_was_understood():
    head = response(b"Content-Length: 2", b"Server: x", b"Keep-Alive: 5", b"Retry-After: 1")
    assert head.start == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: x\r\nRetry-After: 1\r\n"
    )
    assert (head.status, head.size, head.is_last) == (200, 2, False)


def test_the_end_of_an_answer_is_found_as_the_rfc_says():
    assert response().size == UNTIL_CLOSE
    assert response().is_last
    assert response(b"Transfer-Encoding: chunked").size == CHUNKED
    assert response(b"Connection: close", b"Content-Length: 1").is_last
    assert response(b"Content-Length: 9", method=b"HEAD").size == 0
    assert response(first=b"HTTP/1.1 304 X").size == 0
    assert response(first=b"HTTP/1.1 103 X").size == 0
    assert not response(method=b"HEAD").is_last


def test_a_204_has_no_length_and_a_304_may_tell_one():
    assert response(b"Content-Length: 5", first=b"HTTP/1.1 204 X").start == b"HTTP/1.1 204 X\r\n"
    assert b"Content-Length: 5" in response(b"Content-Length: 5", first=b"HTTP/1.1 304 X").start


def test_an_answer_of_http_1_0_goes_on_as_1_1_and_is_the_last():
    head = response(b"Content-Length: 1", first=b"HTTP/1.0 200 OK")
    assert head.is_last
    assert head.start.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_kept_answer_gets_a_length_for_whatever_framing_it_had():
    head = response(b"Transfer-Encoding: chunked", b"A: 1")
    assert head.with_length(3) == b"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 3\r\n"


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 99 X",
        b"HTTP/1.1 600 X",
        b"HTTP/1.1 2000 X",
        b"HTTP/1.1  200 X",
        b"HTTP/2 200 X",
        b"HTTP/1.2 200 X",
        b"HTTP/1.1 200 a\x00",
        b"HTTP/1.1 200 a\rb",
        b"",
    ],
)
def test_a_status_line_that_is_none(first):
    refused(response, first=first)


# What is remembered. Strangers choose what they send.


@pytest.fixture
def forgotten(monkeypatch):
    monkeypatch.setattr(fields, "_known", {})
    monkeypatch.setattr(fields, "_names", {})
    monkeypatch.setattr(request_line, "_known", {})
    monkeypatch.setattr(http1, "_answers", {})
    monkeypatch.setattr(http1, "_hosts", set())
    monkeypatch.setattr(http1, "_statuses", {})


@pytest.mark.usefixtures("forgotten")
def test_strangers_cannot_fill_our_memory_with_many_lines():
    for number in range(MOST_KNOWN + 50):
        first = b"GET /%d HTTP/1.1" % number
        request(b"N%d: 1" % number, first=first, host=b"Host: h%d" % number)
        answer_head(b"HTTP/1.1 200 N%d" % number, b"GET", MOST)
    kinds = fields._known, fields._names, http1._hosts, http1._statuses
    assert max(map(len, kinds)) <= MOST_KNOWN
    assert 0 < len(request_line._known) <= request_line.MOST_LINES
    assert 0 < len(http1._answers) <= http1.MOST_ANSWERS


@pytest.mark.usefixtures("forgotten")
def test_nor_with_long_ones():
    long = b"a" * 1000
    request(b"N: " + long, long + b": 1", host=b"Host: " + long)
    request(first=b"GET http://" + long + b"/ HTTP/1.1")
    answer_head(b"HTTP/1.1 200 " + long, b"GET", MOST)
    assert not http1._answers
    heads = *http1._hosts, *http1._statuses, *request_line._known
    remembered = *fields._known, *fields._names, *heads
    assert max(map(len, remembered), default=0) <= LONGEST_KNOWN


@pytest.mark.usefixtures("forgotten")
def test_what_is_refused_is_refused_again():
    for _ in range(2):
        refused(request, b"Bad")
        refused(request, host=b"Host: a b")
        refused(response, first=b"HTTP/1.1 999 X")
        refused(request, first=b"GET a HTTP/1.1")
        refused(lambda: answer_head(b"HTTP/1.1 999 X", b"GET", MOST))
    assert not fields._known.keys() & {b"Bad"}


@pytest.mark.usefixtures("forgotten")
def test_what_is_new_each_time_is_not_remembered():
    request(b"TraceParent: 00-1", b"A: 1")
    assert fields._known.keys() == {b"Host: h", b"A: 1"}


@pytest.mark.usefixtures("forgotten")
def test_an_answer_that_begins_like_one_before_is_read_as_if_it_were_the_first():
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: 1"
    first = answer_head(raw, b"GET", MOST)
    assert first.with_length(3) == b"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 3\r\n"
    again = answer_head(bytes(bytearray(raw)), b"GET", MOST)
    assert (again.size, again.start) == (CHUNKED, raw + b"\r\n")
    assert answer_head(raw, b"HEAD", MOST).size == 0
    refused(lambda: answer_head(raw, b"GET", 1))
