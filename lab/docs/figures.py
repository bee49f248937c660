"""Measured figures by name, from the committed JSON, and how they are written in prose."""

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.docs import MEASUREMENTS, DocsError

SIDES = ("ours", "peer", "ratio", "spread", "runs")


@dataclass(frozen=True)
class Measurement:
    """One file of figures, with the machine that gave them."""

    name: str
    machine: dict[str, Any]
    conditions: dict[str, Any]
    figures: dict[str, dict[str, Any]]

    @property
    def is_quick(self) -> bool:
        """A quick run: one seed, few cells. The pages say so."""
        return bool(self.conditions.get("quick"))

    @property
    def conditions_in_words(self) -> str:
        """Where this was measured, and whether in haste."""
        keys = ("processor", "system", "python")
        where = ", ".join(str(self.machine[key]) for key in keys if key in self.machine)
        quick = "A quick run: one seed, few conditions. " if self.is_quick else ""
        return f"{quick}Measured on {where}."

    def figure(self, name: str) -> dict[str, Any]:
        """The figure of this name; raises DocsError, naming its neighbours, if there is none."""
        if name not in self.figures:
            near = [known for known in self.figures if known.split("/")[:2] == name.split("/")[:2]]
            raise DocsError(f"{self.name} has no figure {name!r}; near it: {', '.join(near)}")
        return self.figures[name]

    def is_left_out(self, name: str) -> bool:
        """Whether a quick run skipped this figure, which a whole run has."""
        if not self.is_quick or name in self.figures:
            return False
        parts = importlib.import_module(f"lab.measure.{self.name}").parts(False)
        return any(name in part.names for part in parts)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.figures.values())


def load(name: str, directory: Path = MEASUREMENTS) -> Measurement:
    """Load `docs/measurements/NAME.json`; raises DocsError if it is missing or no measurement."""
    path = directory / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        figures = {figure["name"]: figure for figure in content["figures"]}
        return Measurement(name, content["machine"], content.get("conditions", {}), figures)
    except FileNotFoundError as error:
        there = ", ".join(sorted(path.stem for path in directory.glob("*.json"))) or "none"
        raise DocsError(f"no measurement {name!r} in {directory.name}; there: {there}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DocsError(f"{path.name} is no measurement: {error}") from error


def find(name: str, directory: Path = MEASUREMENTS) -> dict[str, Any]:
    """The figure `transport/goodput/...`: its first part names the file that has it."""
    return load(name.partition("/")[0], directory).figure(name)


def say(figure: dict[str, Any], side: str = "ours") -> str:
    """Write one side of a figure for prose: a number and its unit, or what stands in its place.

    `spread` is the ratio's extremes over the rounds. Raises DocsError for another side.
    """
    if side not in SIDES:
        raise DocsError(f"{side!r} is no side of a figure; accepted: {', '.join(SIDES)}")
    if side == "runs":
        return str(figure["runs"])
    if side == "spread":
        return f"{number(figure['ratio_min'])} to {number(figure['ratio_max'])}"
    if side == "ratio":
        return number(figure["ratio"])
    return with_unit(figure[side], figure["unit"])


def target(figure: dict[str, Any]) -> str:
    """What the figure was meant to reach, and whether it did; empty if nothing was promised."""
    wanted = figure.get("target")
    if not wanted:
        return ""
    bounds = [("at least", wanted["at_least"]), ("at most", wanted["at_most"])]
    is_ratio = wanted["of"] == "ratio"
    unit, subject = ("", "ratio ") if is_ratio else (figure["unit"], "")
    said = " and ".join(
        f"{words} {with_unit(bound, unit)}" for words, bound in bounds if bound is not None
    )
    return f"{subject}{said}: {'met' if figure['met'] else 'missed'}"


def with_unit(value: float | None, unit: str) -> str:
    """`7.11 Mbit/s`; percent without a space; no unit where the unit is 1."""
    if value is None:
        return "never finished"
    return f"{number(value)}{'' if unit in ('', '1') else chr(0xA0) + unit}"


def number(value: float | None) -> str:
    """Three significant digits at most, thousands separated, no exponent."""
    if value is None:
        return "none"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):f}".rstrip("0").rstrip(".")
