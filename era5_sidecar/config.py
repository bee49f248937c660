"""What one sidecar is told: the file `sidecar.toml` beside each process, checked as a whole.

Era 4 had the same numbers as arguments of two libraries' stacks; whoever changed one deployed the
service. Here they are a file: it is read at the start and at SIGHUP, and one that says something
impossible is refused with its line while the last good one stays in force. The policies' own
numbers are era 4's dataclasses, field by field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from era4_framework import config_rules
from era4_framework.config import ClientConfig, QuotaConfig
from era4_framework.config_rules import ConfigError, not_accepted, require_whole
from era5_sidecar.config_inbound import ANYONE, METHODS, InboundConfig, Rule
from era5_sidecar.config_lines import ConfigFileError, contents, line_of, parse
from era5_sidecar.config_paths import resolve
from era5_sidecar.config_sections import (
    NOWHERE,
    STDOUT,
    LimitsConfig,
    LogConfig,
    OutboundConfig,
    RegistryConfig,
    SupervisorConfig,
    TlsConfig,
    UpstreamConfig,
)
from era5_sidecar.config_text import (
    UNIX,
    check_distinct,
    require_address,
    require_app,
    require_name,
    require_text,
)

__all__ = [
    "ANYONE",
    "METHODS",
    "NOWHERE",
    "STDOUT",
    "UNIX",
    "ClientConfig",
    "ConfigError",
    "ConfigFileError",
    "InboundConfig",
    "LimitsConfig",
    "LogConfig",
    "OutboundConfig",
    "QuotaConfig",
    "RegistryConfig",
    "Rule",
    "SidecarConfig",
    "SupervisorConfig",
    "TlsConfig",
    "UpstreamConfig",
    "contents",
    "placed",
    "read",
    "shown",
]

HIDDEN = "(hidden)"
SECRETS = ("registry.secret", "tls.key")
FILES = ("release", "registry.secret", "tls.certificate", "tls.key", "tls.authority", "log.path")
SOCKETS = ("app",)


@dataclass(frozen=True)
class SidecarConfig:
    """Everything one sidecar is told.

    app: where the service listens, `unix:PATH` or `http://IP:PORT` on this machine. release: a
    folder that comes first on PYTHONPATH from the next upgrade on. mark: see transparent.py.
    """

    service: str
    instance: str
    app: str
    admin_listen: str
    inbound: InboundConfig
    release: str = ""
    mark: int = 0
    outbound: OutboundConfig | None = None
    registry: RegistryConfig | None = None
    tls: TlsConfig | None = None
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    log: LogConfig = field(default_factory=LogConfig)
    supervisor: SupervisorConfig = field(default_factory=SupervisorConfig)

    def __post_init__(self) -> None:
        require_name(self, "service")
        require_name(self, "instance")
        require_app(self, "app")
        require_address(self, "admin_listen", loopback=True)
        if self.release:
            require_text(self, "release", "the path of a folder")
        require_whole(self, "mark", 0, 2**32 - 1)
        self._check_callers()
        self._check_upstreams()
        self._check_addresses()

    def listens(self) -> dict[str, str]:
        """Where its listeners are, by name."""
        outbound = {"outbound": self.outbound.listen} if self.outbound else {}
        return {"inbound": self.inbound.listen, "admin": self.admin_listen} | outbound

    def registers(self) -> bool:
        """Whether this instance is to be found in the registry: customers do not look there."""
        return self.registry is not None and not self.inbound.is_edge

    def _check_callers(self) -> None:
        """Who cannot prove its name has none."""
        if self.tls and not self.inbound.is_edge:
            return
        why = "as customers have no names" if self.inbound.is_edge else "as there is no [tls]"
        for number, rule in enumerate(self.inbound.may):
            if rule.callers != (ANYONE,):
                key = f"inbound.may[{number}].callers"
                raise not_accepted(key, rule.callers, f'["*"], {why}')
        for caller in self.inbound.quotas:
            if caller != ANYONE:
                raise ConfigError(
                    f"inbound.quotas.{caller}", f'is not known: accepted is "*", {why}'
                )

    def _check_upstreams(self) -> None:
        for name, upstream in self.outbound.services.items() if self.outbound else ():
            if not upstream.endpoints and self.registry is None:
                key, accepted = f"outbound.services.{name}.endpoints", "at least one"
                raise not_accepted(key, upstream.endpoints, f"{accepted} if there is no [registry]")

    def _check_addresses(self) -> None:
        listens = {"inbound.listen": self.inbound.listen, "admin_listen": self.admin_listen}
        if self.outbound:
            listens["outbound.listen"] = self.outbound.listen
        check_distinct(listens)
        if self.registers() and "//0.0.0.0:" in self.inbound.listen and not self.inbound.advertise:
            accepted = "where others reach it, as inbound.listen is everywhere"
            raise not_accepted("inbound.advertise", self.inbound.advertise, accepted)


SECTIONS = {"outbound": OutboundConfig, "registry": RegistryConfig, "tls": TlsConfig}


def read(path: Path, raw: bytes | None = None) -> SidecarConfig:
    """What the file says; paths in it are relative to its folder.

    raw: what was in it when it was read, if it was. Raises ConfigFileError, which tells the line,
    the key, its value and what is accepted.
    """
    table, text = parse(path, raw)
    try:
        resolve(table, path.resolve().parent, FILES, SOCKETS, (NOWHERE, STDOUT))
        return _sidecar(table)
    except ConfigError as error:
        raise ConfigFileError(path, line_of(text, error.key), error.key, error.problem) from None


def placed(path: Path, error: ConfigError) -> ConfigError:
    """An error that was found after reading, as in a certificate, with the line of its key."""
    try:
        _, text = parse(path)
    except ConfigError:  # changed meanwhile
        return error
    return ConfigFileError(path, line_of(text, error.key), error.key, error.problem)


def shown(config: SidecarConfig) -> dict[str, Any]:
    """The configuration for eyes: nothing in it says where a secret is."""
    table = asdict(config)
    for section, key in (each.split(".") for each in SECRETS):
        if table[section]:
            table[section][key] = HIDDEN
    return table


def _sidecar(table: dict[str, Any]) -> SidecarConfig:
    """era 4's reader knows no list of tables, and none that may be absent."""
    for name, kind in SECTIONS.items():
        if isinstance(table.get(name), Mapping):
            table[name] = config_rules.read(kind, table[name], name)
        elif name in table:
            raise not_accepted(name, table[name], f"a table, [{name}]")
    inbound = table.get("inbound")
    if isinstance(inbound, dict) and "may" in inbound:
        inbound["may"] = _rules(inbound["may"])
    return config_rules.read(SidecarConfig, table)


def _rules(listed: Any) -> list[Rule]:
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise not_accepted("inbound.may", listed, "a list of tables, [[inbound.may]]")
    numbered = enumerate(listed)
    return [config_rules.read(Rule, each, f"inbound.may[{number}]") for number, each in numbered]
