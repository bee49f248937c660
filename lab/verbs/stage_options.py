"""The options by which `up` and `trace` choose an era, a wire and its faults."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from lab.find import FORMS, find
from lab.stage import INSTANCES, Stage
from lab.vocabulary import FATES, KNOBS
from lab.wire import Knobs
from lab.wire.namespaces import available

SAID = {
    "loss": "probability that a packet vanishes, 0 to 1",
    "duplicate": "probability that it arrives twice",
    "reorder": "probability that it is held back, so that later ones overtake it",
    "reorder_by_s": "for how long; 0: half the delay and 2 ms",
    "corrupt": "probability that one of its bits is flipped",
    "delay_s": "seconds it takes, one way",
    "jitter_s": "varied by up to so many seconds",
    "rate_bps": "bits per second; 0: unlimited",
    "queue_bytes": "room before the slow link; 0: unlimited",
    "mtu_bytes": "longer packets vanish",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """ERA, --wire, --seed, the knobs, and the fates of the first packets."""
    parser.add_argument("era", metavar="ERA", help="a number, or the name of a package")
    parser.add_argument(
        "--wire", choices=FORMS, help="real: Linux, the kernel's own packets (default: if it can)"
    )
    parser.add_argument("--seed", type=int, default=7, help="of all faults (default: 7)")
    parser.add_argument(
        "--instances",
        type=int,
        default=INSTANCES,
        metavar="N",
        help=f"of inventory, from era 3 on (default: {INSTANCES})",
    )
    parser.add_argument(
        "--proxy",
        "--data-plane",
        default="python",
        metavar="NAME",
        help="of the sidecars: python (ours); era 5: haproxy, nginx or envoy; era 6: envoy",
    )
    parser.add_argument(
        "--transparent",
        action=argparse.BooleanOptionalAction,
        help="real wire, era 5 and 6: nothing that a service sends can pass its sidecar by "
        "(era 6: so if this machine can)",
    )
    parser.add_argument("--intent", type=Path, metavar="FILE", help="era 6: the first one")
    knobs = parser.add_argument_group("the wire's knobs, for both directions (default: perfect)")
    for name, kind in KNOBS.items():
        if name in SAID:
            dashed = "--" + name.replace("_", "-")
            knobs.add_argument(dashed, type=kind, metavar=kind.__name__.upper(), help=SAID[name])
    fates = f"fates of the first packets, by commas: {FATES}"
    knobs.add_argument("--there", default="", metavar="FATES", help=f"orders → inventory: {fates}")
    knobs.add_argument("--back", default="", metavar="FATES", help="inventory → orders: likewise")


def seconds(text: str) -> float:
    """A patience on the command line. Raises ArgumentTypeError, which names what is accepted."""
    try:
        if 0 < float(text) < math.inf:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r}; accepted: seconds, a number above 0")


def knobs_of(options: argparse.Namespace) -> Knobs:
    """The knobs that were asked for. Raises KnobError."""
    asked = {name: getattr(options, name) for name in SAID}
    return Knobs(**{name: value for name, value in asked.items() if value is not None})


def form_of(options: argparse.Namespace) -> str:
    """The form that was asked for, else real where this machine can, saying so where not."""
    if options.wire:
        return str(options.wire)
    missing = available()
    if missing:
        print(f"portable wire, as the real one is not to be had: {missing}", file=sys.stderr)
    return "portable" if missing or "real" not in find(options.era).schemes else "real"


def stage_for(options: argparse.Namespace, **more: Any) -> Stage:
    """The stage that was asked for, its first packets' fates decided. Raises what Stage does."""
    directory: Path | None = more.get("directory")
    stage = Stage(
        options.era,
        more.get("form") or form_of(options),
        knobs=knobs_of(options),
        seed=options.seed,
        directory=directory,
        pcap=more.get("pcap"),
        instances=options.instances,
        proxy="" if options.proxy == "python" else options.proxy,
        transparent=options.transparent,
        intent=options.intent,
    )
    try:
        for direction in ("there", "back"):
            fates = getattr(options, direction)
            if fates:
                stage.wire.script(direction, fates.split(","))
    except BaseException:
        stage.close()
        raise
    return stage
