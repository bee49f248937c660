"""Of the proxies that era 5 could buy, the one that a control plane can steer: it speaks xDS."""

from era5_sidecar.bought import Missing, find

__all__ = ["PROGRAMS", "Missing", "find"]

PROGRAMS = ("envoy",)
