"""The registry is era 3's: it is told by sidecars now who is there, and cannot tell them apart."""

from era3_inline_microservice.registry import main

__all__ = ["main"]
