"""One side of one contestant, as a process: `python -m lab.measure.contestants NAME ROLE ...`.

It speaks JSON lines on stdout: `{"ready": true}` once it stands, one report at the end. A sending
or asking side waits for a line on stdin before it connects; a side without an end of its own is
ended by SIGTERM, and reports then.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import signal
import sys
import time
from types import FrameType
from typing import Any

from lab.measure.contestants import Asking, Contestant, Place
from lab.measure.contestants.meter import Meter

REQUEST = b"q" * 200
ANSWER = b"a" * 300


class Stopped(Exception):
    """SIGTERM or the alarm arrived: report and end."""


def main() -> None:
    gc.disable()  # for all alike: a pause of the interpreter is not what is compared
    options = _parse()
    try:
        contestant = _find(options.name)
    except ImportError as error:
        raise SystemExit(f"contestant {options.name!r} is not installed: {error}") from error
    place = Place(options.me, options.peer, options.port)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, options.deadline_s)
    gc.freeze()  # what the imports left behind need not be walked again during the measurement
    report: dict[str, Any] = {}
    try:
        try:
            ROLES[options.role](contestant, place, options, report)
        finally:
            _no_more_signals()  # whoever has just ended by itself must still get its report out
    except Stopped:
        pass
    except OSError as error:
        report["error"] = str(error)
    report["cpu_s"] = _cpu_s() - report.pop("cpu_before_s", 0.0)
    _say(report)


def _bulk_send(contestant: Contestant, place: Place, _: Any, report: dict[str, Any]) -> None:
    _wait_for_start(report)
    contestant.bulk_send(place)


def _bulk_receive(contestant: Contestant, place: Place, options: Any, report: Any) -> None:
    meter = Meter(options.duration_s)
    report["payload_share"] = contestant.payload_share()
    report["cpu_before_s"] = _cpu_s()
    try:
        for size_bytes in contestant.bulk_receive(place, _ready):
            now = time.monotonic()
            meter.add(now, size_bytes)
            if meter.is_over(now):
                return
    finally:
        report.update(meter.as_report())


def _ask(contestant: Asking, place: Place, options: Any, report: dict[str, Any]) -> None:
    took_s: list[float] = []
    report["took_s"] = took_s
    exchange = contestant.ask(place, REQUEST, len(ANSWER))
    _wait_for_start(report)
    next(exchange)
    for _ in range(options.count):
        asked = time.monotonic()
        next(exchange)
        took_s.append(time.monotonic() - asked)


def _answer(contestant: Asking, place: Place, _: Any, report: dict[str, Any]) -> None:
    report["cpu_before_s"] = _cpu_s()
    contestant.answer(place, len(REQUEST), ANSWER, _ready)


ROLES: dict[str, Any] = {
    "bulk-send": _bulk_send,
    "bulk-receive": _bulk_receive,
    "ask": _ask,
    "answer": _answer,
}


def _find(name: str) -> Any:
    """Return the contestant `name`; each is imported only when it plays."""
    if name in ("cubic", "bbr", "reno"):
        from lab.measure.contestants.kernel import Kernel

        return Kernel(name)
    if name == "aioquic":
        from lab.measure.contestants.quic import Quic

        return Quic()
    if name == "enet":
        from lab.measure.contestants.enet import ENet

        return ENet()
    if name in ("ours", "ours-udp"):
        from lab.measure.contestants.era import Era

        return Era("udp" if name == "ours-udp" else "ip")
    accepted = "ours, ours-udp, cubic, bbr, reno, aioquic, enet"
    raise SystemExit(f"contestant {name!r} is unknown: accepted are {accepted}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.measure.contestants")
    parser.add_argument("name")
    parser.add_argument("role", choices=sorted(ROLES))
    parser.add_argument("--me", required=True)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--port", type=int, default=7000)
    parser.add_argument("--duration-s", type=float, default=1.0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--deadline-s", type=float, default=60.0)
    return parser.parse_args()


def _wait_for_start(report: dict[str, Any]) -> None:
    _ready()
    sys.stdin.readline()
    report["cpu_before_s"] = _cpu_s()


def _ready() -> None:
    _say({"ready": True})


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _no_more_signals() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    main()
