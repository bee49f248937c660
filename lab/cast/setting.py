"""What a cast is told before it starts: which era, on which wire, where its files lie."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from lab import warm
from lab.find import Era, child_environment
from lab.guard import Guard
from lab.held import HeldPorts
from lab.launch import Role, Starts, start_cold
from lab.wire import Knobs
from lab.wire.namespaces import Host
from lab.wire.process import WireProcess
from lab.wire.trace import HEAD_BYTES

STREAMS = ("tcp", "http")  # schemes whose connections a relay can carry
OURS = "python"  # how the era's own proxy is called among those that one can buy
INVENTORY_HOST = {"portable": "127.0.0.1", "real": "10.7.0.2"}


@dataclass(frozen=True)
class Variant:
    """Another program in one role's place: a later release, another language.

    argv: instead of `python -m PACKAGE`; the role's name and its options follow. Without one, that.
    environment: what differs from ours. A PYTHONPATH goes before ours, and before the folder we
    are in, so that a later release of a package is found first.
    registers: False if the program knows nothing of a registry; then the stage registers it.
    """

    argv: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    registers: bool = True


@dataclass(frozen=True)
class Setting:
    """`traces` None: nothing is traced. What is put on `ends` is undone when the stage closes."""

    era: Era
    form: str
    seed: int
    directory: Path
    traces: Path | None
    guard: Guard
    held: HeldPorts
    ends: ExitStack
    knobs: Knobs
    back: Knobs | None
    pcap: Path | None
    catalogue: Path | None
    proxy: str = ""  # what is bought for the era's sidecars; empty: the era's own
    is_transparent: bool = False  # its services are led to their sidecars, see diverted.py
    intent: Path | None = None  # what is wanted of the whole mesh; None: as the era has it
    versions: dict[str, str] = field(default_factory=dict)  # of instances that are not the first
    data_planes: Mapping[str, str] = field(default_factory=dict)  # of nodes, if not `proxy`

    @property
    def inventory_host(self) -> str:
        """The host that inventories are told to listen at."""
        return INVENTORY_HOST[self.form]

    @property
    def goods(self) -> list[str]:
        """How an inventory is told what it sells."""
        return ["--catalogue", str(self.catalogue.resolve())] if self.catalogue else []

    def version_of(self, instance: str) -> str:
        """Of which version it says it is; empty for orders, who has none."""
        return "" if instance == "orders" else self.versions.get(instance, "v1")

    def data_plane_of(self, instance: str) -> str:
        """What a control plane rules beside it."""
        return self.data_planes.get(instance) or self.proxy or OURS

    def short_folder(self) -> Path:
        """One whose name leaves room for a socket's, which may be no longer than 107 letters."""
        folder = Path(tempfile.mkdtemp(prefix="eras-"))
        self.ends.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def store(self, role: str) -> Path:
        """The SQLite file of `orders`, or the one that all inventories share."""
        return self.directory / ("book.db" if role == "orders" else "stock.db")

    def new_secret(self) -> Path:
        """A file of what tokens are signed with, which only we can read."""
        path = self.directory / "secret"
        path.touch(mode=0o600)
        path.chmod(0o600)  # also where a folder is used again
        path.write_text(secrets.token_hex(32))
        return path

    def lay_wire(self, head_bytes: int = HEAD_BYTES) -> WireProcess:
        """The wire that this form and the era's addresses need, with its knobs and witnesses.

        Raises HostError, ValueError if there is nothing to capture.
        """
        trace = self.traces / "wire.jsonl" if self.traces else None
        knobs, back, seed = self.knobs, self.back, self.seed
        if self.form == "real":
            return WireProcess.real(
                knobs,
                back=back,
                seed=seed,
                trace_path=trace,
                pcap_path=self.pcap,
                head_bytes=head_bytes,
            )
        if self.era.schemes["portable"] not in STREAMS:
            return WireProcess.portable(
                knobs, back=back, seed=seed, trace_path=trace, pcap_path=self.pcap
            )
        if self.pcap:
            raise ValueError("a relay of streams has no packets to capture: take form real")
        return WireProcess.streams(
            knobs, back=back, seed=seed, trace_path=trace, head_bytes=head_bytes
        )

    def role(
        self, name: str, options: Sequence[str], host: Host | None, variant: Variant | None = None
    ) -> Role:
        """A process of the era, not started yet. `options` begin with what it is, as `orders`."""
        variant = variant or Variant()
        program = variant.argv or [sys.executable, "-m", self.era.package]
        environment = environment_for(variant)
        return self.process(name, [*program, *options], host, environment, warm.start)

    def process(
        self,
        name: str,
        argv: Sequence[str],
        host: Host | None,
        environment: Mapping[str, str],
        starts: Starts = start_cold,
    ) -> Role:
        """Any process that says when it is ready, not started yet; on a real wire in `host`."""
        traced = {"ERAS_TRACE": str(self.traces)} if self.traces else {}
        return Role(
            name,
            argv,
            log=self.directory / f"{name}.log",
            guard=self.guard,
            environment={**environment, **traced},
            host=host,
            starts=starts,
            held=self.held,
        )


def environment_for(variant: Variant) -> dict[str, str]:
    """Ours, with what the variant wants otherwise."""
    ours = child_environment()
    before = variant.environment.get("PYTHONPATH")
    if not before:
        return {**ours, **variant.environment}
    both = {"PYTHONPATH": os.pathsep.join([before, ours["PYTHONPATH"]]), "PYTHONSAFEPATH": "1"}
    return {**ours, **variant.environment, **both}


def keep_address(role: Role) -> None:
    """Where the port was free to choose, it stays the same over a restart."""
    role.argv[role.argv.index("--listen") + 1] = role.address
