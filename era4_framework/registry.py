"""The registry is era 3's: a framework changes the services, and it was a process of its own."""

from era3_inline_microservice.registry import main

__all__ = ["main"]
