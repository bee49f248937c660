"""Proxies that can be put in front of a port, each with the same rule: /open/ is open, no more.

Our outbound listener has no such rule, as it serves one service's own calls: the theme "targets" is
not for it.
"""

from __future__ import annotations

from lab.hostile.proxies import envoy, haproxy, nginx, ours
from lab.hostile.proxies.start import Limits, Missing, Starts, running

PROXIES: dict[str, Starts] = {
    "ours": ours.inbound,
    "ours-outbound": ours.outbound,
    "envoy": envoy.command,
    "nginx": nginx.command,
    "haproxy": haproxy.command,
}

__all__ = ["PROXIES", "Limits", "Missing", "Starts", "running"]
