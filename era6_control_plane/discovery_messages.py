"""The messages of xDS's streams, and what is said by them: talk.py has the table."""

from __future__ import annotations

from typing import Any

from envoy.service.discovery.v3 import discovery_pb2 as messages

from era6_control_plane.talk import Answer, Mode, Request

MOST_LETTERS = 2000  # of why something is refused


def heard(mode: Mode, message: Any) -> Request:
    """What a DiscoveryRequest (SOTW) or DeltaDiscoveryRequest (DELTA) says."""
    kind, nonce = message.type_url, message.response_nonce
    why = message.error_detail.message[:MOST_LETTERS] if message.HasField("error_detail") else None
    if mode is Mode.SOTW:
        names = tuple(message.resource_names)
        return Request(kind, nonce, message.version_info, names, refused=why)
    names, dropped = message.resource_names_subscribe, message.resource_names_unsubscribe
    has = dict(message.initial_resource_versions)
    return Request(kind, nonce, "", tuple(names), tuple(dropped), has, why)


def said(mode: Mode, answer: Answer) -> Any:
    """The DiscoveryResponse (SOTW) or DeltaDiscoveryResponse (DELTA) that says it."""
    if mode is Mode.SOTW:
        return messages.DiscoveryResponse(
            version_info=answer.version,
            resources=[each.body for each in answer.resources],
            type_url=answer.type_url,
            nonce=answer.nonce,
        )
    return messages.DeltaDiscoveryResponse(
        system_version_info=answer.version,
        type_url=answer.type_url,
        nonce=answer.nonce,
        resources=[
            messages.Resource(name=each.name, version=each.version, resource=each.body)
            for each in answer.resources
        ],
        removed_resources=answer.removed,
    )
