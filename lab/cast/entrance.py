"""How customers reach a shop that listens, on a real wire, in a network namespace of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from lab.cast.setting import Setting
from lab.find import child_environment
from lab.launch import Role
from lab.wire.namespaces import Host

DOOR = Path(__file__).with_name("door.py")


class Entrance:
    """A door in the host of orders, or nothing where everybody can reach it anyway."""

    def __init__(self, setting: Setting, socket: Path) -> None:
        """`socket`: where customers come in."""
        self._setting = setting
        self._socket = socket
        self._door: Role | None = None

    def open(self, address: str, host: Host | None) -> None:
        """The shop is at this URL, seen from `host`; None: it needs no door."""
        self.close()
        if host:
            argv = [sys.executable, "-I", "-S", str(DOOR), str(self._socket), address]
            self._door = self._setting.process("door", argv, host, child_environment())
            self._door.start()

    def close(self) -> None:
        """Nobody is there: whoever comes is refused."""
        if self._door:
            self._door.kill()
            self._socket.unlink(missing_ok=True)
            self._door = None

    def stop(self) -> None:
        if self._door:
            self._door.stop()
