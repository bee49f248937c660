"""The handle of a wire that runs as its own process: start it, turn its knobs, read its counts.

One long class, as who holds a wire sees one thing: how each form starts, and the verbs of them all.

with WireProcess.real(Knobs(loss=0.05, delay_s=0.01), seed=7) as wire:
    subprocess.run([*wire.orders.argv_prefix(), "ping", "-c", "3", "10.7.0.2"])
    wire.set("back", loss=0.5)
    print(wire.stats()["there"]["lost"])
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.wire.console import Console, WireError
from lab.wire.knobs import Knobs
from lab.wire.namespaces import INVENTORY_ADDRESS, ORDERS_ADDRESS, Host
from lab.wire.trace import HEAD_BYTES

__all__ = ["WireError", "WireProcess"]


class WireProcess:
    """A running wire. Threads may share it. Leaving the `with` block stops it and its hosts."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        knobs: Knobs,
        back: Knobs | None,
        seed: int,
        trace_path: Path | None,
        hosts: Sequence[Host] = (),
        head_bytes: int = HEAD_BYTES,
    ) -> None:
        """Use `WireProcess.real`, `.portable` or `.streams`."""
        self.hosts = tuple(hosts)
        self._path: str | None = None
        common = [f"--seed={seed}", f"--knobs={json.dumps(asdict(knobs))}"]
        common += [f"--back={json.dumps(asdict(back))}"] if back else []
        common += [f"--trace={trace_path.absolute()}"] if trace_path else []
        common += [f"--head-bytes={head_bytes}"]
        tun_fds = [host.tun_fd for host in hosts]
        self._console = Console(module, [*arguments, *common], pass_fds=tun_fds)
        self.address_for_orders: str | None = self._console.ready["address_for_orders"]

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
        head_bytes: int = HEAD_BYTES,
    ) -> WireProcess:
        """A wire between two hosts with real interfaces: `.orders` and `.inventory`.

        `sysctls` (dotted names) are set on both hosts; the trace keeps the first `head_bytes` of
        each frame. Raises HostError where
        `lab.wire.namespaces.available()` gives a reason.
        """
        with ExitStack() as stack:
            hosts = [
                stack.enter_context(Host(address, mtu_bytes=host_mtu_bytes, sysctls=sysctls))
                for address in (ORDERS_ADDRESS, INVENTORY_ADDRESS)
            ]
            fds = [str(host.tun_fd) for host in hosts]
            wire = cls(
                "lab.wire",
                ["real", "--tun-fds", *fds, *_pcap(pcap_path)],
                knobs=knobs,
                back=back,
                seed=seed,
                trace_path=trace_path,
                hosts=hosts,
                head_bytes=head_bytes,
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
            "lab.wire",
            ["portable", *_inventory(inventory), *_pcap(pcap_path)],
            knobs=knobs,
            back=back,
            seed=seed,
            trace_path=trace_path,
        )

    @classmethod
    def streams(
        cls,
        knobs: Knobs,
        *,
        seed: int,
        back: Knobs | None = None,
        inventory: str | None = None,
        trace_path: Path | None = None,
        head_bytes: int = HEAD_BYTES,
    ) -> WireProcess:
        """The relay for TCP connections on loopback (`lab.relay`), where there are no frames.

        Used like `portable`, with tcp://HOST:PORT; knobs do to a stream what TCP makes of them.
        Where there are many instances, `open_path` makes a path for each.
        """
        return cls(
            "lab.relay",
            _inventory(inventory),
            knobs=knobs,
            back=back,
            seed=seed,
            trace_path=trace_path,
            head_bytes=head_bytes,
        )

    @property
    def pid(self) -> int:
        """The wire's own process, for those who count its processor time."""
        return self._console.pid

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
        """Portable and streams: name inventory's address. Raises KnobError."""
        self._ask({"do": "forward", "to": inventory})

    def open_path(self, name: str) -> str:
        """Streams: a path for one more instance, or a new one for one that moves; its address.

        Connections wait until `path(name).forward_to(...)` says where the instance is.
        """
        address: str = self._console.ask({"do": "open", "path": name})
        return address

    def close_path(self) -> None:
        """Streams: nobody is there: refuse connections. Those that are open end with their peer."""
        self._ask({"do": "close"})

    def reopen_path(self) -> None:
        """Streams: listen again at the address of before."""
        self._ask({"do": "reopen"})

    def path(self, name: str) -> WireProcess:
        """Streams: the same wire, its verbs meant for the path of one instance only."""
        one = copy.copy(self)
        one._path = name
        return one

    def toxics(
        self,
        direction: str | None = None,
        *,
        timeout_s: float | None = None,
        reset_peer_s: float | None = None,
        slow_close_s: float = 0.0,
        slice_bytes: int = 0,
        slice_variation_bytes: int = 0,
        slice_gap_s: float = 0.0,
        limit_data_bytes: int | None = None,
    ) -> None:
        """Streams: put exactly these toxics in force (`lab.relay.Toxics`); without any, cure.

        Raises KnobError.
        """
        toxics = {
            "timeout_s": timeout_s,
            "reset_peer_s": reset_peer_s,
            "slow_close_s": slow_close_s,
            "slice_bytes": slice_bytes,
            "slice_variation_bytes": slice_variation_bytes,
            "slice_gap_s": slice_gap_s,
            "limit_data_bytes": limit_data_bytes,
        }
        self._ask({"do": "toxics", "direction": direction, "toxics": toxics})

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
        self._console.close()
        for host in self.hosts:
            host.close()

    def _set(self, direction: str | None, knobs: dict[str, Any]) -> None:
        self._ask({"do": "set", "direction": direction, "knobs": knobs})

    def _ask(self, command: dict[str, Any]) -> Any:
        return self._console.ask(command | ({"path": self._path} if self._path else {}))

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
        return f"<WireProcess pid {self.pid} {self.hosts or self.address_for_orders}>"


def _inventory(url: str | None) -> list[str]:
    return [f"--inventory={url}"] if url else []


def _pcap(path: Path | None) -> list[str]:
    return [f"--pcap={path.absolute()}"] if path else []
