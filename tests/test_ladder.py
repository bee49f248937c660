"""Who may import whom: the table is the documentation, and this walk of the imports keeps it true.

An era's `story.toml` is played by the lab, in a process of its own: the era itself knows no lab.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SHOP = {"era0_naive.shop"}  # the business outlives its transport
ROLE = {"era0_naive.role", "era0_naive.trace"}  # how any service starts, stops, and reports
STORE = {"era0_naive.sqlite_file"}  # how what must outlive a process is kept
COUNTER = {"era0_naive.counter"}  # where customers stand before there is HTTP
WIRE = {"lab.wire"}  # the medium itself
# A service as most Python teams wrote it: its framework, its client, its server, signed tokens,
# and the metrics' format. Their sockets are theirs.
WEB = {"flask", "werkzeug", "requests", "urllib3", "waitress", "jwt", "prometheus_client"}

PURE = {  # decided without I/O, so that threads (era 4) and asyncio (era 5) can share it
    "era4_framework.policies",
    "era4_framework.config",
    "era4_framework.config_rules",
    "era4_framework.errors",
}
# What the proxy's speed and its certificates ask for, and the tokens of era 3's registry.
PROXY = {"uvloop", "cryptography", "jwt"}
# gRPC, and the messages of xDS, whose packages are named after Envoy and Google.
MESH = {"grpc", "google", "envoy", "xds", "udpa"}

LADDER = {
    "era0_naive": WIRE,
    "era1_raw_network": SHOP | ROLE | COUNTER | WIRE | {"scapy"},
    "era2_tcp": SHOP | ROLE | COUNTER,  # nothing of era 1: the kernel does it now
    "era3_inline_microservice": SHOP | ROLE | WEB,  # nothing of 1 and 2: libraries own the sockets
    # nothing of 3 but the registry: the extraction is shown by the diff
    "era4_framework": SHOP | ROLE | WEB | {"era3_inline_microservice.registry"},
    # two programs in one folder: see SERVICES
    "era5_sidecar": SHOP | ROLE | WEB | PURE | PROXY | {"era3_inline_microservice.registry"},
    # the data plane does not change, its ruler does
    "era6_control_plane": ROLE | STORE | WEB | PURE | PROXY | MESH | {"era5_sidecar"},
}
# The files of era 5's services, and what they may import; all its other files are the proxy.
SERVICES = {"orders.py", "inventory.py", "web.py", "server.py"}
PLAIN = {"flask", "werkzeug", "requests", "waitress"}
OWN = {f"era5_sidecar.{name.removesuffix('.py')}" for name in SERVICES}
SCAPY_FILES = {"packet.py"}  # it is the definition, and too slow to be the fast path


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names, at whatever depth of the code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute, so that eras differ by them"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(module: str, allowed: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def strangers(path: Path, allowed: set[str]) -> set[str]:
    """What a file imports beyond the standard library and what it may."""
    beyond = {name for name in imports(path) if name.split(".")[0] not in sys.stdlib_module_names}
    return {name for name in beyond if not is_within(name, allowed)}


def test_every_era_has_its_row():
    eras = {path.name for path in ROOT.glob("era[0-6]_*") if (path / "__init__.py").exists()}
    assert eras == LADDER.keys()


@pytest.mark.parametrize("package", LADDER)
def test_an_era_imports_only_what_the_ladder_allows(package):
    for path in sources(package):
        allowed = LADDER[package] | {package}
        assert not strangers(path, allowed), path.relative_to(ROOT)


def test_services_beside_a_sidecar_know_the_shop_and_nothing_of_the_proxy():
    for path in sources("era5_sidecar"):
        if path.name in SERVICES:
            assert not strangers(path, SHOP | ROLE | PLAIN | OWN), path.name


def test_the_proxy_knows_the_policies_of_era_4_and_nothing_of_the_services():
    for path in sources("era5_sidecar"):
        if path.name not in SERVICES | {"registry.py"}:
            assert not strangers(path, ROLE | PURE | PROXY | {"era5_sidecar"}), path.name
            assert not any(is_within(name, OWN) for name in imports(path)), path.name


@pytest.mark.parametrize("package", LADDER)
def test_scapy_stays_in_the_definition_of_the_packet(package):
    for path in sources(package):
        if path.name not in SCAPY_FILES:
            assert not any(is_within(name, {"scapy"}) for name in imports(path)), path


def test_the_business_knows_no_network():
    business = ["shop.py", "outcome.py", "stores.py", "sqlite_file.py", "rules.py", "goods.py"]
    forbidden = {"socket", "select", "asyncio", "http", "urllib", "era0_naive.transport"}
    for name in business:
        named = set(imports(ROOT / "era0_naive" / name))
        assert not {module for module in named if is_within(module, forbidden)}, name


def test_eras_that_write_their_own_trace_know_no_lab():
    for package in [name for name in LADDER if name >= "era2"]:
        for path in sources(package):
            assert not any(is_within(name, {"lab"}) for name in imports(path)), path


@pytest.mark.parametrize("module", sorted(PURE))
def test_policies_and_numbers_need_nothing_but_python(module):
    io = {"socket", "select", "threading", "asyncio", "time", "logging", "http", "urllib", "os"}
    place = ROOT / module.replace(".", "/")
    files = [*place.rglob("*.py"), *place.parent.glob(f"{place.name}.py")]
    assert files
    for path in files:
        assert not strangers(path, PURE), path
        assert not any(is_within(name, io) for name in imports(path)), path


def test_the_lab_imports_no_era_by_name():
    for path in sources("lab"):
        named = {name for name in imports(path) if name.split(".")[0] in LADDER}
        assert not named, path.relative_to(ROOT)


def test_only_the_start_of_a_role_imports_by_a_computed_name():
    for package in LADDER:
        for path in sources(package):
            by_name = {"importlib.import_module", "importlib", "importlib.util"} & {*imports(path)}
            assert not by_name or path == ROOT / "era0_naive" / "role.py", path
