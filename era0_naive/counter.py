"""The counter where customers stand: a Unix socket, one JSON operation a line, one outcome a line.

It is the same in eras 0 to 2, so that only the call between the services changes; from era 3 on
customers come by HTTP. A Unix socket is a file: customers reach it also when orders lives in
another network namespace, and no fault of the wire ever touches it.
"""

import errno
import json
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from era0_naive import shop, trace

LONGEST_LINE = 65_536  # bytes
MOST_CUSTOMERS = 100  # at once, a thread each; more of them wait outside. With a connection to
# inventory for each of them (era 2) they fit into the 256 files that macOS lets a process open.
FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
FULL_PAUSE_S = 0.05
LEFT = {errno.ECONNABORTED, errno.EPROTO}  # who knocked is gone before the door was open


class Desk(Protocol):
    """Who stands behind the counter."""

    def place(self, order_id: str, sku: str, quantity: int) -> shop.Outcome: ...
    def cancel(self, order_id: str) -> shop.Outcome: ...
    def show(self, order_id: str) -> shop.Outcome: ...
    def catalogue(self) -> shop.Outcome: ...


def serve(path: Path, desk: Desk, ready: Callable[[str], None]) -> None:
    """Serves customers for ever. Raises OSError, naming the path, if it cannot be listened at."""
    places = threading.BoundedSemaphore(MOST_CUSTOMERS)
    with _listen(path) as door:
        try:
            ready(f"unix:{path}")
            while True:
                places.acquire()
                customer = next_from(door)
                threading.Thread(target=_attend, args=(customer, desk, places), daemon=True).start()
        finally:
            path.unlink(missing_ok=True)


def next_from(door: socket.socket) -> socket.socket:
    """Waits for the next one to connect, also while nothing more can be opened here (accept(2)).

    Raises OSError if the door itself is broken.
    """
    while True:
        try:
            return door.accept()[0]
        except OSError as error:
            if error.errno in FULL:
                time.sleep(FULL_PAUSE_S)  # whoever closes what: nothing tells us
            elif error.errno not in LEFT:
                raise


def _listen(path: Path) -> socket.socket:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        door.bind(str(path))
        door.listen(128)
    except OSError as error:
        door.close()
        accepted = "a new path of at most 100 bytes in a folder that can be written"
        why = error.strerror or str(error)
        raise OSError(f"counter {str(path)!r}: {why}; accepted: {accepted}") from error
    return door


def _clear(path: Path) -> None:
    """Takes away the socket that a killed service left behind, and nothing else."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) == errno.ECONNREFUSED:
            path.unlink()


def _attend(customer: socket.socket, desk: Desk, places: threading.BoundedSemaphore) -> None:
    try:
        with customer, customer.makefile("rwb") as lines:
            while line := lines.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    refused = shop.refuse("the line", line, f"at most {LONGEST_LINE} bytes")
                    lines.write(json.dumps(refused.message()).encode() + b"\n")
                    return  # where the next line would begin nobody knows
                lines.write(shop.respond(line, lambda operation: answer(desk, operation)) + b"\n")
                lines.flush()
    except OSError:
        pass  # the customer left
    finally:
        places.release()


def answer(desk: Desk, operation: dict[str, Any]) -> dict[str, Any]:
    """One operation of a customer, done."""
    trace.call("orders", "customer", "orders", operation)
    outcome = _serve_one(desk, operation)
    trace.answer("orders", "orders", "customer", operation, outcome)
    return outcome.message()


def _serve_one(desk: Desk, operation: dict[str, Any]) -> shop.Outcome:
    get: Callable[[str], Any] = operation.get  # what is missing is None, and refused
    match get("op"):
        case "place":
            return desk.place(get("order_id"), get("sku"), get("quantity"))
        case "cancel":
            return desk.cancel(get("order_id"))
        case "show":
            return desk.show(get("order_id"))
        case "catalogue":
            return desk.catalogue()
        case unknown:
            return shop.refuse("op", unknown, "place, cancel, show or catalogue")


def ask(path: Path, operation: str, timeout_s: float | None = None) -> str:
    """A customer: one line of JSON to the counter, one back. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as counter:
        counter.settimeout(timeout_s)
        try:
            counter.connect(str(path))
        except OSError as error:
            raise OSError(f"counter {str(path)!r}: {error.strerror or error}") from error
        counter.sendall(operation.replace("\n", " ").encode() + b"\n")
        with counter.makefile("rb") as lines:
            outcome = lines.readline().decode().rstrip("\n")
    if not outcome:
        raise OSError(f"counter {str(path)!r}: closed without an outcome; ask again")
    return outcome
