"""One request to one instance, and its answer: relayed as it comes, or kept to be judged.

One attempt from its first byte to its last stands here, so the file is a little long.
"""

import time
from collections.abc import Callable

from era4_framework.errors import BadAnswer, ConnectFailed, ConnectionLost, Timeout, Unreachable
from era5_sidecar.bodies import Body, Patience, relay
from era5_sidecar.chunked import LAST, chunk_of
from era5_sidecar.config import LimitsConfig
from era5_sidecar.connection import NEVER, Cut
from era5_sidecar.endpoint import Endpoint, ToUpstream
from era5_sidecar.fields import BadMessage
from era5_sidecar.http1 import UNTIL_CLOSE, RequestHead, ResponseHead, answer_head
from era5_sidecar.refusals import refused_by_peer
from era5_sidecar.upload import CallerGone, FromCaller, Upload
from era5_sidecar.waiting import TooLate

LAST_ANSWER = b"Connection: close\r\n"
UNCERTAIN = b"X-Certain: false\r\n"  # in the answer to what was perhaps executed before, too
MOST_KEPT_BYTES = 65536  # of an answer that is judged before it is relayed
SHORT_BYTES = 4096  # an answer of no more is waited for, as its caller would do anyhow


class Question:
    """A request as it goes to an instance. Its body may have a rest that is still to come."""

    __slots__ = ("_start", "fields", "grace_s", "head", "is_whole", "luggage", "rest", "timeout_s")

    def __init__(self, head: RequestHead, start: bytes, rest: Body | None) -> None:
        """start: of the body, read already. rest: None if that was all."""
        self.head = head
        self.rest = rest
        self.is_whole = rest is None  # so it can be sent again
        self.fields = b""  # ours, added to its head
        self.luggage = b""  # what goes on beside the trace
        self.timeout_s = 0.0  # for the answer, once all is sent
        self.grace_s = 0.0  # for the rest, beyond what its bytes earn
        if head.size < 0 and (start or rest is None):
            start = chunk_of(start) + (LAST if rest is None else b"")
        self._start = start

    def wire(self) -> bytes:
        return self.head.with_body(self.fields, self._start)


class Reply:
    """What came of a question. `kept`: the body of an answer that was not relayed, else None."""

    __slots__ = ("head", "kept")

    def __init__(self, head: ResponseHead, kept: bytes | None) -> None:
        self.head = head
        self.kept = kept


Keeps = Callable[[ResponseHead], bool]


async def ask(
    endpoint: Endpoint,
    question: Question,
    caller: FromCaller,
    limits: LimitsConfig,
    now: float,
    keeps: Keeps,
    added: bytes = b"",
) -> Reply:
    """Ask this instance, and relay its answer unless it is one to keep.

    added: fields of ours in an answer that is relayed. Raises ConnectFailed, NotKnown, Timeout,
    ConnectionLost, BadAnswer; CallerGone; BadMessage and TooLate of the caller's own making.
    """
    until = now + question.timeout_s
    up = endpoint.kept(now) or await endpoint.fresh(until)
    upload = None
    is_clean = False
    try:
        if caller.is_lost:
            raise CallerGone
        caller.asking = up
        up.deadline = until
        up.write(question.wire())
        if question.rest is not None:
            times_s = question.grace_s, question.timeout_s
            upload = Upload(question.rest, *times_s, caller, up, limits)
        head = _answer(await up.read_head(limits.most_head_bytes), question, limits)
        while head.status < 200:  # interim answers end here: RFC 9110, section 15.2
            head = _answer(await up.read_head(limits.most_head_bytes), question, limits)
        if keeps(head):
            body = Body(up, head.size)
            kept = await body.whole(MOST_KEPT_BYTES)
            is_clean = body.is_over and not head.is_last
            return Reply(head, kept if body.is_over else None)
        if upload is not None and not upload.is_over:
            caller.is_spent = True  # the rest of the body stands before the next request
        if endpoint.service and head.special.get(b"x-certain") == b"false":
            added = UNCERTAIN  # its sidecar knows of a try that we do not
        if len(up.buffer) < head.size <= SHORT_BYTES:
            await _short_rest(up, head, caller)
        if 0 <= head.size <= len(up.buffer):  # the usual case: all of it is here
            _relay_whole(up, head, caller, added)
        else:
            await _relay_pieces(up, head, caller, limits, added)
        is_clean = not head.is_last
        return Reply(head, None)
    except (Cut, BadMessage, TooLate) as error:
        failure = _meaning(error, up, caller, upload)
        is_stale = isinstance(failure, Stale)
        if not (is_stale and question.is_whole and question.head.may_repeat):
            raise ConnectionLost(str(failure)) if is_stale else failure from error
    finally:
        caller.asking = None
        up.deadline = NEVER
        if upload is not None and not upload.is_over:
            upload.stop()
            caller.is_spent = True
            is_clean = False
        if is_clean:
            endpoint.give_back(up, time.monotonic())
        else:
            up.close()
    endpoint.close()  # the others have been idle for longer
    lost = ConnectionLost(str(failure))
    try:
        reply = await ask(endpoint, question, caller, limits, now, keeps, added or UNCERTAIN)
    except Unreachable as error:
        raise lost from error  # who died over it may have executed it first
    if keeps(reply.head):
        raise lost  # what is said of the second try is not true of the first
    return reply


class Stale(ConnectionLost):
    """A kept connection ended before a byte of the answer: closed, perhaps, while our request was
    on its way, which is the oldest race of keep-alive (RFC 9112, section 9.3.1).
    """


def _answer(raw: bytes | None, question: Question, limits: LimitsConfig) -> ResponseHead:
    if raw is None:
        raise Cut("the end came before an answer")
    head = answer_head(raw, question.head.method, limits.most_headers)
    if head.status == 101:
        raise BadMessage("it changes to a protocol that nobody asked for")
    return head


async def _short_rest(up: ToUpstream, head: ResponseHead, caller: FromCaller) -> None:
    """Who dies after the head of a short answer has not answered: another can still be asked."""
    while len(up.buffer) < head.size:
        if caller.is_lost:
            raise CallerGone
        if up.is_over:
            raise ConnectionLost(f"{up.endpoint.instance.name}: it ended in mid-answer")
        await up.more()


def _relay_whole(up: ToUpstream, head: ResponseHead, caller: FromCaller, added: bytes) -> None:
    caller.has_answer = True
    if caller.is_spent:
        added += LAST_ANSWER
    caller.write(b"%b%b\r\n%b" % (head.start, added, up.buffer[: head.size]))
    up.buffer = up.buffer[head.size :]


async def _relay_pieces(
    up: ToUpstream, head: ResponseHead, caller: FromCaller, limits: LimitsConfig, added: bytes
) -> None:
    # without chunks nobody after us could tell its end from a break
    start = head.with_chunks() if head.size == UNTIL_CLOSE else head.start
    if caller.is_spent:
        added += LAST_ANSWER
    caller.has_answer = True
    caller.write(b"%b%b\r\n" % (start, added))
    sends = Patience(limits.body_s, limits.body_s, 0)  # it may trickle, as one of events does
    reads = Patience(limits.body_s, limits.body_s, limits.least_body_bytes_per_s)
    await relay(Body(up, head.size), up, caller, sends, reads)


def _meaning(
    error: Exception, up: ToUpstream, caller: FromCaller, upload: "Upload | None"
) -> Exception:
    """Whose fault it was: the caller's, or the instance's."""
    name = up.endpoint.instance.name
    alert = up.ended_by
    if alert and not up.served and refused_by_peer(alert):  # so nobody has seen the request
        return ConnectFailed(f"{name}: {up.dialling.failed(name, alert)}")
    if upload is not None and upload.failure is not None:
        return upload.failure
    if caller.is_lost:
        return CallerGone()
    if isinstance(error, TooLate) and caller.is_full:
        caller.abort()  # the answer is there, and it does not read it
        return CallerGone()
    if isinstance(error, TooLate):
        return Timeout(f"{name}: no answer in time")
    if isinstance(error, BadMessage):
        return BadAnswer(f"{name}: {error}")
    if up.served and not up.buffer and not caller.has_answer:
        return Stale(f"{name}: closed as the request left")
    return ConnectionLost(f"{name}: {error}")
