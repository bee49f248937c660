"""What a proxy of ours makes of resources: the same messages that steer Envoy.

A field that is set and means nothing to us is refused by its path: a policy that is silently not
kept is worse than none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from google.protobuf.message import Message

from era5_sidecar.discovery import Instance
from era6_control_plane.told import Told

Resources = Mapping[str, Mapping[str, Message]]  # type URL -> name -> message


class Refused(ValueError):
    """A resource that cannot be obeyed; the message begins with the field's path."""


def check(type_url: str, name: str, message: Message) -> None:
    """Raises Refused for a resource that makes no sense by itself, or more than we understand."""
    raise NotImplementedError


def wanted(resources: Resources) -> Mapping[str, Collection[str]]:
    """The names of those resources (EDS, RDS, SDS) that the others (LDS, CDS) name."""
    raise NotImplementedError


def interpret(resources: Resources) -> Told:
    """The whole of it. Raises Refused for resources that do not fit together."""
    raise NotImplementedError


def instances(assignment: Message) -> tuple[Instance, ...]:
    """Who is there, as a ClusterLoadAssignment says."""
    raise NotImplementedError
