"""A stage: one era's services as real processes, with a wire between them that can be hurt.

with Stage("1", "portable", knobs=Knobs(loss=0.1), seed=7) as stage:
    print(stage.customer().place("o-1", "sku-0001", 2))
    stage.kill("inventory")

with Stage("3", instances=3) as stage:
    stage.wire_of("inventory-2").set(delay_s=0.2)
    stage.kill("inventory-1")

Who is on it, and what reaches whom how, is drawn in `lab.cast.counter`, `lab.cast.http` and
`lab.cast.mesh`. The file is long because every verb that a test or a learner has stands here; what
each does is a line, and the cast's.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Protocol, runtime_checkable

from lab.cast.beside import Hearing, require_data_planes, require_proxy
from lab.cast.counter import CounterCast
from lab.cast.diverted import can_divert, require_transparent
from lab.cast.http import HttpCast
from lab.cast.mesh import MeshCast
from lab.cast.operator import Operator, operate
from lab.cast.setting import Setting, Variant
from lab.cast.store import between_transactions
from lab.contract import Customer
from lab.doors import door_at
from lab.find import FORMS, find
from lab.guard import Guard
from lab.held import HeldPorts
from lab.history import Stores, read_stores
from lab.launch import Role
from lab.trace import Event, Tape, Witnessed, read_folder
from lab.wire import Knobs
from lab.wire.process import WireProcess

__all__ = ["INSTANCES", "MOST_INSTANCES", "NoWay", "Stage", "Variant"]

INSTANCES = 3  # of inventory, from era 3 on, unless told otherwise
MOST_INSTANCES = 20  # each is a process


class NoWay(Exception):
    """The era has nothing by which an operator could do this."""


@runtime_checkable
class Governed(Protocol):
    """A cast whose policies can be changed while it plays."""

    def change_policy(self, role: str, key: str, value: object) -> None: ...


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
        instances: int = INSTANCES,
        variants: Mapping[str, Variant] | None = None,
        proxy: str = "",
        transparent: bool | None = None,
        intent: Path | None = None,
        versions: Mapping[str, str] | None = None,
        data_planes: Mapping[str, str] | None = None,
    ) -> None:
        """`knobs` are of both directions, unless `back` says otherwise for inventory → orders.

        directory: for stores, logs and traces; without one they are thrown away at the end.
        catalogue: inventory's goods; without one, the seeded catalogue. pcap: write frames there.
        From era 3 on: how many instances of inventory, and which role is another program.
        From era 5 on: a `proxy` that one can buy, as haproxy, instead of the era's own; and on a
        real wire `transparent`, so that services cannot but go through their sidecars (where there
        is a control plane and this machine can: by itself).
        Era 6: the file of the first intent, which instances are of another version than v1, and
        who, `orders` among them, has another data plane than `proxy` says.
        Raises UnknownEra, ValueError (the era does not run over this form), HostError (this
        machine has no form real), RoleFailed.
        """
        self.era = find(era)
        self.form = form
        self.seed = seed
        if form not in self.era.schemes:
            accepted = ", ".join(name for name in FORMS if name in self.era.schemes)
            raise ValueError(f"form {form!r} of era {self.era.number}: accepted are {accepted}")
        if not 1 <= instances <= MOST_INSTANCES:
            raise ValueError(f"instances is {instances!r}; accepted: 1 to {MOST_INSTANCES}")
        require_proxy(self.era, proxy)
        require_data_planes(self.era, data_planes or {})
        if transparent is None:
            transparent = can_divert(self.era, form)
        if transparent:
            require_transparent(self.era, form, proxy)
        self._ends = ExitStack()
        try:
            self.directory = (directory or self._throwaway_folder()).resolve()
            self._traces = self._folder_for_traces(traced)
            setting = Setting(
                era=self.era,
                form=form,
                seed=seed,
                directory=self.directory,
                traces=self._traces,
                guard=self._set_guard(),
                held=self._hold_ports(),
                ends=self._ends,
                knobs=knobs or Knobs(),
                back=back,
                pcap=pcap,
                catalogue=catalogue,
                proxy=proxy,
                is_transparent=transparent,
                intent=intent,
                versions=dict(versions or {}),
                data_planes=data_planes or {},
            )
            # In a folder of its own: a socket's path must be short, and pytest's are not.
            door = self._throwaway_folder() / "counter"
            self._cast = cast_for(setting, door, instances, variants or {})
        except BaseException:
            self._ends.close()
            raise

    @property
    def wire(self) -> WireProcess:
        """What lies between orders and all instances of inventory."""
        return self._cast.wire

    def wire_of(self, instance: str) -> WireProcess:
        """The same, for one instance's path. ValueError except on the portable wire of era 3 on."""
        return self._many("wire_of").wire_of(instance)

    @property
    def instances(self) -> list[str]:
        """The roles that own the stock: `inventory`, or `inventory-1` and so on, dead or alive."""
        return self._cast.instances

    @property
    def url(self) -> str:
        """Where customers are served, for `lab.doors.customer_at`: unix:PATH before HTTP; from
        era 3 on http://HOST:PORT, on a real wire http+unix:PATH.
        """
        return self._cast.url

    @property
    def counter(self) -> Path:
        """Eras 0 to 2: the socket at which customers are served. ValueError else."""
        if not isinstance(self._cast, CounterCast):
            raise ValueError(f"era {self.era.number} has no counter: customers come to stage.url")
        return self._cast.counter

    @property
    def outbound(self) -> str:
        """From era 5 on, ValueError before: where orders' sidecar takes what orders asks others."""
        return self._mesh("outbound").outbound

    @property
    def operator(self) -> Operator:
        """Era 6, ValueError before: whoever tells the control plane what is wanted."""
        return self._mesh("operator").ruled.operator

    @property
    def control_plane(self) -> Mapping[str, str]:
        """Era 6, ValueError before: where it listens, by name: nodes, join, operator."""
        return self._mesh("control_plane").ruled.listens

    def operate(self, words: Sequence[str]) -> str:
        """Era 6: what the operator's command says, as `status`; its files are the era's. Raises
        ValueError with its words if it is refused.
        """
        return operate(self.era, self.operator, words)

    def control_of(self, role: str) -> WireProcess:
        """Era 6, portable wire, ValueError else: one node's way to the control plane."""
        return self._mesh("control_of").ruled.control_of(role)

    @property
    def registry_url(self) -> str:
        """From era 3 on, ValueError before: where the registry is, seen from inventory's host."""
        return self._many("registry_url").registry_url

    @property
    def secret(self) -> Path:
        """From era 3 on, ValueError before: the file of what tokens are signed with."""
        return self._many("secret").secret

    def customer(self, name: str = "customer") -> Customer:
        """A customer at the door, who asks one thing at a time. Closed with the stage."""
        door = door_at(self._cast.url)
        customer = Customer(Witnessed(door, Tape(self._traces, name)) if self._traces else door)
        self._ends.callback(customer.close)
        return customer

    def kill(self, role: str) -> None:
        """kill -9 of a role; of a sidecar only the proxy, which its supervisor starts again."""
        self._cast.kill(self._role(role).name)

    def restart(self, role: str, variant: Variant | None = None) -> None:
        """Start it again where it was, with the store it had. Kills it first if it still runs.

        variant: from era 3 on, the program that it is from now on, as a later release.
        """
        self._cast.restart(self._role(role).name, variant)

    def terminate(self, role: str) -> int:
        """SIGTERM, as who replaces it would send; waits for its end, returns its exit code.

        Raises RoleFailed if it does not end in 6 s.
        """
        return self._cast.terminate(self._role(role).name)

    def add(self, instance: str = "", version: str = "") -> str:
        """From era 3 on: start one more instance; its name. Era 6: of this version."""
        if version:
            return self._mesh("add").add(instance, version)
        return self._many("add").add(instance)

    def move(self, instance: str) -> None:
        """From era 3 on: the instance dies (-9) and starts at another address, same name."""
        self._many("move").move(instance)

    def crash(self, role: str) -> None:
        """kill -9 of a role and of whoever stands beside it: what a machine takes with it.

        Of a sidecar: also of the process that would start its proxy again.
        """
        if isinstance(self._cast, MeshCast):
            self._cast.crash(self._role(role).name)
            return
        self.kill(role)

    def reload(self, role: str) -> None:
        """From era 5 on: SIGHUP, the sidecar reads its file again. ValueError before."""
        self._mesh("reload").reload(self._role(role).name)

    def hear(self, role: str) -> Hearing | None:
        """What the sidecar of this role says from now on of its file; None if it obeys none."""
        return self._cast.hear(self._role(role).name) if isinstance(self._cast, MeshCast) else None

    def upgrade(self, role: str, release: Path | None = None) -> None:
        """From era 5 on: SIGUSR2, a new proxy takes over from the running one, which ends.

        release: a folder, made by `lab.release.install`, in which the new one is found first.
        Raises RoleFailed if it does not happen, ValueError before era 5.
        """
        self._mesh("upgrade").upgrade(self._role(role).name, release)

    def change_policy(self, role: str, key: str, value: object) -> None:
        """What an operator does to one number of one role, which goes on running meanwhile.

        key: as era 4's configuration names it: `quotas.reports.rate_per_s`. Returns when it has
        been told; it may be in force a little later. Raises NoWay if only a new start helps.
        """
        if not isinstance(self._cast, Governed):
            told = f"era {self.era.number} reads {key} when a service starts, and never again"
            raise NoWay(told)
        self._cast.change_policy(self._role(role).name, key, value)

    def pause(self, role: str) -> None:
        """Let it stand still (SIGSTOP): there, and silent.

        An instance among several never stops in the middle of a transaction: the others share its
        store, and would stand still with it. That is another trouble, a store that is locked.
        """
        is_one_of_many = role in self.instances and self.era.speaks_http
        store = self.directory / "stock.db"
        with between_transactions(store) if is_one_of_many else nullcontext():
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

    @property
    def writes_spans(self) -> bool:
        """Whether orders' side tells in the trace whom it asked: a bought proxy does not."""
        return not isinstance(self._cast, MeshCast) or self._cast.writes_spans

    @property
    def roles(self) -> list[str]:
        """The names of all roles, in the order in which they were started."""
        return list(self._cast.roles)

    def stores(self) -> Stores:
        """What lies in both SQLite files now, for the laws."""
        return read_stores(self.directory / "stock.db", self.directory / "book.db")

    def trace(self) -> list[Event]:
        """What wire, services and customers have written so far, in order of time."""
        events = read_folder(self._traces) if self._traces else []
        return [self._cast.name_ends(event) for event in events]

    def before_end(self, action: Callable[[], object]) -> None:
        """Do this when the stage closes, before anything on it is stopped."""
        self._ends.callback(action)

    def close(self) -> None:
        """End everything. May be called twice."""
        self._ends.close()

    def _throwaway_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="eras-"))
        self._ends.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _folder_for_traces(self, traced: bool) -> Path | None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if not traced:
            return None
        folder = self.directory / "trace"
        folder.mkdir(exist_ok=True)
        return folder

    def _set_guard(self) -> Guard:
        guard = Guard()
        self._ends.callback(guard.close)
        return guard

    def _hold_ports(self) -> HeldPorts:
        held = HeldPorts()
        self._ends.callback(held.release)
        return held

    def _role(self, name: str) -> Role:
        if name not in self._cast.roles:
            raise ValueError(f"role {name!r}: accepted are {', '.join(self._cast.roles)}")
        return self._cast.roles[name]

    def _many(self, asked: str) -> HttpCast | MeshCast:
        if not isinstance(self._cast, CounterCast):
            return self._cast
        era = self.era.number
        raise ValueError(f"{asked}: era {era} has one inventory at one address, era 3 has many")

    def _mesh(self, asked: str) -> MeshCast:
        if isinstance(self._cast, MeshCast):
            return self._cast
        raise ValueError(f"{asked}: era {self.era.number} has no sidecars, era 5 has")

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
        return f"<Stage era {self.era.number} {self.form} {list(self._cast.roles.values())}>"


def cast_for(
    setting: Setting, door: Path, instances: int, variants: Mapping[str, Variant]
) -> CounterCast | HttpCast | MeshCast:
    """Start whoever this era needs. Raises what `Stage` does."""
    if setting.era.has_sidecars:
        return MeshCast(setting, instances, variants, door)
    if setting.era.speaks_http:
        return HttpCast(setting, instances, variants, door)
    return CounterCast(setting, door)
