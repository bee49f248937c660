"""Options of the whole suite: which seed, which era, which address."""

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

# Hundreds of processes are started here. Each would compile all that it imports, and pytest all of
# hypothesis, where the environment asks to keep nothing that was compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import hypothesis
import pytest
from hypothesis import core as hypothesis_core

from lab import warm
from lab.find import UnknownEra, find
from tests.address import knock

DEFAULT_SEED = 7
MEMORY = Path("/dev/shm")  # noqa: S108  (of Linux; what is in it has no need of a disk)
LEAST_MEMORY_BYTES = 2 << 30
MADE_ONCE = (  # for many tests
    "bought_shop",
    "inbound",
    "launched",
    "outbound",
    "portable",
    "releases",
    "shop",
    "site",
    "witnessed",
)
HAS_MESH = all(map(importlib.util.find_spec, ("grpc", "envoy")))
collect_ignore = [] if HAS_MESH else ["promises", "docs/test_captured.py"]  # they import era 6
MADE_ONCE_FOR_A_FILE = ("mesh", "stage")  # in some files; others make one for each test


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("seven eras")
    group.addoption(
        "--seed", type=int, default=DEFAULT_SEED, help="every fault and sequence follows from it"
    )
    group.addoption(
        "--era",
        action="append",
        metavar="ERA",
        help="0 ... 6 or a package name, repeatable; only tests of these eras run",
    )
    group.addoption(
        "--wire", choices=("portable", "real"), help="only this form of the wire; default: both"
    )
    group.addoption(
        "--write-promises",
        action="store_true",
        help="write what each promise came to into docs/captured/promises.json",
    )
    group.addoption(
        "--cold",
        action="store_true",
        help="start every service as a new Python, as demos and measurements do; without this, "
        "services from era 3 on are forked from a process that has imported flask and the like, "
        "as that import would be a third of the suite's work",
    )
    group.addoption(
        "--url", metavar="URL", help="a shop that runs elsewhere, in any language: http://host:port"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """The same seed makes hypothesis try the same examples; nothing is remembered between runs."""
    hypothesis.settings.register_profile("eras", deadline=None, database=None, print_blob=True)
    hypothesis.settings.load_profile("eras")
    hypothesis_core.global_force_seed = config.getoption("--seed")
    try:
        for name in config.getoption("--era") or ():
            find(name)
    except UnknownEra as unknown:
        raise pytest.UsageError(str(unknown)) from None
    _check_address(config)
    work_in_memory()
    if getattr(config.option, "dist", "") == "load":
        config.option.dist = "loadgroup"
    if not config.getoption("--cold"):
        warm.switch_on()
    config.addinivalue_line("markers", "target: asks an era or an address, see tests/targets.py")


def work_in_memory() -> None:
    """Temporary files, and so all stores, in memory where there is plenty and nobody chose a place.

    Every commit waits for the disk. One that is writing out something else, such as what was
    installed a moment ago, lets it wait for seconds; and a shop from era 3 on rightly says that it
    is unavailable.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    if shutil.disk_usage(MEMORY).free >= LEAST_MEMORY_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)  # of what we start as well
        tempfile.tempdir = None  # ask again


def pytest_unconfigure() -> None:
    warm.switch_off()


def _check_address(config: pytest.Config) -> None:
    """Once: the workers of pytest-xdist need not ask what the one that started them has asked."""
    url = config.getoption("--url")
    if url is None or hasattr(config, "workerinput"):
        return
    try:
        knock(url)
    except ValueError as error:
        raise pytest.UsageError(f"--url {error}") from None


def pytest_report_header(config: pytest.Config) -> str:
    left_out = "" if HAS_MESH else f"; without the extra mesh: no {', '.join(collect_ignore)}, era6"
    return f"seed: {config.getoption('--seed')} (another: --seed N){left_out}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --era or --url only what asks a shop stays, and the folder of a chosen era's parts."""
    if hasattr(config, "workerinput"):
        share_what_is_made_once(items)
    chosen = config.getoption("--era")
    if not chosen and not config.getoption("--url"):
        return
    folders = {f"era{name}" for name in chosen or ()}
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        wanted = item.get_closest_marker("target") or not folders.isdisjoint(item.path.parts)
        (kept if wanted else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def share_what_is_made_once(items: list[pytest.Item]) -> None:
    """Whoever uses the same shop or site is run by the same worker: else each makes its own.

    xdist deals tests out by what follows "@" in their ids. Its own mark, xdist_group, has no
    effect since pytest 9.2, in which an id is no string.
    """
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        names = sorted(set(MADE_ONCE).intersection(getattr(item, "fixturenames", ())))
        of_its_file = [name for name in MADE_ONCE_FOR_A_FILE if is_made_for_its_file(item, name)]
        if names or of_its_file:
            place = "/".join((item.path.parent.name, *([item.path.stem] if of_its_file else [])))
            group = " ".join(f"{name} {parameters.get(name, '')}" for name in names + of_its_file)
            item._id = type(item.id).parse(f"{item.nodeid}@{place} {group}")


def is_made_for_its_file(item: pytest.Item, name: str) -> bool:
    if not isinstance(item, pytest.Function):
        return False
    found = item._fixtureinfo.name2fixturedefs.get(name)
    return bool(found) and found[-1].scope == "module"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    if report.failed:
        report.sections.append(("seed", f"repeat with: --seed {item.config.getoption('--seed')}"))
    return report


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of this run: give it to wires, generators and stages."""
    return request.config.getoption("--seed")
