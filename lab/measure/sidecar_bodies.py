"""Large bodies, down and up: how fast they go through, and what memory that takes."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from lab.measure import CannotMeasure
from lab.measure.figure import Figure, Target, alone, compare
from lab.measure.resources import Peak
from lab.measure.sidecar_side import Side
from lab.measure.sidecar_sides import EQUAL, OURS, SAID, TUNED, Sides
from lab.measure.turns import Part, Step

MEGABYTE = 1_000_000
SIZES = {"1MB": MEGABYTE, "100MB": 100 * MEGABYTE}
MOST_MB = {"1MB": 200, "100MB": 400}  # moved by each contestant in a round
ROUNDS = 5
START_S, ROUND_S = 3.0, 1.5
PATIENCE_S = 30.0
PIECE = bytes(1 << 18)
PEERS = {
    "nginx": SAID["nginx"],
    TUNED: "nginx with buffers of 64 and 256 KiB",
    EQUAL: SAID[EQUAL],
}
WHO = (OURS, *PEERS)
WAYS = ("down", "up")
AS_FAST = Target("ratio", at_least=0.9)
LITTLE = Target("ours", at_most=8.0)
CONDITIONS = {
    "bodies": "one connection, one body after another, from and to a program that makes them up "
    "and throws them away; nginx streams requests, as ours, and stands here twice: its "
    "buffers as they are unless told, and as large bodies want them",
    "growth": "the largest resident memory since before the first body, less what it was then",
}


def parts(quick: bool) -> list[Part]:
    """Return one part for each size and way; 1 MB alone when it must be quick."""
    sizes = ("1MB",) if quick else tuple(SIZES)
    return [_part(size, way, 1 if quick else ROUNDS) for size in sizes for way in WAYS]


def names(size: str, way: str) -> tuple[str, ...]:
    """Return the names of the figures of one cell."""
    cell = f"sidecar/bodies/{size}/{way}"
    return (*(f"{cell}/{peer}" for peer in PEERS), f"{cell}/growth")


def _part(size: str, way: str, rounds: int) -> Part:
    count = max(1, MOST_MB[size] * MEGABYTE // SIZES[size])

    def run(step: Step) -> list[Figure]:
        with Sides() as sides:
            sides.streams()
            stand = {name: sides.start(name) for name in WHO}
            peak = Peak(stand[OURS].groups)
            turn(stand, way, SIZES[size], max(1, count // 10))  # a warm-up
            step(f"bodies {size} {way}: contestants stand", START_S)
            speeds: dict[str, list[float]] = {name: [] for name in WHO}
            for number in range(1, rounds + 1):
                for name, speed in turn(stand, way, SIZES[size], count).items():
                    speeds[name].append(speed)
                step(f"bodies {size} {way}, round {number}", ROUND_S)
            growth_mib = peak.growth_bytes() / 2**20
        return figures(size, way, speeds, growth_mib)

    return Part(names(size, way), START_S + rounds * ROUND_S, run)


def figures(
    size: str, way: str, speeds: Mapping[str, Sequence[float]], growth_mib: float
) -> list[Figure]:
    """Return the figures of one cell from each contestant's rounds."""
    *beside, growth = names(size, way)
    ours = speeds[OURS]
    targets = {peer: None if peer == EQUAL else AS_FAST for peer in PEERS}
    found = [
        compare(name, "MB/s", ours, speeds[peer], PEERS[peer], target=targets[peer])
        for name, peer in zip(beside, PEERS, strict=True)
    ]
    return [*found, alone(growth, "MiB", [growth_mib], LITTLE)]


def turn(sides: Mapping[str, Side], way: str, size: int, count: int) -> dict[str, float]:
    """Move `count` bodies through each; return MB a second. Raises CannotMeasure."""
    move = {"down": _down, "up": _up}[way]
    speeds = {}
    for name, side in sides.items():
        parts = urlsplit(side.url)
        with socket.create_connection((parts.hostname or "", parts.port or 80)) as connection:
            connection.settimeout(PATIENCE_S)
            began = time.perf_counter()
            try:
                for _ in range(count):
                    move(connection, size)
            except (OSError, ValueError) as error:
                raise CannotMeasure(f"{name}, a body of {size} bytes {way}: {error}") from error
            speeds[name] = size * count / MEGABYTE / (time.perf_counter() - began)
    return speeds


def _down(connection: socket.socket, size: int) -> None:
    connection.sendall(b"GET /reservations/%d HTTP/1.1\r\nHost: inventory\r\n\r\n" % size)
    left = size - len(_read_head(connection))
    buffer = bytearray(len(PIECE))
    while left:
        got = connection.recv_into(buffer, min(left, len(buffer)))
        if not got:
            raise ValueError(f"cut off with {left} bytes missing")
        left -= got


def _up(connection: socket.socket, size: int) -> None:
    head = b"PUT /reservations/up HTTP/1.1\r\nHost: inventory\r\nContent-Length: %d\r\n\r\n"
    connection.sendall(head % size)
    left = size
    while left:
        piece = memoryview(PIECE)[: min(left, len(PIECE))]
        connection.sendall(piece)
        left -= len(piece)
    _read_head(connection)


def _read_head(connection: socket.socket) -> bytes:
    """What came after the head of the answer. Raises ValueError if it is not 200."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = connection.recv(65536)
        if not piece:
            raise ValueError("no answer")
        answer += piece
    if b" 200 " not in answer[:16]:
        raise ValueError(f"answered {answer[:200]!r}")
    return answer.partition(b"\r\n\r\n")[2]
