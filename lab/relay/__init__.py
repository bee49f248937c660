"""The wire for byte streams: where there is no packet wire, connections pass through this relay.

Packet faults reach a stream as what the kernel's TCP makes of them, delay (`stream`); faults of
whole connections have the names that toxiproxy gave them (`toxics`). Its handle is
`lab.wire.process.WireProcess.streams`, with the verbs of every wire.
"""

from lab.relay.toxics import Toxics

__all__ = ["Toxics"]
