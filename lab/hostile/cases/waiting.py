"""Who says nothing, or hardly anything: for a proxy with limits of a fraction of a second."""

from lab.hostile.case import Answered, Case, Cut, Outcome, Pause, Refused, Step, drip
from lab.hostile.cases.shape import CHUNKED, HELLO, answer, get, post

TIMED_OUT = Refused((400, 408), may_be_silent=True)
LATE: tuple[Outcome, ...] = (Answered((502, 503, 504)),)
TIMEOUT, GATEWAY = "RFC 9110 §15.5.9", "RFC 9110 §15.6.5"
SLOW_S = 0.12


def _client(number: str, name: str, *steps: Step) -> Case:
    return Case(number, name, steps, (TIMED_OUT,), TIMEOUT, next=False, is_slow=True)


def _upstream(number: str, name: str, *script: Step, allowed: tuple[Outcome, ...] = LATE) -> Case:
    return Case(number, name, get(), allowed, GATEWAY, answer=script, is_slow=True)


CASES = (
    _client("47a", "a head of a byte now and then", *drip(get()[:30], SLOW_S)),
    _client("47b", "a body that stops", post(HELLO, body=b"he")),
    _client("801", "half a head, then silence", get()[:30]),
    _client("802", "a connection that says nothing"),
    _client("803", "half a chunk size, then silence", post(CHUNKED, body=b"5")),
    _client("804", "half a trailer, then silence", post(CHUNKED, body=b"0\r\nX-T")),
    _client("805", "no empty line after the head", get()[:-2]),
    _upstream("806", "an upstream that says nothing", Pause(1.5)),
    _upstream("807", "an upstream that begins a head", b"HTTP/1.1 200 OK\r\nX-A"),
    _upstream(
        "808",
        "an upstream that stops amid its body",
        answer(b"Content-Length: 50", body=b"hello"),
        allowed=(*LATE, Cut()),
    ),
    _upstream("809", "an upstream that stops after a 100", b"HTTP/1.1 100 Continue\r\n\r\n"),
)
