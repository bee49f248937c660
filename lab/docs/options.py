"""What stands in a fence: names, one a line, and options as `key: value`."""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.docs import DocsError


@dataclass(frozen=True)
class Asked:
    """The content of a fence; `values` has only keys that the fence knows."""

    names: tuple[str, ...]
    values: Mapping[str, str]

    def one_name(self, what: str) -> str:
        """The only name; raises DocsError if there are several or none."""
        if len(self.names) != 1:
            raise DocsError(f"{len(self.names)} lines without a key; accepted: one, {what}")
        return self.names[0]

    def need(self, key: str) -> str:
        """The value of `key`; raises DocsError if it was not given."""
        if key not in self.values:
            raise DocsError(f"{key!r} is missing; write a line `{key}: ...`")
        return self.values[key]


def read(source: str, keys: tuple[str, ...]) -> Asked:
    """Read a fence. A line is an option if a known key and a colon with a space begin it.

    Raises DocsError for a line that looks like an option and is none.
    """
    names: list[str] = []
    values: dict[str, str] = {}
    for line in filter(None, map(str.strip, source.splitlines())):
        key, colon, value = line.partition(": ")
        if not colon or not key.isidentifier():
            names.append(line)
            continue
        if key not in keys:
            raise DocsError(f"unknown option {key!r}; accepted: {', '.join(keys) or 'none'}")
        values[key] = value.strip()
    return Asked(tuple(names), values)
