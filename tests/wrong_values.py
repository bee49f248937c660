"""Every field of a file wrong once: what the tests of era 5's file and of era 6's intent share.

Both have the same tables for a client and for limits, with the same defaults in their samples, and
refuse the same values of them in the same words.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable, Iterator, Mapping

NUMBER, WHOLE = "accepted is a number from", "accepted is a whole number from"
Wrong = tuple[str, str, str, str]  # key, what the sample says, what is said instead, what is told
OF_A_CLIENT = [
    ("deadline_s", "3.0", "0", f"is 0: {NUMBER} 0.001 to 3600"),
    ("try_timeout_s", "0.5", "4", "is 4: accepted is at most deadline_s, 3.0"),
    ("poll_s", "0.5", "0", f"is 0: {NUMBER} 0.01"),
    ("retry.attempts", "3", "11", f"is 11: {WHOLE} 1 to 10"),
    ("retry.backoff.cap_s", "0.25", "-1", f"is -1: {NUMBER} 0.001"),
    ("retry.backoff.base_s", "0.025", "-1", f"is -1: {NUMBER} 0.001"),
    ("retry.budget.percent", "20.0", "1001", f"is 1001: {NUMBER} 0 to 1000"),
    ("retry.budget.min_retries_per_s", "10.0", "-1", f"is -1: {NUMBER} 0"),
    ("retry.budget.ttl_s", "10.0", "0", f"is 0: {NUMBER} 1 to 60"),
    ("breaker.consecutive_failures", "5", "-1", f"is -1: {WHOLE} 0"),
    ("breaker.failure_percent", "0.0", "101", f"is 101: {NUMBER} 0 to 100"),
    ("breaker.least_calls", "20", "101", "is 101: accepted is at most window_calls, 100"),
    ("breaker.window_calls", "100", "0", f"is 0: {WHOLE} 1"),
    ("breaker.window_s", "10.0", "0", f"is 0: {NUMBER} 0.001"),
    ("breaker.cool_down_s", "1.0", "0", f"is 0: {NUMBER} 0.001"),
    ("breaker.cool_down_growth_s", "0.0", "-1", f"is -1: {NUMBER} 0"),
    ("breaker.longest_cool_down_s", "300.0", "0.5", "is 0.5: accepted is at least cool_d"),
    ("breaker.forget_trip_s", "10.0", "0", f"is 0: {NUMBER} 0.001"),
    ("breaker.probes", "1", "0", f"is 0: {WHOLE} 1 to 1000"),
    ("balancer.kind", '"p2c"', '"random"', "is 'random': accepted is 'p2c' or 'round_ro"),
]
OF_LIMITS = [
    ("most_connections", "16384", "0", f"is 0: {WHOLE} 1"),
    ("most_head_bytes", "32768", "65536", f"is 65536: {WHOLE} 1024 to 65535"),
    ("most_headers", "100", "5", f"is 5: {WHOLE} 10 to 1000"),
    ("head_s", "10.0", "0", f"is 0: {NUMBER} 0.001"),
    ("idle_s", "60.0", "4000", f"is 4000: {NUMBER} 0.001 to 3600"),
    ("body_s", "30.0", "nan", f"is nan: {NUMBER} 0.001"),
    ("least_body_bytes_per_s", "4096", "-1", f"is -1: {WHOLE} 0"),
    ("replay_bytes", "65536", "-1", f"is -1: {WHOLE} 0"),
    ("most_buffer_bytes", "65536", "1", f"is 1: {WHOLE} 4096"),
]


def inside(table: str, wrong: list[Wrong]) -> list[Wrong]:
    """The same, of a table that has this place in the file."""
    return [(f"{table}.{key}", before, after, told) for key, before, after, told in wrong]


def keys(kind: type, at: str = "") -> Iterator[str]:
    """Every key that a file can have, `*` where names are the reader's own."""
    for field in dataclasses.fields(kind):
        hint = typing.get_type_hints(kind)[field.name]
        inner = [each for each in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(each)]
        where = f"{at}{field.name}"
        yield where
        if inner:
            is_many = typing.get_origin(hint) in (tuple, Mapping)
            yield from keys(inner[0], f"{where}.*." if is_many else f"{where}.")


def found(table: object, at: str = "") -> Iterator[str]:
    """The keys that a table has."""
    for name, value in table.items() if isinstance(table, dict) else ():
        yield f"{at}{name}"
        yield from found(value, f"{at}{name}.")
    for value in table if isinstance(table, list) else ():
        yield from found(value, f"{at}*.")


def general(key: str) -> str:
    """As `keys` calls it."""
    return re.sub(r"\[\d+\]", ".*", re.sub(r"(services|quotas)\.\w+", r"\1.*", key))


def never_wrong(kind: type, wrong: list[Wrong]) -> set[str]:
    """Keys of which no value is among the wrong ones, but for tables of others."""
    every = {*keys(kind)}
    tables = {each for each in every if any(other.startswith(f"{each}.") for other in every)}
    return every - tables - {general(key) for key, *_ in wrong}


def spoiled(
    sample: str, line_of: Callable[[str, str], int], key: str, before: str, after: str
) -> tuple[str, int]:
    """The sample with one value changed, and on which line."""
    lines = sample.split("\n")
    number = line_of(sample, key)
    assert before in lines[number - 1], f"line {number} is {lines[number - 1]!r}"
    at = lines[number - 1].index(key.rpartition(".")[2].partition("[")[0])
    head, rest = lines[number - 1][:at], lines[number - 1][at:]
    lines[number - 1] = head + rest.replace(before, after, 1)
    return "\n".join(lines), number
