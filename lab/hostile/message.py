"""Messages as the two ends read them: leniently enough to go on, but every fault is noted.

Whatever a proxy lets through must be without faults: a fault is what the next reader might take
for something else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Fields = tuple[tuple[str, str], ...]

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([!-~\x80-\xff]+) HTTP/1\.[01]")
STATUS_LINE = re.compile(rb"HTTP/1\.[01] [1-9]\d\d(?: [\t -~\x80-\xff]*)?")
FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*((?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)[ \t]*")
CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]{1,16}(?:[ \t]*;[\t -~\x80-\xff]*)?")
CODINGS = re.compile(r"(?:[\w-]+[ \t]*,[ \t]*)*chunked", re.I)
END_OF_HEAD = re.compile(rb"\n\r?\n")
NO_BODY = (204, 304)
NEVER_TRAILERS = ("content-length", "transfer-encoding", "host")  # RFC 9110 §6.5.1


@dataclass(frozen=True)
class Message:
    """One request or response as far as it has come."""

    line: bytes
    fields: Fields  # names in lower case
    body: bytes  # without its chunks
    trailers: Fields
    is_complete: bool
    faults: tuple[str, ...]
    size_bytes: int  # how much of what was read belongs to it

    @property
    def method(self) -> str:
        """Of a request."""
        return self.line.split(b" ")[0].decode("latin-1")

    @property
    def target(self) -> str:
        """Of a request; empty where there is none."""
        return self.line.partition(b" ")[2].rpartition(b" ")[0].decode("latin-1")

    @property
    def status(self) -> int:
        """Of a response; 0 where there is none."""
        word = self.line.split(b" ")[1:2]
        return int(word[0]) if word and word[0].isdigit() else 0

    def values(self, name: str) -> list[str]:
        """All values of the field `name`, which is in lower case."""
        return [value for known, value in self.fields if known == name]


def read_request(seen: bytes) -> Message | None:
    """The request that `seen` begins with, or None before its head is complete."""
    found = END_OF_HEAD.search(seen)
    if not found:
        return None
    line, fields, faults = _head(seen[: found.end()], REQUEST_LINE)
    hosts = sum(name == "host" for name, _ in fields)
    if hosts > 1 or (not hosts and line.endswith(b"1.1")):
        faults.append(f"{hosts} Host fields")
    return _with_body(seen, found.end(), line, fields, faults, ends_with_stream=False)


def read_response(seen: bytes, method: str, has_ended: bool) -> Message | None:
    """The response to `method` that `seen` begins with, or None before its head is complete."""
    found = END_OF_HEAD.search(seen)
    if not found:
        return None
    line, fields, faults = _head(seen[: found.end()], STATUS_LINE)
    message = Message(line, fields, b"", (), True, tuple(faults), found.end())
    # RFC 9112 §6.3: some responses end with their heads, whatever their fields say
    if method == "HEAD" or message.status < 200 or message.status in NO_BODY:
        return message
    names = {name for name, _ in fields}
    if names & {"content-length", "transfer-encoding"}:
        return _with_body(seen, found.end(), line, fields, faults, ends_with_stream=False)
    body = seen[found.end() :]
    return Message(line, fields, body, (), has_ended, tuple(faults), len(seen))


def _head(head: bytes, start: re.Pattern[bytes]) -> tuple[bytes, Fields, list[str]]:
    faults = []
    if b"\n" in head.replace(b"\r\n", b""):
        faults.append("a line ends with LF alone")
    line, *rest = [each.removesuffix(b"\r") for each in head.split(b"\n")][:-2]
    if not start.fullmatch(line):
        faults.append(f"first line {line[:60]!r}")
    fields, odd = _fields(rest)
    return line, fields, faults + odd


def _fields(lines: list[bytes]) -> tuple[Fields, list[str]]:
    fields, faults = [], []
    for line in lines:
        if not FIELD.fullmatch(line):
            faults.append(f"field {line[:60]!r}")
        name, _, value = line.partition(b":")
        fields.append((name.strip().decode("latin-1").lower(), value.strip().decode("latin-1")))
    return tuple(fields), faults


def _with_body(
    seen: bytes,
    start: int,
    line: bytes,
    fields: Fields,
    faults: list[str],
    *,
    ends_with_stream: bool,
) -> Message:
    codings = [value for name, value in fields if name == "transfer-encoding"]
    lengths = [value for name, value in fields if name == "content-length"]
    faults = faults + _framing_faults(codings, lengths)
    if codings:
        body, trailers, end, odd = _chunks(seen, start)
        complete = end >= 0
        return Message(
            line, fields, body, trailers, complete, (*faults, *odd), end if complete else len(seen)
        )
    size = int(lengths[0]) if lengths and re.fullmatch(r"[0-9]+", lengths[0]) else 0
    body = seen[start : start + size]
    return Message(line, fields, body, (), len(body) == size, tuple(faults), start + len(body))


def _framing_faults(codings: list[str], lengths: list[str]) -> list[str]:
    faults = []
    if codings and lengths:
        faults.append("both Content-Length and Transfer-Encoding")
    if len(codings) > 1 or any(not CODINGS.fullmatch(value) for value in codings):
        faults.append(f"Transfer-Encoding {codings}")
    if len(lengths) > 1 or any(not _is_length(value) for value in lengths):
        faults.append(f"Content-Length {lengths}")
    return faults


def _is_length(value: str) -> bool:
    return bool(re.fullmatch("[0-9]+", value)) and len(value.lstrip("0")) < 20  # about 2^64


def _chunks(seen: bytes, start: int) -> tuple[bytes, Fields, int, list[str]]:
    """The body, its trailers, where it ends (-1: not yet) and its faults."""
    body = b""
    while True:
        end = seen.find(b"\r\n", start)
        if end < 0:
            return body, (), -1, []
        if not CHUNK_LINE.fullmatch(seen, start, end):
            return body, (), -1, [f"chunk line {seen[start : min(end, start + 40)]!r}"]
        size = int(re.split(rb"[ \t;]", seen[start:end])[0], 16)
        start = end + 2
        if size == 0:
            return _trailers(seen, start, body)
        body += seen[start : start + size]
        start += size
        if len(seen) < start + 2:
            return body, (), -1, []
        if seen[start : start + 2] != b"\r\n":
            return body, (), -1, [f"after a chunk {seen[start : start + 2]!r}"]
        start += 2


def _trailers(seen: bytes, start: int, body: bytes) -> tuple[bytes, Fields, int, list[str]]:
    if seen.startswith(b"\r\n", start):
        return body, (), start + 2, []
    end = seen.find(b"\r\n\r\n", start)
    if end < 0:
        return body, (), -1, []
    trailers, faults = _fields(seen[start:end].split(b"\r\n"))
    faults += [f"field {name}" for name, _ in trailers if name in NEVER_TRAILERS]
    return body, trailers, end + 4, [f"trailer {fault}" for fault in faults]
