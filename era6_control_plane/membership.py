"""Who is there: an instance, as its agent told us, until its lease runs out.

Era 3's registry, with two differences. Nobody asks: whoever must know is told. And nobody says who
it is: the certificate of its agent does, so an instance can speak of itself only.

If nobody of a service is left, the last who were there stay in the list, as the callers of eras 3
to 5 keep the last list they heard: that all of them are dead is less likely than that we are the
one who is cut off, or young. They fall silent one after the other, and come back so: nobody is
taken for gone unless another of the service has spoken when he did not, and when the first is heard
after a long silence the others get another lease.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from era0_naive.role import host_and_port
from era0_naive.sqlite_file import SqliteFile
from era5_sidecar.config_text import is_name
from era6_control_plane.words import BEATS_PER_LEASE

LEASE_S = 2.0
NETWORKS = ("127.0.0.0/8",)
PATIENCE_S = 0.5  # with the file: who is there matters more than who was
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS endpoint (service TEXT, instance TEXT, version TEXT NOT NULL,"
    " url TEXT NOT NULL, PRIMARY KEY (service, instance)) STRICT",
)

Name = tuple[str, str]  # service, instance


@dataclass(frozen=True, order=True)
class Endpoint:
    """One instance that can be asked: `url` is its sidecar's inbound listener, http://IP:PORT."""

    service: str
    instance: str
    version: str
    url: str

    @property
    def name(self) -> Name:
        """Which instance it is, wherever it is."""
        return self.service, self.instance


class Membership:
    """All instances that are there. `now` is monotonic seconds. For one thread.

    `on_change` is told when `endpoints()` is another.
    """

    def __init__(
        self,
        path: Path,
        now: float,
        networks: Sequence[str] = NETWORKS,
        lease_s: float = LEASE_S,
    ) -> None:
        """path: an SQLite file. networks: where instances may live. Who was there when we ended has
        a fresh lease. Raises ValueError, Busy.
        """
        self.on_change: Callable[[], None] = lambda: None
        self.lease_s = lease_s
        self._networks = [ipaddress.ip_network(network) for network in networks]
        self._file = SqliteFile(path, SCHEMA)
        self._file.wait_at_most(PATIENCE_S)
        self._file.ask("PRAGMA synchronous = NORMAL")  # a power cut may cost the last change
        self._alive: dict[Name, tuple[Endpoint, float]] = {}  # and when its lease ends
        self._voices: dict[str, float] = {}  # when anybody of a service last spoke
        self._heard: dict[Name, float] = {}
        self._listed: dict[str, tuple[Endpoint, ...]] = {}
        for row in self._file.ask("SELECT service, instance, version, url FROM endpoint"):
            self._alive[row[0], row[1]] = Endpoint(*row), now + lease_s
        self._listed = {service: self._of(service) for service, _ in self._alive}
        self._heard = dict.fromkeys(self._alive, now)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """By service and instance."""
        return tuple(sorted(each for listed in self._listed.values() for each in listed))

    def status(self, now: float) -> list[dict[str, Any]]:
        """As JSON, by service and instance. age_s: since its agent last said that it is there."""
        return [
            {**asdict(each), "age_s": now - self._heard.get(each.name, now)}
            for each in self.endpoints()
        ]

    def check(self, url: str, version: str) -> None:
        """What an agent says of its instance: where its proxy lets callers in, and its version.

        Raises ValueError: what it is, what is accepted.
        """
        if version and not is_name(version):
            raise ValueError(f"version {version[:80]!r}; accepted: a name, or empty for none")
        accepted = f"http://IP:PORT inside {', '.join(map(str, self._networks))}"
        try:
            host, port = host_and_port(url, "http")
            address = ipaddress.ip_address(host)
        except ValueError:
            raise ValueError(f"url {url[:80]!r}; accepted: {accepted}") from None
        # two ways to write one address would be two instances, or none
        is_plain = url == f"http://{address}:{port}"
        if not is_plain or not any(address in network for network in self._networks):
            raise ValueError(f"url {url[:80]!r}; accepted: {accepted}")

    def hear(self, name: Name, url: str, version: str, now: float) -> None:
        """An instance is there and well. Raises ValueError as `check` does, sqlite3.Error, Busy."""
        self.check(url, version)
        if now >= self._voices.get(name[0], now) + self.lease_s:
            self._trust(self._listed.get(name[0], ()), now)
        self._voices[name[0]] = now
        self._alive[name] = Endpoint(*name, version, url), now + self.lease_s
        self._heard[name] = now
        self._list([name[0]])

    def leave(self, name: Name) -> None:
        """An instance says that it is not to be asked. Raises sqlite3.Error, Busy."""
        if self._alive.pop(name, None):
            self._list([name[0]])

    def renew(self, now: float) -> None:
        """Everybody has a fresh lease: nobody could tell us anything until now."""
        self._trust([endpoint for endpoint, _ in self._alive.values()], now)

    def expire(self, now: float) -> list[Name]:
        """Who has been silent for too long is gone; returns who. Raises sqlite3.Error, Busy."""
        beat_s = self.lease_s / BEATS_PER_LEASE  # so late somebody was heard who is not cut off
        silent = [
            name
            for name, (_, ends_at) in self._alive.items()
            if now >= ends_at and self._voices.get(name[0], 0.0) >= ends_at - beat_s
        ]
        for name in silent:
            del self._alive[name]
        self._list({service for service, _ in silent})
        return silent

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def _trust(self, endpoints: Iterable[Endpoint], now: float) -> None:
        """They may be there: nobody could tell us anything until now."""
        for each in endpoints:
            self._alive[each.name] = each, now + self.lease_s

    def _of(self, service: str) -> tuple[Endpoint, ...]:
        return tuple(sorted(each for each, _ in self._alive.values() if each.service == service))

    def _list(self, services: Iterable[str]) -> None:
        """What changed is told first and written down second: a full disk must not keep callers
        with an instance that is gone.
        """
        found = {service: self._of(service) for service in services}
        news = {name: of for name, of in found.items() if of and of != self._listed.get(name)}
        if not news:
            return
        self._listed.update(news)
        listed = {each.name for each in self.endpoints()}
        self._heard = {name: at for name, at in self._heard.items() if name in listed}
        self.on_change()
        with self._file.transaction():
            for service, endpoints in news.items():
                self._file.change("DELETE FROM endpoint WHERE service = ?", service)
                for each in endpoints:
                    row = (*each.name, each.version, each.url)
                    self._file.change("INSERT INTO endpoint VALUES (?, ?, ?, ?)", *row)

    def __repr__(self) -> str:
        return f"<Membership {len(self._alive)} alive of {len(self.endpoints())}>"
