"""Measurements: what each era costs and gains, beside the best known alternative.

A measurement is a module of this package with

    run(quick: bool, progress: Callable[[str], None], only: str = "") -> dict

that returns `{"machine": {...}, "conditions": {...}, "missing": [...], "figures": [...]}`; what a
figure is, `figure.py` says, and "missing" are the names of those that this run did not measure.
Sides take turns in one run (A B A B ...), each with the same seeds, so that a machine that slows
down slows all of them; medians are given with their spread.
"""

from typing import Any

MEASUREMENTS = ("transport", "policies", "stack", "sidecar", "mesh", "start", "suite")


class CannotMeasure(Exception):
    """Something that the measurement needs is missing or failed; the message says what."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C came first: `measurement` has what was measured until then."""

    def __init__(self, measurement: dict[str, Any]) -> None:
        super().__init__()
        self.measurement = measurement
