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

from lab.relay.switchboard import Switchboard
from lab.wire.__main__ import add_common_arguments
from lab.wire.hold import die_with_parent
from lab.wire.portable import AddressError, read_address
from lab.wire.pump import sharpen_timers


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


async def carry(switchboard: Switchboard) -> None:
    """Relay until stdin ends."""
    ended = asyncio.Event()

    def obey() -> None:
        if not switchboard.control.serve():
            ended.set()
        switchboard.turned()

    asyncio.get_running_loop().add_reader(0, obey)
    switchboard.control.answer({"ready": "streams", "address_for_orders": switchboard.listen()})
    await ended.wait()


def main() -> None:
    """Set up the relay, say so, and carry streams until stdin ends."""
    parser = command_line()
    arguments = parser.parse_args()
    knobs = (arguments.knobs, arguments.back or arguments.knobs)
    trace = (arguments.trace, arguments.head_bytes)
    try:
        inventory = read_address(arguments.inventory, "tcp") if arguments.inventory else None
        switchboard = Switchboard(arguments.seed, knobs, inventory, trace)
    except (AddressError, OSError) as problem:
        parser.error(str(problem))
    if arguments.die_with_parent and sys.platform == "linux":
        die_with_parent()
    sharpen_timers()
    # `select` and not `epoll`: its timeouts are microseconds, epoll's are whole milliseconds.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    asyncio.set_event_loop(loop)
    with contextlib.suppress(KeyboardInterrupt):
        loop.run_until_complete(carry(switchboard))


if __name__ == "__main__":
    main()
