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
from lab.wire.knobs import Knobs
from lab.wire.portable import Relay, read_address
from lab.wire.pump import Pump
from lab.wire.trace import TraceFile, Witnesses


def read_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m lab.wire", description=__doc__)
    parser.add_argument("form", choices=["portable", "real"])
    parser.add_argument("--seed", type=int, default=1, help="of all faults")
    parser.add_argument("--knobs", default="{}", help='JSON, e.g. {"loss": 0.1, "delay_s": 0.02}')
    parser.add_argument("--back", help="knobs of the way back, if they differ")
    parser.add_argument("--inventory", help="portable: where frames go, udp://HOST:PORT")
    parser.add_argument("--tun-fds", nargs=2, type=int, metavar="FD", help="real: both interfaces")
    parser.add_argument("--trace", type=Path, help="append events to this file of JSON lines")
    parser.add_argument("--pcap", type=Path, help="write frames to this file (pcapng)")
    parser.add_argument(
        "--die-with-parent", action="store_true", help="Linux: even if it is killed"
    )
    return parser.parse_args()


def witness_for(arguments: argparse.Namespace) -> Witness | None:
    """Open the trace and the capture that were asked for."""
    witnesses: list[Witness] = []
    if arguments.trace:
        witnesses.append(TraceFile(arguments.trace))
    if arguments.pcap:
        from lab.pcap import Capture  # loaded only by those who ask for it

        witnesses.append(Capture(arguments.pcap, link=CAPTURED_AS[arguments.form]))
    return Witnesses(*witnesses) if witnesses else None


CAPTURED_AS = {"portable": "udp", "real": "ip"}


def main() -> None:
    """Set up the wire, say so, and carry frames until stdin ends."""
    arguments = read_arguments()
    if arguments.die_with_parent and sys.platform == "linux":
        die_with_parent()
    knobs = Knobs(**json.loads(arguments.knobs))
    back = Knobs(**json.loads(arguments.back)) if arguments.back else knobs
    wire = Wire(arguments.seed, knobs, back)
    pump = Pump(wire.lines, witness_for(arguments))
    verbs, address = {}, None
    if arguments.form == "real":
        pump.connect_interfaces(*arguments.tun_fds)
    else:
        relay = Relay(pump, read_address(arguments.inventory) if arguments.inventory else None)
        verbs, address = {"forward": relay.obey_forward}, relay.address_for_orders
    control = Control(wire.lines, pump.undeliverable, verbs)
    control.answer({"ready": arguments.form, "address_for_orders": address})
    with contextlib.suppress(KeyboardInterrupt):
        pump.run(control_fd=0, control=control.serve)


if __name__ == "__main__":
    main()
