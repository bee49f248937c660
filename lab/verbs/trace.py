"""One order over a wire, drawn from what really happened.

eras trace 1                                 over a perfect wire
eras trace 1 --loss 0.3 --delay-s 0.02       over a bad one; --seed 8: other packets are lost
eras trace 0 --back drop                     the first answer is lost
eras trace 2 --op catalogue --all            a long answer, every packet of it
eras trace 1 --pcap order.pcapng             the same for Wireshark
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from lab.commands import Conductor
from lab.find import find
from lab.label import label_of
from lab.ladder import MOST_ROWS, elide, lanes_of, rows
from lab.player import beginning, when_quiet
from lab.screen import progress, say, screen, show_ladder
from lab.verbs import stage_options
from lab.vocabulary import operation_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments to `parser`."""
    stage_options.add_arguments(parser)
    parser.add_argument(
        "--op", default="place o-1 sku-0001 2", metavar="WORDS", help="else 'place o-1 sku-0001 2'"
    )
    parser.add_argument(
        "--patience-s",
        type=stage_options.seconds,
        default=15.0,
        metavar="SECONDS",
        help="of the customer (15)",
    )
    parser.add_argument("--all", action="store_true", help="leave nothing out of a long trace")
    parser.add_argument("--json", action="store_true", help="print the events as JSON lines")
    parser.add_argument("--pcap", type=Path, metavar="FILE", help="write the packets to FILE")


def run(options: argparse.Namespace) -> int:
    """Play one operation and draw it; the customer's fate is the last line. Returns 0."""
    operation_of(options.op.split())  # a wrong one is refused before anything starts
    if options.pcap and (options.pcap.is_dir() or not options.pcap.parent.is_dir()):
        raise ValueError(f"--pcap {options.pcap}; accepted: a file, in a folder that is there")
    form = stage_options.form_of(options)
    era = find(options.era)
    with (
        progress(f"era {era.number}, {form} wire: {options.op}"),
        stage_options.stage_for(options, form=form, pcap=options.pcap) as stage,
    ):
        since, instances = beginning(stage), stage.instances
        answer = Conductor(stage, options.patience_s).obey(options.op)
        events = when_quiet(stage.trace)
    if options.json:
        print("\n".join(json.dumps(event.as_json()) for event in events))
        return 0
    console = screen()
    lanes = lanes_of(events, instances, since)
    made = rows(events, label_of(era, form), lanes, since)
    show_ladder(console, made if options.all else elide(made, MOST_ROWS), lanes)
    say(console, answer.text, "bold")
    if options.pcap:
        say(console, f"packets: {options.pcap} (tshark -r {options.pcap})", "dim")
    return 0
