"""What we believe that a client has, by name: what is in doubt, what is known to be none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from google.protobuf.any_pb2 import Any

from era6_control_plane.snapshot import Resource

DOUBT = "?"  # begins a version of which nobody knows whether it is there

Resources = dict[str, Resource]


@dataclass(frozen=True)
class Changes:
    """What of one kind is to be told: resources, names that are no more, names that never were."""

    new: Mapping[str, Resource]
    gone: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.gone or self.absent)


def present(told: Resources) -> list[Resource]:
    """Those that are there, by name."""
    return [each for _, each in sorted(told.items()) if each.version]


def version_in(resources: Resources, name: str) -> str:
    """The version of the resource of this name; empty, if there is none."""
    return resources[name].version if name in resources else ""


def only(name: str, version: str) -> Resource:
    """A resource of which we know no more than its name and version."""
    return Resource(name, version, Any())


def doubted(one: Resource) -> Resource:
    """It may be there, or not: it is told again, or taken back again."""
    return replace(one, version=DOUBT + one.version.removeprefix(DOUBT))


def without_doubt(one: Resource) -> Resource:
    """It is told."""
    if not one.version.startswith(DOUBT):
        return one
    return replace(one, version=one.version.removeprefix(DOUBT))


def nothing(name: str) -> Resource:
    """It is asked for, and there is none; that has been said."""
    return only(name, "")


def speaks_of(why: str, name: str) -> bool:
    """Whether a refusal, `why`, names this resource: a part of a longer name does not count."""
    return bool(re.search(rf"(?<![\w|.-]){re.escape(name)}(?![\w|-])", why))
