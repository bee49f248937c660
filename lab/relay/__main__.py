"""The stream relay as a process: `python -m lab.relay --inventory tcp://127.0.0.1:4000`.

It prints one line of JSON when it is ready, obeys commands on stdin (see `lab.wire.control`, and
`toxics` here) and ends when stdin does. `lab.relay.RelayProcess` is its handle for Python.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import selectors
import sys
from pathlib import Path as FilePath

from lab.relay.shell import Relay
from lab.relay.stream import Path
from lab.wire import Knobs
from lab.wire.control import Control
from lab.wire.hold import die_with_parent
from lab.wire.portable import read_address
from lab.wire.pump import sharpen_timers
from lab.wire.trace import TraceFile


def read_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m lab.relay", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of all faults")
    parser.add_argument("--knobs", default="{}", help='JSON, e.g. {"delay_s": 0.02}')
    parser.add_argument("--back", help="knobs of the way back, if they differ")
    parser.add_argument("--inventory", help="where connections go, tcp://HOST:PORT")
    parser.add_argument("--trace", type=FilePath, help="append events to this file of JSON lines")
    parser.add_argument(
        "--die-with-parent", action="store_true", help="Linux: even if it is killed"
    )
    return parser.parse_args()


async def relay(arguments: argparse.Namespace, knobs: Knobs, back: Knobs) -> None:
    """Relay until stdin ends."""
    witness = TraceFile(arguments.trace) if arguments.trace else None
    there = Path(arguments.seed, "there", 0, knobs, witness)
    paths = (there, Path(arguments.seed, "back", 1, back, witness))
    inventory = read_address(arguments.inventory, "tcp") if arguments.inventory else None
    relay = Relay(arguments.seed, paths, inventory)
    verbs = {"forward": relay.obey_forward, "toxics": relay.obey_toxics}
    control = Control(paths, [0, 0], verbs)
    ended = asyncio.Event()

    def obey() -> None:
        if not control.serve():
            ended.set()
        relay.turned()

    asyncio.get_running_loop().add_reader(0, obey)
    control.answer({"ready": "relay", "address_for_orders": await relay.open()})
    await ended.wait()


def main() -> None:
    """Set up the relay, say so, and carry streams until stdin ends."""
    arguments = read_arguments()
    if arguments.die_with_parent and sys.platform == "linux":
        die_with_parent()
    sharpen_timers()
    knobs = Knobs(**json.loads(arguments.knobs))
    back = Knobs(**json.loads(arguments.back)) if arguments.back else knobs
    # `select` and not `epoll`: its timeouts are microseconds, epoll's are whole milliseconds.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    asyncio.set_event_loop(loop)
    with contextlib.suppress(KeyboardInterrupt):
        loop.run_until_complete(relay(arguments, knobs, back))


if __name__ == "__main__":
    main()
