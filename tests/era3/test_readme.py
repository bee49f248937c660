"""The README leads to the code: what it names is there."""

import ast
import re
from pathlib import Path

import pytest

import era3_inline_microservice

FOLDER = Path(era3_inline_microservice.__file__).parent
LINES = (FOLDER / "README.md").read_text().splitlines()
ROWS = [line.split("|")[1:-1] for line in LINES if line.startswith("| ")][1:]


def named(file: str) -> set[str]:
    """Every class, method and function of a file."""
    kinds = (ast.ClassDef, ast.FunctionDef)
    tree = ast.parse((FOLDER / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize(("file", "column"), [("orders.py", 1), ("inventory.py", 2)])
def test_every_concern_is_where_the_table_says(file, column):
    told = {name for row in ROWS for name in re.findall(r"`(\w+)`", row[column])}
    assert len(ROWS) == 12 and len(told) > 8
    assert told <= named(file)


def test_it_fits_on_one_screen():
    assert len(LINES) <= 60
