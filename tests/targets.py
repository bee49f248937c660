"""What the shared suite is run against: each era over each form of the wire, or one address.

`--era N` (repeatable, or the name of a package), `--wire portable|real`, `--url http://...`.
"""

import functools
import importlib
from dataclasses import dataclass, replace

import pytest

from lab import find as finding
from lab.cast.beside import require_proxy
from lab.doors import without_user
from lab.find import FORMS, eras
from lab.wire.namespaces import available

find = functools.cache(finding.find)  # each of thousands of tests asks which era it is of


@dataclass(frozen=True)
class Target:
    """A shop that can be asked: an era over a form of the wire, or a shop at a URL."""

    era: str
    form: str
    url: str = ""
    proxy: str = ""  # bought for the era's sidecars, instead of its own

    @property
    def speaks_http(self) -> bool:
        """Whether customers come by HTTP, which cannot say all that can be said at a counter."""
        return bool(self.url) or find(self.era).speaks_http

    def __str__(self) -> str:
        name = f"era{self.era}" if self.era.isdecimal() else self.era
        return without_user(self.url) or "-".join(filter(None, (name, self.form, self.proxy)))


def targets(config: pytest.Config, url_too: bool = False) -> list[Target]:
    """The targets that the options choose, all eras by default. Raises UnknownEra.

    url_too: whether a shop that we can only ask, and not kill or put on a bad wire, will do.
    """
    url, chosen = config.getoption("--url"), config.getoption("--era")
    if url:
        return [Target("", "", url)] if url_too else []
    found = [find(name) for name in chosen] if chosen else eras()
    forms = [config.getoption("--wire")] if config.getoption("--wire") else FORMS
    return [Target(era.number, form) for era in found for form in forms if form in era.schemes]


def over_bought_proxies(chosen: list[Target]) -> list[Target]:
    """Those of the portable wire with each proxy that their era can have instead of its own."""
    return [
        replace(target, proxy=proxy)
        for target in chosen
        if target.form == "portable" and find(target.era).has_sidecars
        for proxy in importlib.import_module(f"{find(target.era).package}.bought").PROGRAMS
    ]


def why_not(target: Target) -> str:
    """Why this machine cannot run it; empty if it can."""
    if target.form == "real" and available():
        return f"form real: {available()}"
    try:
        require_proxy(find(target.era), target.proxy)
    except ValueError as missing:
        return str(missing)
    return ""


def marks(target: Target) -> list[pytest.MarkDecorator]:
    """Every target is marked as one; what this machine cannot run is skipped with the reason."""
    missing = "" if target.url else why_not(target)
    skipped = [pytest.mark.skip(reason=missing)] if missing else []
    return [pytest.mark.target, *skipped]


def parameters(chosen: list[Target]) -> list:
    return [pytest.param(target, id=str(target), marks=marks(target)) for target in chosen]
