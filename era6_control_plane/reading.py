"""A resource, read field by field: what is set and nobody asked about is refused by its path.

A policy that is silently not kept is worse than none. So whoever reads a message says also which of
its fields mean nothing here; any other that is set makes the whole resource one that we refuse.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

LONGEST_QUOTE = 60


class Refused(ValueError):
    """A resource that cannot be obeyed; the message begins with the field's path."""


class Reading:
    """One message. As a context it ends with the question whether all of it was read."""

    def __init__(self, message: Any, path: str = "") -> None:
        """path: where it stands in the whole resource."""
        self.path = path
        self._message = message
        self._unread = {field.name for field, _ in message.ListFields()}

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.end()

    def end(self) -> None:
        """Raises Refused if something is set that nobody has read."""
        if self._unread:
            raise Refused(
                f"{self.path}.{min(self._unread)} is set, and means nothing to this proxy"
            )

    def at(self, name: str) -> str:
        """Where a field stands in the whole resource."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Whether it is set, read or not."""
        return any(field.name == name for field, _ in self._message.ListFields())

    def skip(self, *names: str) -> None:
        """These mean nothing here, and nothing is lost by that."""
        self._unread.difference_update(names)

    def take(self, name: str) -> Any:
        """A field's value, or its default."""
        self._unread.discard(name)
        return getattr(self._message, name)

    def number(self, name: str) -> Any:
        """The number in a wrapper message; 0 if it is not set."""
        return self.take(name).value

    def seconds(self, name: str) -> float:
        """A duration; 0 if it is not set."""
        told: Duration = self.take(name)
        return float(told.seconds + told.nanos / 1e9)

    def within(self, name: str) -> Reading:
        """A message inside; one without fields if it is not set."""
        return Reading(self.take(name), self.at(name))

    def each(self, name: str) -> list[Reading]:
        """The messages of a list."""
        listed = enumerate(self.take(name))
        return [Reading(each, f"{self.at(name)}[{number}]") for number, each in listed]

    def by_key(self, name: str) -> dict[str, Reading]:
        """The messages of a map, in the order of their keys."""
        found = self.take(name)
        return {key: Reading(found[key], f"{self.at(name)}[{key!r}]") for key in sorted(found)}

    def unpacked(self, kind: type[Message]) -> Reading:
        """This is an Any: the message in it, which must be of this kind."""
        told = kind()
        if not self.is_of(kind) or not self._message.Unpack(told):
            accepted = kind.DESCRIPTOR.full_name
            raise Refused(f"{self.path} is a {self._message.type_url!r}: accepted is {accepted}")
        self._unread.clear()
        return Reading(told, self.path)

    def is_of(self, kind: type[Message]) -> bool:
        """Whether this Any holds such a message."""
        return bool(self._message.Is(kind.DESCRIPTOR))

    def all(self) -> dict[str, Any]:
        """This is a Struct: as Python has it. Protobuf knows no whole numbers, we do."""
        self._unread.clear()
        told: dict[str, Any] = _whole(MessageToDict(self._message))
        return told

    def refuse(self, name: str, accepted: str) -> Refused:
        """The error to raise for a field: what it says, and what is accepted."""
        told = str(getattr(self._message, name)).strip().replace("\n", " ")
        shown = told if len(told) <= LONGEST_QUOTE else f"{told[: LONGEST_QUOTE - 1]}…"
        return Refused(f"{self.at(name)} is {shown!r}: accepted is {accepted}")


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value
