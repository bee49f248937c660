"""Inventory is era 5's, to the letter: what has changed is who rules the sidecar beside it."""

from era5_sidecar.inventory import main

__all__ = ["main"]
