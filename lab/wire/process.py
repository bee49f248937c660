"""The handle of a wire that runs as its own process: start it, turn its knobs, read its counts.

with WireProcess.real(Knobs(loss=0.05, delay_s=0.01), seed=7) as wire:
    subprocess.run([*wire.orders.argv_prefix(), "ping", "-c", "3", "10.7.0.2"])
    wire.set("back", loss=0.5)
    print(wire.stats()["there"]["lost"])
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.wire.knobs import KnobError, Knobs
from lab.wire.namespaces import INVENTORY_ADDRESS, ORDERS_ADDRESS, Host, is_main_thread

REPOSITORY = Path(__file__).parents[2]
STOP_TIMEOUT_S = 2.0


class WireError(RuntimeError):
    """The wire's process ended or refused to start."""


class WireProcess:
    """A running wire. Threads may share it. Leaving the `with` block stops it and its hosts."""

    def __init__(
        self,
        form: str,
        knobs: Knobs,
        *,
        seed: int,
        back: Knobs | None = None,
        inventory: str | None = None,
        hosts: Sequence[Host] = (),
        trace_path: Path | None = None,
        pcap_path: Path | None = None,
    ) -> None:
        """Use `WireProcess.real` or `WireProcess.portable`."""
        self.hosts = tuple(hosts)
        tun_fds = [host.tun_fd for host in hosts]
        options = {
            "--knobs": json.dumps(asdict(knobs)),
            "--back": json.dumps(asdict(back or knobs)),
            "--inventory": inventory,
            "--trace": trace_path and trace_path.absolute(),
            "--pcap": pcap_path and pcap_path.absolute(),
        }
        ours, its_end = socket.socketpair()
        with its_end:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "lab.wire", form, "--seed", str(seed)),
                    *(f"{name}={value}" for name, value in options.items() if value),
                    *(["--tun-fds", *map(str, tun_fds)] if tun_fds else []),
                    *(["--die-with-parent"] if is_main_thread() else []),
                ],
                stdin=its_end.fileno(),
                stdout=its_end.fileno(),
                pass_fds=tun_fds,
                cwd=REPOSITORY,
                start_new_session=True,  # Ctrl-C is for us; we end the wire when we are done
            )
        self._lock = threading.Lock()
        with ours:
            self._control = ours.makefile("rwb")
        try:
            self.address_for_orders: str = self._read_answer()["address_for_orders"]
        except WireError:
            self.close()
            raise

    @classmethod
    def real(
        cls,
        knobs: Knobs,
        *,
        seed: int,
        back: Knobs | None = None,
        host_mtu_bytes: int = 1500,
        sysctls: Mapping[str, str] | None = None,
        trace_path: Path | None = None,
        pcap_path: Path | None = None,
    ) -> WireProcess:
        """A wire between two hosts with real interfaces: `.orders` and `.inventory`.

        `sysctls` (dotted names) are set on both hosts. Raises HostError where
        `lab.wire.namespaces.available()` gives a reason.
        """
        with ExitStack() as stack:
            hosts = [
                stack.enter_context(Host(address, mtu_bytes=host_mtu_bytes, sysctls=sysctls))
                for address in (ORDERS_ADDRESS, INVENTORY_ADDRESS)
            ]
            wire = cls(
                "real",
                knobs,
                seed=seed,
                back=back,
                hosts=hosts,
                trace_path=trace_path,
                pcap_path=pcap_path,
            )
            stack.pop_all()
        for host in hosts:
            host.give_away_tun()
        return wire

    @classmethod
    def portable(
        cls,
        knobs: Knobs,
        *,
        seed: int,
        back: Knobs | None = None,
        inventory: str | None = None,
        trace_path: Path | None = None,
        pcap_path: Path | None = None,
    ) -> WireProcess:
        """A wire for UDP datagrams on loopback: orders talks to `.address_for_orders`.

        `inventory` is udp://HOST:PORT; it may be named later with `forward_to`.
        """
        return cls(
            "portable",
            knobs,
            seed=seed,
            back=back,
            inventory=inventory,
            trace_path=trace_path,
            pcap_path=pcap_path,
        )

    @property
    def orders(self) -> Host:
        """Form real: the host 10.7.0.1."""
        return self.hosts[0]

    @property
    def inventory(self) -> Host:
        """Form real: the host 10.7.0.2."""
        return self.hosts[1]

    def set(
        self,
        direction: str | None = None,
        *,
        loss: float | None = None,
        duplicate: float | None = None,
        reorder: float | None = None,
        reorder_by_s: float | None = None,
        corrupt: float | None = None,
        delay_s: float | None = None,
        jitter_s: float | None = None,
        rate_bps: float | None = None,
        queue_bytes: int | None = None,
        mtu_bytes: int | None = None,
    ) -> None:
        """Turn knobs, from the next frame on; what is not named stays as it is.

        `direction` is "there" (orders → inventory), "back" or None for both. Raises KnobError.
        """
        asked = {
            "loss": loss,
            "duplicate": duplicate,
            "reorder": reorder,
            "reorder_by_s": reorder_by_s,
            "corrupt": corrupt,
            "delay_s": delay_s,
            "jitter_s": jitter_s,
            "rate_bps": rate_bps,
            "queue_bytes": queue_bytes,
            "mtu_bytes": mtu_bytes,
        }
        self._set(direction, {name: value for name, value in asked.items() if value is not None})

    def script(self, direction: str | None, fates: Sequence[str]) -> None:
        """Let the next frames meet these fates (see Knobs). Raises KnobError."""
        self._ask({"do": "script", "direction": direction, "fates": list(fates)})

    def partition(self, direction: str | None = None) -> None:
        """Cut the wire; what is under way still arrives."""
        self._set(direction, {"partitioned": True})

    def heal(self, direction: str | None = None) -> None:
        """End a partition; the other knobs stay as they are."""
        self._ask({"do": "heal", "direction": direction})

    def forward_to(self, inventory: str) -> None:
        """Form portable: name inventory's address, udp://HOST:PORT. Raises KnobError."""
        self._ask({"do": "forward", "to": inventory})

    def stats(self) -> dict[str, dict[str, int]]:
        """Counts per direction, "there" and "back".

        Besides those of `Line.stats` there is `undeliverable` (the receiving kernel did not take
        it) and, in form real, `host_dropped` (lost in the sending host's own queue).
        """
        stats: dict[str, dict[str, int]] = self._ask({"do": "stats"})
        for direction, host in zip(("there", "back"), self.hosts, strict=False):
            stats[direction]["host_dropped"] = host.frames_dropped()
        return stats

    def close(self) -> None:
        """Stop the wire and its hosts. May be called twice."""
        with contextlib.suppress(BrokenPipeError):  # the last command may never have been read
            self._control.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for host in self.hosts:
            host.close()

    def _set(self, direction: str | None, knobs: dict[str, Any]) -> None:
        self._ask({"do": "set", "direction": direction, "knobs": knobs})

    def _ask(self, command: dict[str, Any]) -> Any:
        with self._lock:
            try:
                self._control.write(json.dumps(command).encode() + b"\n")
                self._control.flush()
            except (OSError, ValueError) as gone:
                raise WireError("the wire's process has ended") from gone
            answer = self._read_answer()
        if "error" in answer:
            raise KnobError(answer["error"])
        return answer["ok"]

    def _read_answer(self) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(self._control.readline() or b"{}")
        except OSError:
            answer = {}
        if not answer:
            raise WireError("the wire's process has ended; its stderr says why")
        return answer

    def __enter__(self) -> WireProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<WireProcess pid {self._process.pid} {self.hosts or self.address_for_orders}>"
