"""What the author of a service must know of the library that he is given: counted in the source.

Names: what orders.py and inventory.py import from their era's library. Settings: the numbers they
write down themselves, and each field of a configuration they import, down to the last one, as each
has a value whether they think of it or not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.concerns.lines import code_of
from lab.concerns.table import Table
from lab.find import ROOT

SERVICES = ("orders.py", "inventory.py")
LIBRARY = "library"


@dataclass(frozen=True)
class ToLearn:
    """names and settings are sorted, each told once; documented: the library's public names."""

    era: str
    names: tuple[str, ...]
    settings: tuple[str, ...]
    documented: int
    lines: int


def to_learn(package: str, table: Table, root: Path = ROOT) -> ToLearn:
    """Read one era's source."""
    library = [
        root / path
        for path, rules in table.files.items()
        if path.startswith(f"{package}/") and rules.floor == LIBRARY
    ]
    modules = {path: _parse(path) for path in library}
    services = [_parse(root / package / name) for name in SERVICES]
    names = {name for service in services for name in _imported(service, root, library)}
    configs = {node.name: node for module in modules.values() for node in _classes(module)}
    settings = {setting for service in services for setting in _numbers(service)}
    for name in names & configs.keys():
        if name.endswith("Config"):
            settings |= set(_fields(name, name, configs))
    documented = sum(1 for module in modules.values() for _ in _documented(module))
    lines = sum(len(code_of(path)) for path in library)
    return ToLearn(package, tuple(sorted(names)), tuple(sorted(settings)), documented, lines)


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imported(service: ast.Module, root: Path, library: Sequence[Path]) -> Iterator[str]:
    used = {node.id for node in ast.walk(service) if isinstance(node, ast.Name)}
    for node in service.body:
        if not isinstance(node, ast.ImportFrom):
            continue
        if root / f"{(node.module or '').replace('.', '/')}.py" in library:
            yield from (each.name for each in node.names if (each.asname or each.name) in used)


def _numbers(service: ast.Module) -> Iterator[str]:
    for node in service.body:
        if isinstance(node, ast.Assign) and _is_number(node.value):
            yield from (name.id for name in node.targets if isinstance(name, ast.Name))


def _is_number(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp):  # 64 * 1024
        return _is_number(value.left) and _is_number(value.right)
    return isinstance(value, ast.Constant) and isinstance(value.value, (int, float))


def _classes(module: ast.Module) -> list[ast.ClassDef]:
    return [node for node in module.body if isinstance(node, ast.ClassDef)]


def _fields(prefix: str, name: str, configs: Mapping[str, ast.ClassDef]) -> Iterator[str]:
    """Every value in a configuration, as ClientConfig.retry.budget.percent."""
    for node in configs[name].body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        path = f"{prefix}.{node.target.id}"
        kinds = {each.id for each in ast.walk(node.annotation) if isinstance(each, ast.Name)}
        inner = sorted(kind for kind in kinds & configs.keys() if kind.endswith("Config"))
        if not inner:
            yield path
        for kind in inner:
            yield from _fields(path, kind, configs)


def _documented(module: ast.Module) -> Iterator[str]:
    for node in module.body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node):
            yield node.name
