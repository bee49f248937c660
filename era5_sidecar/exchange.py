"""One request to one instance, and its answer: relayed as it comes, or kept to be judged."""

import time
from collections.abc import Callable

from era4_framework.errors import BadAnswer, ConnectionLost, Timeout
from era5_sidecar.bodies import Body, relay
from era5_sidecar.config import LimitsConfig
from era5_sidecar.connection import NEVER, Connection, Cut, TooLate, resume
from era5_sidecar.http1 import BadMessage, RequestHead, ResponseHead
from era5_sidecar.upstream import Endpoint, ToUpstream

MOST_KEPT_BYTES = 65536  # of an answer that is judged before it is relayed


class CallerGone(Exception):
    """Nobody is left to answer."""


class FromCaller(Connection):
    """A connection that somebody opened to us. Who leaves while we ask for him, has us stop."""

    __slots__ = ("asking", "has_answer", "is_spent", "peer")

    asking: ToUpstream | None
    has_answer: bool  # the answer to the request under way has begun
    is_spent: bool  # no other request can follow on it
    peer: str

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self.asking is not None:
            self.asking.abort()


class Question:
    """A request as it goes to an instance. `body` may have a rest that is still to come."""

    __slots__ = ("body", "fields", "head", "start", "timeout_s")

    def __init__(
        self, head: RequestHead, start: bytes, body: Body, fields: bytes, timeout_s: float
    ) -> None:
        """start: of the body, read already. fields: ours, added to its head."""
        self.head = head
        self.start = start
        self.body = body
        self.fields = fields
        self.timeout_s = timeout_s

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it is still to come, so that it can be sent again."""
        return self.body.is_over

    def wire(self) -> bytes:
        body = self.start
        if body and self.body.size < 0:
            body = self.body.framed(body)
        if self.body.is_over:
            body += self.body.end
        return b"%b%b\r\n%b" % (self.head.start(), self.fields, body)


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
    keeps: Keeps,
    added: bytes = b"",
) -> Reply:
    """Ask this instance, and relay its answer unless it is one to keep.

    added: fields of ours in an answer that is relayed. Raises ConnectFailed, NotKnown, Timeout,
    ConnectionLost, BadAnswer, as long as nothing was relayed; CallerGone; BadMessage and TooLate of
    the caller's own making.
    """
    until = time.monotonic() + question.timeout_s
    up = await endpoint.connection(until)
    try:
        if up.served:
            return await _ask_over(up, question, caller, limits, keeps, added, until)
    except _Stale:
        # It was closed while our request was on its way: the oldest race of keep-alive.
        if not (question.head.may_repeat and question.is_whole):
            raise ConnectionLost(f"{endpoint.instance.name}: closed as the request left") from None
    if up.served:
        up = await endpoint.fresh(until)
    return await _ask_over(up, question, caller, limits, keeps, added, until)


class _Stale(Exception):
    """A kept connection ended before a byte of the answer."""


async def _ask_over(
    up: ToUpstream,
    question: Question,
    caller: FromCaller,
    limits: LimitsConfig,
    keeps: Keeps,
    added: bytes,
    until: float,
) -> Reply:
    if caller.is_lost:
        up.abort()
        raise CallerGone
    caller.asking = up
    upload = None
    is_clean = False
    try:
        up.limit(until)
        up.write(question.wire())
        if not question.is_whole:
            upload = Upload(question, caller, up, limits.body_s)
        head = await _answer_head(up, question.head.method, limits)
        body = Body(up, head.size)
        if keeps(head):
            kept = await body.whole(MOST_KEPT_BYTES)
            is_clean = body.is_over and not head.is_last
            return Reply(head, kept if body.is_over else None)
        await _relay_answer(up, head, body, caller, limits, added)
        is_clean = not head.is_last
        return Reply(head, None)
    except (Cut, BadMessage, TooLate) as error:
        raise _meaning(error, up, caller, upload) from error
    finally:
        caller.asking = None
        up.unlimit()
        if upload is not None and not upload.is_over:
            upload.stop()
            caller.is_spent = True  # the rest of the body stands before the next request
            is_clean = False
        if is_clean:
            up.endpoint.give_back(up)
        else:
            up.close()


async def _answer_head(up: ToUpstream, method: bytes, limits: LimitsConfig) -> ResponseHead:
    """The head of the final answer; interim ones (RFC 9110, section 15.2) end here."""
    while True:
        raw = await up.read_head(limits.most_head_bytes)
        if raw is None:
            raise Cut("the end came before an answer")
        head = ResponseHead(raw, method, limits.most_headers)
        if head.status >= 200:
            return head
        if head.status == 101:
            raise BadMessage("it changes to a protocol that nobody asked for")


async def _relay_answer(
    up: ToUpstream,
    head: ResponseHead,
    body: Body,
    caller: FromCaller,
    limits: LimitsConfig,
    added: bytes,
) -> None:
    if head.is_last and head.size < -1:
        caller.is_spent = True  # its end will be the end of the connection
    last = b"Connection: close\r\n" if caller.is_spent else b""
    start = b"%b%b%b\r\n" % (head.start(), added, last)
    caller.has_answer = True
    if 0 <= head.size <= len(up.buffer):  # the usual case: all of it is here already
        caller.write(start + await body.whole(head.size) if head.size else start)
        return
    caller.write(start)
    await relay(body, up, caller, limits.body_s)


def _meaning(
    error: Exception, up: ToUpstream, caller: FromCaller, upload: "Upload | None"
) -> Exception:
    """Whose fault it was: the caller's, or the instance's."""
    name = up.endpoint.instance.name
    if upload is not None and upload.failure is not None:
        return upload.failure
    if caller.is_lost:
        return CallerGone()
    if isinstance(error, TooLate):
        return Timeout(f"{name}: no answer in time")
    if isinstance(error, BadMessage):
        return BadAnswer(f"{name}: {error}")
    if up.served and not up.buffer and not caller.has_answer:
        return _Stale()
    return ConnectionLost(f"{name}: {error}")


class Upload:
    """Sends on the rest of a request's body while its answer is awaited: it may come early."""

    def __init__(
        self, question: Question, caller: FromCaller, up: ToUpstream, silence_s: float
    ) -> None:
        self.is_over = False
        self.failure: Exception | None = None
        self._caller = caller
        self._up = up
        self._work = self._run(question, silence_s)
        resume(self._work)

    async def _run(self, question: Question, silence_s: float) -> None:
        try:
            self._up.limit(NEVER)  # who is not asked yet cannot be late
            await relay(question.body, self._caller, self._up, silence_s)
            self.is_over = True
            self._caller.unlimit()
            self._up.limit(time.monotonic() + question.timeout_s)
        except (BadMessage, Cut, TooLate) as error:
            self.failure = CallerGone() if self._caller.is_lost else error
            if self._up.is_lost:
                self.failure = None  # it is the instance that has gone
            self._up.abort()

    def stop(self) -> None:
        """The answer is there: nobody wants the rest."""
        self._work.close()
        self._caller.waiting = None
        if self._up.outlet is not None:
            self._up.outlet.waiting = None
