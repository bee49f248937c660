"""The cast of eras 0 to 2: orders asks one inventory, customers stand at a counter.

                 counter (a Unix socket)              the wire
customers  ---------------------------->  orders  <~~~~~~~~~~~~>  inventory
                                             |                       |
                                          book.db                stock.db
"""

from __future__ import annotations

from pathlib import Path

from lab.cast.setting import Setting, Variant, keep_address
from lab.launch import Role
from lab.trace import Event

INSTANCES = ["inventory"]


class CounterCast:
    """Both services, started; ended by the setting's `ends`."""

    def __init__(self, setting: Setting, counter: Path) -> None:
        """Raises HostError, RoleFailed, ValueError if there is nothing to capture."""
        self._setting = setting
        self.counter = counter
        self.roles: dict[str, Role] = {}
        self.wire = setting.ends.enter_context(setting.lay_wire())
        setting.ends.callback(self._stop)

        scheme = setting.era.schemes[setting.form]
        free_port = "" if scheme == "ip" else ":0"  # a raw IP protocol has no ports
        listen = f"{scheme}://{setting.inventory_host}{free_port}"
        self._launch("inventory", ["--listen", listen, *setting.goods])
        inventory = self.roles["inventory"]
        keep_address(inventory)
        if setting.form == "portable":
            self.wire.forward_to(inventory.address)
        towards = self.wire.address_for_orders or inventory.address
        self._launch("orders", ["--inventory", towards, "--counter", str(counter)])

    @property
    def url(self) -> str:
        """Where customers are served, for `lab.doors.customer_at`."""
        return f"unix:{self.counter}"

    @property
    def instances(self) -> list[str]:
        """The roles that own the stock."""
        return list(INSTANCES)

    def kill(self, name: str) -> None:
        """kill -9."""
        self.roles[name].kill()

    def terminate(self, name: str) -> int:
        """SIGTERM; the exit code of the service."""
        return self.roles[name].terminate()

    def restart(self, name: str, variant: Variant | None) -> None:
        """Start it again where it was; kill it first if it still runs."""
        if variant:
            raise ValueError("variants are for eras from 3 on")
        self.roles[name].kill()
        self.roles[name].start()

    def name_ends(self, event: Event) -> Event:
        """The event as it is: both ends of this wire have their names."""
        return event

    def _launch(self, name: str, options: list[str]) -> None:
        host = None
        if self._setting.form == "real":
            host = self.wire.orders if name == "orders" else self.wire.inventory
        store = ["--store", str(self._setting.store(name))]
        self.roles[name] = self._setting.role(name, [name, *options, *store], host)
        self.roles[name].start()

    def _stop(self) -> None:
        for role in self.roles.values():
            role.ask_to_stop()
        for role in self.roles.values():
            role.stop()
