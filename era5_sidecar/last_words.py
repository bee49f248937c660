"""TLS's last words: why we refuse a caller, sent to it before its connection is closed.

OpenSSL makes an alert of it (RFC 8446, section 6.2), but asyncio and uvloop close a connection
whose handshake failed with the alert still in their hands, and the caller sees a mere end. So who
fails says it at that moment, as a moment later nobody has the socket any more.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from contextvars import ContextVar

# The connection whose handshake a task waits for; asyncio keeps it from whoever makes the TLS.
MEETING: ContextVar[socket.socket | None] = ContextVar("MEETING", default=None)


class Speaking(ssl.SSLObject):
    """One end of TLS that does not leave without a word."""

    connection: socket.socket | None = None
    outgoing: ssl.MemoryBIO

    def do_handshake(self) -> None:
        """As SSLObject has it."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            if self.connection is not None:
                with suppress(OSError):  # it has gone, or reads nothing
                    self.connection.send(self.outgoing.read())
            raise


class Guard(ssl.SSLContext):
    """For a listener."""

    sslobject_class = Speaking

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As SSLContext has it."""
        made = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        if isinstance(made, Speaking):
            made.connection, made.outgoing = MEETING.get(), outgoing
        return made
