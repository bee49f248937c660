"""What a host's kernel does with connections: whoever is not the sidecar is led to it, or refused.

    from a service  ──▶ any address, any port ──▶ the sidecar's outbound listener
    from the wire   ──▶ a sidecar's inbound listener, or refused

A sidecar is known by the mark on its sockets, as Istio's is by its user: rootless there is only one
user. `rules` is pure; `apply` tells them to the kernel of a host with `nft`, of the package
nftables. They look only at the first packet of a connection (SYN), so that a wire that loses or
reorders packets does not confuse them.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

from lab.wire.namespaces import INVENTORY_ADDRESS, Host, HostError, available

HERE = Path(__file__).parent
CONFINE = [sys.executable, "-I", "-S", str(HERE / "confine.py")]
TABLE = "eras"
MARK = 1337  # of sidecars: any number but 0
CAP_NET_ADMIN = 12  # linux/capability.h: may set a mark, and these rules
FIRST_NAME = IPv4Address("198.18.0.1")  # RFC 2544, section C.2.2: of 198.18.0.0/15, nobody's
SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")  # not on an ordinary user's PATH
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
TOOL_S = 10.0


@dataclass(frozen=True)
class Openings:
    """Ports of one host.

    outbound: on loopback, of the sidecar that takes what the service sends; 0: it is refused.
    inside: on loopback, where whoever is in the host may connect. wire: where others may. doors: of
    inventory's host, where everybody may, as they ask who comes.
    """

    outbound: int = 0
    inside: tuple[int, ...] = ()
    wire: tuple[int, ...] = ()
    doors: tuple[int, ...] = ()


def rules(openings: Openings, mark: int = MARK) -> str:
    """What `nft -f` reads: the rules of one host, instead of those that it had."""
    passes = f"meta mark {mark} accept"
    there = f"ip daddr {INVENTORY_ADDRESS}"
    first = "tcp flags & (fin | syn | rst | ack) == syn"
    free = (*openings.inside, *([openings.outbound] if openings.outbound else []))
    led = f"meta l4proto tcp redirect to :{openings.outbound}" if openings.outbound else ""
    return f"""
table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
    chain divert {{
        type nat hook output priority -100;
        {passes}
        {_ports("ip daddr 127.0.0.1", openings.inside)}
        {_ports(there, openings.doors)}
        {led}
    }}
    chain leave {{
        type filter hook output priority 0;
        {passes}
        {_ports("ip daddr 127.0.0.1", free)}
        {_ports(there, openings.doors)}
        {first} reject with tcp reset
        meta l4proto tcp accept
        reject
    }}
    chain enter {{
        type filter hook input priority 0;
        iif lo accept
        {_ports("", openings.wire)}
        {first} reject with tcp reset
        meta l4proto {{ tcp, icmp }} accept
        drop
    }}
}}
"""


def _ports(where: str, ports: Sequence[int]) -> str:
    return f"{where} tcp dport {{ {', '.join(map(str, ports))} }} accept" if ports else ""


def port_of(url: str) -> int:
    """Of http://HOST:PORT, or any other scheme."""
    return int(urlsplit(url).port or 80)


def hosts_file(services: Sequence[str]) -> str:
    """/etc/hosts for a service: every name leads somewhere, as nothing arrives where it leads."""
    names = [f"{FIRST_NAME + number} {name}\n" for number, name in enumerate(services)]
    return "".join(["127.0.0.1 localhost\n", *names])


def apply(host: Host, openings: Openings, mark: int = MARK, *, is_first: bool = False) -> None:
    """From now on, in this host; new connections alone feel it. Raises HostError.

    is_first: of this host, which gets the route that connections need to be redirected at all.
    """
    nft = find_nft()
    if nft is None:
        raise HostError(available_here() or "nft has vanished")
    route = [sys.executable, "-I", "-S", str(HERE / "route.py")] if is_first else []
    told = subprocess.run(
        [*host.argv_prefix(), *route, nft, "-f", "-"],
        input=rules(openings, mark),
        capture_output=True,
        text=True,
        timeout=TOOL_S,
    )
    if told.returncode:
        raise HostError(f"{host.address} cannot redirect connections: {told.stderr.strip()}")


def confined(
    command: Sequence[str],
    *,
    hosts: str = "",
    hide: Sequence[Path] = (),
    show: Sequence[Path] = (),
) -> list[str]:
    """A service's command without any right over the network that it is in, nor over its files."""
    forget = [each for name in PROXIES for each in (name, name.upper())]
    wish = {
        "own_user": True,
        "hosts": hosts,
        "hide": [str(folder) for folder in hide],
        "show": [str(folder) for folder in show],
        "forget": forget,
    }
    return [*_confine(wish), *command]


def marking(command: Sequence[str]) -> list[str]:
    """A sidecar's command, with the right to set marks and no other."""
    return [*_confine({"keep": [CAP_NET_ADMIN]}), *command]


def wished(command: Sequence[str]) -> tuple[dict[str, object] | None, list[str]]:
    """What confine.py is to do before a command, if it is, and the command alone."""
    if list(command[: len(CONFINE)]) != CONFINE:
        return None, list(command)
    wish, *rest = command[len(CONFINE) :]
    return json.loads(wish), rest


def _confine(wish: Mapping[str, object]) -> list[str]:
    return [*CONFINE, json.dumps(wish)]


def find_nft() -> str | None:
    """Where the program is that tells rules to the kernel."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    return shutil.which("nft", path=path)


@functools.cache
def available_here() -> str | None:
    """None if hosts can be made here whose kernel redirects, else the reason and a remedy."""
    if reason := available():
        return reason
    if find_nft() is None:
        return "connections are redirected by `nft`: sudo apt install nftables"
    try:
        with Host("10.7.0.250") as host:
            apply(host, Openings(outbound=1, inside=(2,), wire=(3,)), is_first=True)
            prefix = host.argv_prefix()
            tried = subprocess.run(
                [*prefix, *confined(["true"], hosts=hosts_file(["a"]))],
                capture_output=True,
                text=True,
                timeout=TOOL_S,
            )
    except (HostError, subprocess.TimeoutExpired) as refusal:
        return str(refusal)
    return f"a service cannot be confined: {tried.stderr.strip()}" if tried.returncode else None
