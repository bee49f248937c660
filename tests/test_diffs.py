"""The diff between two eras is a lesson: nothing moves and nothing is reworded without need."""

import ast
import difflib
from itertools import pairwise
from pathlib import Path

import pytest

from lab.find import find
from lab.verbs.diff import still_run, taken_over

ROOT = Path(__file__).parents[1]
ERAS = [
    "era0_naive",
    "era1_raw_network",
    "era2_tcp",
    "era3_inline_microservice",
    "era4_framework",
    "era5_sidecar",
]
STEPS = list(pairwise(ERAS))

# How many lines a step may remove and add: the numbers of today, to be changed with a reason.
BUDGET = {
    ("era0_naive", "era1_raw_network", "orders.py"): (9, 8),
    ("era0_naive", "era1_raw_network", "inventory.py"): (26, 5),
    ("era1_raw_network", "era2_tcp", "orders.py"): (1, 1),
    ("era1_raw_network", "era2_tcp", "inventory.py"): (1, 1),
    ("era0_naive", "era1_raw_network", "__main__.py"): (1, 1),
    ("era1_raw_network", "era2_tcp", "__main__.py"): (1, 1),
    ("era2_tcp", "era3_inline_microservice", "__main__.py"): (1, 1),
    ("era3_inline_microservice", "era4_framework", "__main__.py"): (1, 1),
    ("era4_framework", "era5_sidecar", "__main__.py"): (1, 1),
    ("era5_sidecar", "era6_control_plane", "__main__.py"): (1, 1),
}


def lines(package: str, name: str) -> list[str]:
    return (ROOT / package / name).read_text().splitlines()


def functions(package: str, name: str) -> dict[str, str]:
    """Name -> text of every class, method and function, in their order; a method as `A.b`."""
    source = (ROOT / package / name).read_text()
    kinds = (ast.ClassDef, ast.FunctionDef)
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, kinds):
            continue
        found[node.name] = ast.get_source_segment(source, node) or ""
        methods = [part for part in node.body if isinstance(part, kinds)]
        for part in methods if isinstance(node, ast.ClassDef) else []:
            found[f"{node.name}.{part.name}"] = ast.get_source_segment(source, part) or ""
    return found


@pytest.mark.parametrize(("before", "after"), STEPS)
@pytest.mark.parametrize("name", ["orders.py", "inventory.py"])
def test_functions_keep_their_names_and_their_order(before, after, name):
    old, new = functions(before, name), functions(after, name)
    common = [each for each in old if each in new]
    assert common == [each for each in new if each in old]
    assert {"main"} < set(common)


@pytest.mark.parametrize(("before", "after", "name"), BUDGET)
def test_a_step_changes_no_line_without_need(before, after, name):
    diff = list(difflib.unified_diff(lines(before, name), lines(after, name), lineterm="", n=0))[2:]
    removed = sum(line.startswith("-") for line in diff)
    added = sum(line.startswith("+") for line in diff)
    most_removed, most_added = BUDGET[before, after, name]
    assert removed <= most_removed and added <= most_added, "\n".join(diff)


@pytest.mark.parametrize("name", ["Orders", "Inventory"])
def test_the_transport_is_all_that_changed_from_1_to_2(name):
    file = f"{name.lower()}.py"
    old, new = functions("era1_raw_network", file), functions("era2_tcp", file)
    assert old == new, "the services did not notice that a layer sank"


@pytest.mark.parametrize(
    ("file", "method"),
    [
        ("orders.py", "Orders.cancel"),
        ("orders.py", "Orders.show"),
        ("inventory.py", "Inventory.release"),
        ("inventory.py", "Inventory.catalogue"),
    ],
)
def test_what_is_only_business_survives_from_2_to_5(file, method):
    texts = {functions(era, file)[method] for era in ERAS[2:]}
    assert len(texts) == 1, texts


@pytest.mark.parametrize("name", ["orders.py", "inventory.py"])
def test_what_3_adds_to_a_service_4_takes_out_again(name):
    before, inline, framework, beside = (len(lines(era, name)) for era in ERAS[2:])
    assert inline > 8 * before, "communication drowns the business"
    assert framework < 2 * before, "it is in a library now"
    assert beside < framework, "it is nowhere in the service"


def test_what_inventory_loses_from_4_to_5_and_what_never_leaves():
    old, new = (functions(era, "inventory.py") for era in ERAS[4:])
    assert old["operations"] == new["operations"]
    before, after = (text["Inventory.reserve"].splitlines() for text in (old, new))
    assert [line for line in before if line not in after] == [
        "            check_deadline()  # waiting for the store may have taken long"
    ]
    assert not [line for line in after if line not in before], "deduplication is as it was"


@pytest.mark.parametrize("name", ["orders.py", "inventory.py"])
def test_from_5_to_6_no_service_changes_by_a_line(name):
    service = ROOT / "era6_control_plane" / name
    assert taken_over(service) == ROOT / "era5_sidecar" / name
    first, *_ = service.read_text().splitlines()
    assert "to the letter" in first, "and it says so"


def test_a_file_that_says_anything_of_its_own_is_taken_over_from_nowhere():
    for name in ("mesh.py", "names.py", "sidecar.py", "__main__.py", "intent.toml"):
        assert taken_over(ROOT / "era6_control_plane" / name) is None, name


@pytest.mark.parametrize(
    ("name", "old", "new", "is_run"),
    [
        ("outbound.py", "5", "6", True),  # the data plane does not change, its ruler does
        ("proxy.py", "5", "6", False),  # both have one
        ("lease.py", "5", "6", False),  # era 6 has no registry
        ("policies/breaker.py", "4", "5", True),
        ("stores.py", "0", "1", True),  # the business is every era's
        ("transport.py", "1", "2", False),
    ],
)
def test_what_an_era_runs_of_an_earlier_one_has_not_vanished(name, old, new, is_run):
    assert still_run(name, find(old), find(new)) is is_run
