"""Policies decide and do nothing else: no clock, no sleep, no lock, no log, no chance of their own.

So that era 4 may wrap them in locks, and eras 5 and 6 may not need to.
"""

import ast
from pathlib import Path

import pytest

import era4_framework.policies

FILES = sorted(Path(era4_framework.policies.__file__).parent.glob("*.py"))
MAY_IMPORT = {
    "__future__.annotations",
    "collections.deque",
    "collections.abc.Callable",
    "collections.abc.Collection",
    "collections.abc.Mapping",
    "collections.abc.Sequence",
    "dataclasses.dataclass",
    "enum.Enum",
    "math",
    "random.Random",  # the class: whoever makes a policy gives it one
    "typing.Protocol",
    "typing.TypeVar",
}
OURS = ("era4_framework.config", "era4_framework.errors", "era4_framework.policies.")


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(path):
    """The plain names that are called."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {node.func.id for node in nodes if isinstance(node.func, ast.Name)}


def test_the_policies_are_there():
    assert {"breaker.py", "budget.py", "balancer.py", "bucket.py"} <= {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_policy_imports_nothing_that_acts(path):
    beyond = {name for name in imported(path) if not name.startswith(OURS)} - MAY_IMPORT
    assert not beyond


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_policy_neither_prints_nor_opens_nor_makes_its_own_chance(path):
    assert not called(path) & {"print", "open", "input", "__import__", "eval", "exec", "Random"}
