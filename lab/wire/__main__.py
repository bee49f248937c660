"""The wire as a process: `python -m lab.wire portable --inventory udp://127.0.0.1:4000`.

It prints one line of JSON when it is ready, obeys commands on stdin (see `lab.wire.control`) and
ends when stdin does. `lab.wire.process.WireProcess` is its handle for Python.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

from lab.wire.control import Control
from lab.wire.core import Wire, Witness
from lab.wire.hold import die_with_parent
from lab.wire.knobs import KnobError, Knobs, knobs_from
from lab.wire.portable import AddressError, Relay, read_address, resolved
from lab.wire.pump import Pump
from lab.wire.trace import HEAD_BYTES, TraceFile, Witnesses


def command_line() -> argparse.ArgumentParser:
    """What the process accepts."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.wire",
        description="Carry frames between orders and inventory, with faults.",
        epilog="Commands on stdin: see lab/wire/control.py. The end of stdin ends the wire.",
    )
    parser.add_argument("form", choices=["portable", "real"])
    parser.add_argument("--inventory", help="portable: where frames go, udp://HOST:PORT")
    parser.add_argument("--tun-fds", nargs=2, type=int, metavar="FD", help="real: both interfaces")
    parser.add_argument("--pcap", type=Path, help="write frames to this file (pcapng)")
    add_common_arguments(parser)
    return parser


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """What the packet wire and the stream relay both accept."""
    parser.add_argument("--seed", type=int, default=1, help="of all faults")
    parser.add_argument("--knobs", type=read_knobs, default=Knobs(), help='JSON: {"loss": 0.1}')
    parser.add_argument("--back", type=read_knobs, help="knobs of the way back, if they differ")
    parser.add_argument("--trace", type=Path, help="append events to this file of JSON lines")
    parser.add_argument("--head-bytes", type=int, default=HEAD_BYTES, help="of a frame, in events")
    parser.add_argument(
        "--die-with-parent", action="store_true", help="Linux: even if it is killed"
    )


def read_knobs(text: str) -> Knobs:
    """Knobs as a JSON object; ArgumentTypeError says what is wrong with it."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError:
        values = text
    try:
        return knobs_from(values, Knobs())
    except KnobError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def witness_for(arguments: argparse.Namespace) -> Witness | None:
    """Open the trace and the capture that were asked for."""
    witnesses: list[Witness] = []
    if arguments.trace:
        witnesses.append(TraceFile(arguments.trace, head_bytes=arguments.head_bytes))
    if arguments.pcap:
        from lab.pcap import Capture  # loaded only by those who ask for it

        witnesses.append(Capture(arguments.pcap, link=CAPTURED_AS[arguments.form]))
    return Witnesses(*witnesses) if witnesses else None


CAPTURED_AS = {"portable": "udp", "real": "ip"}


def main() -> None:
    """Set up the wire, say so, and carry frames until stdin ends."""
    parser = command_line()
    arguments = parser.parse_args()
    if arguments.form == "real" and not arguments.tun_fds:
        parser.error("form real needs --tun-fds; start it with lab.wire.process.WireProcess.real")
    try:
        inventory = resolved(read_address(arguments.inventory)) if arguments.inventory else None
        witness = witness_for(arguments)
    except (AddressError, OSError) as problem:
        parser.error(str(problem))
    if arguments.die_with_parent and sys.platform == "linux":
        die_with_parent()
    wire = Wire(arguments.seed, arguments.knobs, arguments.back)
    pump = Pump(wire.lines, witness)
    verbs, address = {}, None
    if arguments.form == "real":
        pump.connect_interfaces(*arguments.tun_fds)
    else:
        relay = Relay(pump, inventory)
        verbs, address = {"forward": relay.obey_forward}, relay.address_for_orders
    control = Control(wire.lines, pump.undeliverable, verbs)
    control.answer({"ready": arguments.form, "address_for_orders": address})
    with contextlib.suppress(KeyboardInterrupt):
        pump.run(control_fd=0, control=control.serve)


if __name__ == "__main__":
    main()
