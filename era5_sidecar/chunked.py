"""A chunked body, read strictly and written anew (RFC 9112, section 7.1). No I/O.

Extensions and trailers end here, as any hop may let them. What goes on are chunks of our own, so a
line that two readers might end at different places is never passed on.
"""

import re

from era5_sidecar.fields import GOOD, BadMessage

SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
MOST_LINE_BYTES = 1024  # of a size with its extensions
MOST_TRAILER_BYTES = 8192
LAST = b"0\r\n\r\n"


class ChunkedBody:
    """Fed with what arrives, it gives the data inside. `is_over` once the body has ended."""

    def __init__(self) -> None:
        self.is_over = False
        self.rest = b""  # after the end: what belongs to the next message
        self._buffer = b""
        self._left = 0  # of this chunk's data
        self._wants_end = False  # the CRLF after a chunk's data
        self._in_trailers = False
        self._trailer_bytes = 0

    def feed(self, piece: bytes) -> bytes:
        """The data in this piece, perhaps none. Raises BadMessage."""
        buffer, self._buffer = (self._buffer + piece if self._buffer else piece), b""
        data: list[bytes] = []
        at = 0  # not a slice for each line: with the smallest chunks that takes quadratic time
        while at < len(buffer) and not self.is_over:
            if self._left:
                data.append(buffer[at : at + self._left])
                at += len(data[-1])
                self._left -= len(data[-1])
                self._wants_end = not self._left
                continue
            end = buffer.find(b"\n", at)
            if end < 0:
                self._keep(buffer[at:])
                break
            self._take(buffer[at:end])
            at = end + 1
        if self.is_over:
            self.rest = buffer[at:]
        return data[0] if len(data) == 1 else b"".join(data)

    def _keep(self, start: bytes) -> None:
        """The first part of a line; what will never be one is refused at once."""
        if self._wants_end and start != b"\r":
            raise BadMessage("a chunk is longer than its size")
        if len(start) > (MOST_TRAILER_BYTES if self._in_trailers else MOST_LINE_BYTES):
            raise BadMessage("a chunk's line is too long")
        self._buffer = start

    def _take(self, line: bytes) -> None:
        if line[-1:] != b"\r":
            raise BadMessage("a chunk's line does not end in CRLF")
        line = line[:-1]
        if self._wants_end:
            if line:
                raise BadMessage("a chunk is longer than its size")
            self._wants_end = False
        elif self._in_trailers:
            self._take_trailer(line)
        else:
            self._take_size(line)

    def _take_size(self, line: bytes) -> None:
        found = SIZE.fullmatch(line) if len(line) <= MOST_LINE_BYTES else None
        if not found:
            raise BadMessage("accepted as chunk size: hexadecimal digits")
        self._left = int(found[1], 16)
        self._in_trailers = not self._left

    def _take_trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line)
        if self._trailer_bytes > MOST_TRAILER_BYTES or line.translate(None, GOOD):
            raise BadMessage("a trailer that is none, or too many")
        if line and b":" not in line:
            raise BadMessage("a trailer that is not NAME: VALUE")
        self.is_over = not line


def chunk_of(data: bytes) -> bytes:
    """One chunk with this data; nothing for no data, as an empty chunk ends a body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
