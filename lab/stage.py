"""A stage: one era's two services as real processes, with a wire between them that can be hurt.

with Stage("1", "portable", knobs=Knobs(loss=0.1), seed=7) as stage:
    print(stage.customer().place("o-1", "sku-0001", 2))
    stage.kill("inventory")

                 counter (a Unix socket)              the wire
customers  ---------------------------->  orders  <~~~~~~~~~~~~>  inventory
                                             |                       |
                                          book.db                stock.db
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from lab.contract import Customer
from lab.doors import Counter
from lab.find import FORMS, child_environment, find
from lab.guard import Guard
from lab.history import Stores, read_stores
from lab.launch import Role
from lab.trace import Event, Tape, Witnessed, read_folder
from lab.wire import Knobs
from lab.wire.process import WireProcess

INVENTORY_HOST = {"portable": "127.0.0.1", "real": "10.7.0.2"}


class Stage:
    """An era on a wire, with everything it needs. Leaving the `with` block ends all of it."""

    def __init__(
        self,
        era: str,
        form: str = "portable",
        *,
        knobs: Knobs | None = None,
        back: Knobs | None = None,
        seed: int = 7,
        directory: Path | None = None,
        catalogue: Path | None = None,
        traced: bool = True,
        pcap: Path | None = None,
    ) -> None:
        """`knobs` are of both directions, unless `back` says otherwise for inventory → orders.

        directory: for stores, logs and traces; without one they are thrown away at the end.
        catalogue: inventory's goods; without one, the seeded catalogue. pcap: write frames there.
        Raises UnknownEra, ValueError (the era does not run over this form), HostError (this
        machine has no form real), RoleFailed.
        """
        self.era = find(era)
        self.form = form
        self.seed = seed
        if form not in self.era.schemes:
            accepted = ", ".join(name for name in FORMS if name in self.era.schemes)
            raise ValueError(f"form {form!r} of era {self.era.number}: accepted are {accepted}")
        self._ends = ExitStack()
        try:
            self.directory = (directory or self._throwaway_folder()).resolve()
            self._start(knobs or Knobs(), back, catalogue, traced, pcap)
        except BaseException:
            self._ends.close()
            raise

    @property
    def counter(self) -> Path:
        """The socket at which customers are served."""
        return self._counter

    def customer(self, name: str = "customer") -> Customer:
        """A customer at the counter, who asks one thing at a time. Closed with the stage."""
        door = Counter(self._counter)
        customer = Customer(Witnessed(door, Tape(self._traces, name)) if self._traces else door)
        self._ends.callback(customer.close)
        return customer

    def kill(self, role: str) -> None:
        """kill -9 of `orders` or `inventory`."""
        self._role(role).kill()

    def restart(self, role: str) -> None:
        """Start it again where it was, with the store it had. Kills it first if it still runs."""
        chosen = self._role(role)
        chosen.kill()
        chosen.start()

    def pause(self, role: str) -> None:
        """Let it stand still (SIGSTOP): there, and silent."""
        self._role(role).pause()

    def resume(self, role: str) -> None:
        self._role(role).resume()

    def pid(self, role: str) -> int:
        return self._role(role).pid

    def address(self, role: str) -> str:
        """Where it listens, as its ready line says."""
        return self._role(role).address

    def logs(self, role: str) -> str:
        """What it has said on stdout and stderr, all its lives together."""
        return self._role(role).log.read_text(errors="replace")

    def stores(self) -> Stores:
        """What lies in both SQLite files now, for the laws."""
        return read_stores(self._store("inventory"), self._store("orders"))

    def trace(self) -> list[Event]:
        """What wire, services and customers have written so far, in order of time."""
        return read_folder(self._traces) if self._traces else []

    def close(self) -> None:
        """End everything. May be called twice."""
        self._ends.close()

    def _throwaway_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="eras-"))
        self._ends.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _start(
        self,
        knobs: Knobs,
        back: Knobs | None,
        catalogue: Path | None,
        traced: bool,
        pcap: Path | None,
    ) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._traces = self.directory / "trace" if traced else None
        if self._traces:
            self._traces.mkdir(exist_ok=True)
        # In a folder of its own: a socket's path must be short, and pytest's are not.
        self._counter = self._throwaway_folder() / "counter"
        self._guard = Guard()
        self._ends.callback(self._guard.close)
        self.wire = self._ends.enter_context(self._lay_wire(knobs, back, pcap))

        scheme = self.era.schemes[self.form]
        free_port = "" if scheme == "ip" else ":0"  # a raw IP protocol has no ports
        listen = f"{scheme}://{INVENTORY_HOST[self.form]}{free_port}"
        goods = ["--catalogue", str(catalogue.resolve())] if catalogue else []
        self._roles: dict[str, Role] = {}
        self._ends.callback(self._stop_roles)
        self._launch("inventory", ["--listen", listen, *goods])
        inventory = self._roles["inventory"]
        # Where the port was free to choose, it stays the same over a restart.
        inventory.argv[inventory.argv.index(listen)] = inventory.address
        if self.form == "portable":
            self.wire.forward_to(inventory.address)
        towards = self.wire.address_for_orders or inventory.address
        self._launch("orders", ["--inventory", towards, "--counter", str(self._counter)])

    def _lay_wire(self, knobs: Knobs, back: Knobs | None, pcap: Path | None) -> WireProcess:
        trace = self._traces / "wire.jsonl" if self._traces else None
        if self.form == "portable" and self.era.schemes["portable"] == "tcp":
            if pcap:
                raise ValueError("a relay of streams has no packets to capture: take form real")
            return WireProcess.streams(knobs, seed=self.seed, back=back, trace_path=trace)
        lay = WireProcess.real if self.form == "real" else WireProcess.portable
        return lay(knobs, seed=self.seed, back=back, trace_path=trace, pcap_path=pcap)

    def _launch(self, name: str, options: list[str]) -> None:
        inside = []
        if self.form == "real":
            host = self.wire.orders if name == "orders" else self.wire.inventory
            inside = host.argv_prefix(die_with_parent=False)  # the guard sees to that
        environment = child_environment()
        if self._traces:
            environment["ERAS_TRACE"] = str(self._traces)
        store = ["--store", str(self._store(name))]
        role = Role(
            name,
            [*inside, sys.executable, "-m", self.era.package, name, *options, *store],
            log=self.directory / f"{name}.log",
            guard=self._guard,
            environment=environment,
        )
        self._roles[name] = role
        role.start()

    def _store(self, role: str) -> Path:
        return self.directory / {"inventory": "stock.db", "orders": "book.db"}[role]

    def _role(self, name: str) -> Role:
        if name not in self._roles:
            raise ValueError(f"role {name!r}: accepted are {', '.join(self._roles)}")
        return self._roles[name]

    def _stop_roles(self) -> None:
        for role in self._roles.values():
            role.ask_to_stop()
        for role in self._roles.values():
            role.stop()

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Stage era {self.era.number} {self.form} {list(self._roles.values())}>"
