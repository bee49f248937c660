"""Connections that are used again: nobody may find another's bytes on them."""

from lab.hostile.case import (
    FIN,
    RESET,
    SMUGGLED,
    Answered,
    Await,
    Case,
    Cut,
    Outcome,
    Passed,
    Pause,
    Step,
    Unfinished,
)
from lab.hostile.cases.shape import (
    BAD_GATEWAY,
    CHUNKED,
    HELLO,
    HTTP,
    answer,
    asked,
    get,
    post,
    request,
)

REUSE, PIPELINE, BOTH = HTTP + "§9.3", HTTP + "§9.3.2", HTTP + "§6.3"
OK = answer(HELLO, body=b"hello")
STOLEN = answer(b"Content-Length: 6", body=b"STOLEN")
ONE = Answered(body=b"hello")
EMPTY = Answered((204, 304, 200), body=b"")
NO_MORE: tuple[Outcome, ...] = (ONE, BAD_GATEWAY)
HEAD = request(b"HEAD")
LONG = b"Content-Length: %d" % len(SMUGGLED)
EARLY = answer(b"Content-Length: 0", line=b"HTTP/1.1 413 Too Large")


def _later(number: str, name: str, *script: Step) -> Case:
    """The client's second request comes when the upstream has said all that it should not say."""
    sent = (get(), Await(b"hello"), Pause(0.1))
    return Case(number, name, sent, NO_MORE, REUSE, answer=script)


def _early(number: str, name: str, script: bytes, allowed: tuple[Outcome, ...]) -> Case:
    """The answer comes before the rest of the body, and the rest looks like a request.

    A proxy that waits for a whole body before it sends one on never sees that.
    """
    start = b"x" * 100_000
    length = b"Content-Length: %d" % (len(start) + len(SMUGGLED))
    sent = (post(length, body=start), Await(b"HTTP/1.1", 0.3), SMUGGLED)
    return Case(number, name, sent, allowed, REUSE, answer=(script,), at_head=True)


CASES = (
    asked("58", "a second response that nobody asked for", OK + STOLEN, NO_MORE, BOTH),
    # ---- more of the same kind
    _later("701", "a second response, a moment later", OK, Pause(0.03), STOLEN),
    asked("702", "garbage after the response", OK + b"\x00\x01garbage", NO_MORE, BOTH),
    asked("703", "half a response after the response", OK + STOLEN[:20], NO_MORE, BOTH),
    asked("704", "an empty line after the response", OK + b"\r\n", NO_MORE, BOTH),
    asked("705", "a hundred responses", OK + STOLEN * 100, NO_MORE, BOTH),
    _later(
        "706",
        "408 for being idle, then the end",
        OK,
        Pause(0.03),
        answer(b"Connection: close", line=b"HTTP/1.1 408 Idle"),
        FIN,
    ),
    asked(
        "707",
        "a response hidden in the body of a 204",
        answer(LONG, line=b"HTTP/1.1 204 None") + STOLEN,
        (EMPTY, BAD_GATEWAY),
        BOTH,
    ),
    asked(
        "708",
        "a response hidden in the body of a 304",
        answer(b"Content-Length: %d" % len(STOLEN), line=b"HTTP/1.1 304 Same") + STOLEN,
        (EMPTY, BAD_GATEWAY),
        BOTH,
    ),
    asked(
        "709",
        "a response hidden in the body of an answer to HEAD",
        answer(b"Content-Length: %d" % len(STOLEN)) + STOLEN,
        (EMPTY, BAD_GATEWAY),
        BOTH,
        ask=HEAD,
    ),
    asked(
        "710",
        "a response hidden behind a length of 0",
        answer(b"Content-Length: 0") + STOLEN,
        (EMPTY, BAD_GATEWAY),
        BOTH,
    ),
    asked(
        "711",
        "a response hidden behind the last chunk",
        answer(CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n") + STOLEN,
        NO_MORE,
        BOTH,
    ),
    asked(
        "712",
        "a response hidden between a length and chunks",
        answer(CHUNKED, b"Content-Length: %d" % (5 + len(STOLEN)), body=b"0\r\n\r\n") + STOLEN,
        (Answered(body=b""), BAD_GATEWAY),
        BOTH,
    ),
    asked("713", "the upstream closes after its answer", (OK, FIN), (ONE,), HTTP + "§9.6"),
    asked(
        "714",
        "the upstream says that it closes",
        (answer(b"Connection: close", HELLO, body=b"hello"), FIN),
        (ONE,),
        HTTP + "§9.6",
    ),
    asked("715", "the upstream is reset after its answer", (OK, Pause(0.02), RESET), (ONE,), REUSE),
    asked(
        "716",
        "the upstream says that it closes, and stays",
        answer(b"Connection: close", HELLO, body=b"hello"),
        (ONE,),
        HTTP + "§9.6",
    ),
    _early("717", "refused before the body", EARLY, (Answered((413,)),)),
    _early("718", "answered before the body", OK, (ONE,)),
    Case(
        "719",
        "refused before the body, which never comes",
        (post(b"Content-Length: 50"), Await(b"HTTP/1.1", 0.3), FIN),
        (Answered((413,)), Unfinished()),
        REUSE,
        answer=(EARLY,),
        at_head=True,
        next=False,
    ),
    Case(
        "720",
        "the client is gone amid the response",
        (get(), Await(b"hel"), RESET),
        (Answered(), Cut(), Unfinished()),
        REUSE,
        answer=(answer(HELLO, body=b"hel"), Pause(0.05), b"lo"),
        next=False,
    ),
    Case(
        "721",
        "the client is gone before the response",
        (get(), Pause(0.05), RESET),
        (Cut(),),
        REUSE,
        answer=(Pause(0.1), OK),
        next=False,
    ),
    Case(
        "722",
        "the client is gone amid its body",
        (post(b"Content-Length: 500", body=b"hello"), Pause(0.05), RESET),
        (Unfinished(),),
        REUSE,
        next=False,
    ),
    Case(
        "723",
        "the client has no more to say, and listens",
        (get(), FIN),
        (Answered(), Unfinished(), Cut()),
        HTTP + "§9.6",
        next=False,
    ),
    Case(
        "724",
        "the second of two is refused",
        get() + b"GET /open/second HTTP/1.1\r\nHost : a\r\n\r\n",
        (Passed(then="closes"),),
        PIPELINE,
    ),
    Case(
        "725",
        "a body, a request, a body, a request, in one piece",
        post(HELLO, body=b"hello") + get(target=b"/open/second"),
        (Passed(b"hello", also=("/open/second",), then="next"),),
        PIPELINE,
    ),
    Case(
        "726",
        "a second request while the first is answered slowly",
        (get(), Pause(0.02)),
        (ONE,),
        PIPELINE,
        answer=(Pause(0.1), OK),
    ),
    Case(
        "727",
        "Connection: close, and more behind it",
        get(b"Connection: close"),
        (Passed(then="closes"),),
        HTTP + "§9.6",
    ),
)
