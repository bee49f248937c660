"""Where a message ends. TCP carries a stream of bytes, not messages: the one thing it took away.

A frame is the message's length, 4 bytes, most significant first, and the message. The stream may
arrive in any pieces: a byte at a time, or the end of one frame with the start of the next.
"""

LENGTH_BYTES = 4
LARGEST_MESSAGE = 4 * 1024 * 1024  # bytes; ten times the catalogue, and a bound for our memory


class FrameTooLarge(ValueError):
    """The peer announces more than LARGEST_MESSAGE, or does not speak in frames at all."""


def frame(message: bytes) -> bytes:
    """The message as it goes into the stream. Raises FrameTooLarge."""
    _check(len(message))
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


class Decoder:
    """Takes the stream in pieces, gives back whole messages. Holds at most one unfinished frame."""

    def __init__(self) -> None:
        self._stream = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """The messages that this piece completes. Raises FrameTooLarge; the stream is lost then."""
        self._stream += piece
        messages = []
        while (message := self._take()) is not None:
            messages.append(message)
        return messages

    def _take(self) -> bytes | None:
        if len(self._stream) < LENGTH_BYTES:
            return None
        end = LENGTH_BYTES + _check(int.from_bytes(self._stream[:LENGTH_BYTES], "big"))
        if len(self._stream) < end:
            return None
        message = bytes(self._stream[LENGTH_BYTES:end])
        del self._stream[:end]
        return message

    def __repr__(self) -> str:
        return f"<Decoder holding {len(self._stream)} bytes>"


def _check(length: int) -> int:
    if length > LARGEST_MESSAGE:
        raise FrameTooLarge(f"frame of {length} bytes; accepted: at most {LARGEST_MESSAGE}")
    return length
