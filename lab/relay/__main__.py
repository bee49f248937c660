"""The stream relay as a process: `python -m lab.relay --inventory tcp://127.0.0.1:4000`.

It prints one line of JSON when it is ready, obeys commands on stdin (see `lab.wire.control`, and
`toxics` here) and ends when stdin does. `lab.wire.process.WireProcess.streams` is its handle for
Python.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import selectors
import sys

from lab.relay.shell import Relay
from lab.relay.stream import Path
from lab.wire import Witness
from lab.wire.__main__ import add_common_arguments
from lab.wire.control import Control
from lab.wire.hold import die_with_parent
from lab.wire.portable import Address, AddressError, read_address
from lab.wire.pump import sharpen_timers
from lab.wire.trace import TraceFile


def command_line() -> argparse.ArgumentParser:
    """What the process accepts."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.relay",
        description="Carry TCP connections from orders to inventory, with faults.",
        epilog="Commands on stdin: see lab/wire/control.py. The end of stdin ends the relay.",
    )
    parser.add_argument("--inventory", help="where connections go, tcp://HOST:PORT")
    add_common_arguments(parser)
    return parser


async def carry(
    arguments: argparse.Namespace, inventory: Address | None, witness: Witness | None
) -> None:
    """Relay until stdin ends."""
    there = Path(arguments.seed, "there", 0, arguments.knobs, witness)
    back = Path(arguments.seed, "back", 1, arguments.back or arguments.knobs, witness)
    relay = Relay(arguments.seed, (there, back), inventory)
    verbs = {"forward": relay.obey_forward, "toxics": relay.obey_toxics}
    control = Control(relay.paths, [0, 0], verbs)
    ended = asyncio.Event()

    def obey() -> None:
        if not control.serve():
            ended.set()
        relay.turned()

    asyncio.get_running_loop().add_reader(0, obey)
    control.answer({"ready": "streams", "address_for_orders": await relay.open()})
    await ended.wait()


def main() -> None:
    """Set up the relay, say so, and carry streams until stdin ends."""
    parser = command_line()
    arguments = parser.parse_args()
    try:
        inventory = read_address(arguments.inventory, "tcp") if arguments.inventory else None
        witness = TraceFile(arguments.trace) if arguments.trace else None
    except (AddressError, OSError) as problem:
        parser.error(str(problem))
    if arguments.die_with_parent and sys.platform == "linux":
        die_with_parent()
    sharpen_timers()
    # `select` and not `epoll`: its timeouts are microseconds, epoll's are whole milliseconds.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    asyncio.set_event_loop(loop)
    with contextlib.suppress(KeyboardInterrupt):
        loop.run_until_complete(carry(arguments, inventory, witness))


if __name__ == "__main__":
    main()
