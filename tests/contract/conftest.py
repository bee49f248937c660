"""Launch each era once per module, put the oracle beside it, hand both to the tests as `twins`."""

import secrets
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from era0_naive import shop
from lab.contract import Customer
from lab.doors import customer_at
from lab.stage import Stage
from lab.wire import Knobs
from tests.contract.oracle import Oracle
from tests.contract.twins import Disagreement, Twins
from tests.targets import Target, over_bought_proxies, parameters, targets

Product = dict
REFUSED_PATHS = {  # by bought proxies, before the shop is asked
    "haproxy": ("a/b", ".", ".."),
    "nginx": ("a/b", ".", "..", "o\0"),
    "envoy": ("a/b", "..", "o\0"),
}
IN_ITS_OWN_WORDS = pytest.mark.xfail(
    strict=False,
    raises=Disagreement,
    reason="the proxy refuses such a path itself: 400, and no word of a field",
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "counter: says at the counter what HTTP cannot say")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "launched" not in metafunc.fixturenames:
        return
    chosen = targets(metafunc.config, url_too=True)
    if metafunc.module.__name__.endswith("test_stories"):  # sequences would tell little more
        chosen += over_bought_proxies(chosen)
    metafunc.parametrize("launched", parameters(chosen), indirect=True, scope="module")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What HTTP cannot say is not asked where customers come by HTTP."""
    unsaid = [item for item in items if item.get_closest_marker("counter") and by_http(item)]
    config.hook.pytest_deselected(items=unsaid)
    items[:] = [item for item in items if item not in unsaid]
    for item in items:
        if item.originalname == "test_an_id_that_is_none_is_invalid" and refused_by_proxy(item):
            item.add_marker(IN_ITS_OWN_WORDS)


def refused_by_proxy(item: pytest.Item) -> bool:
    asked = item.callspec.params
    return asked["order_id"] in REFUSED_PATHS.get(asked["launched"].proxy, ())


def by_http(item: pytest.Item) -> bool:
    return item.callspec.params["launched"].speaks_http


@dataclass(frozen=True)
class Launched:
    """A shop that runs, the oracle that heard the same, and where to look after a disagreement."""

    target: Target
    new_customer: Callable[[], Customer]
    customer: Customer
    oracle: Customer
    where: str


@pytest.fixture(scope="module")
def launched(
    request: pytest.FixtureRequest, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Launched]:
    target = request.param
    directory = tmp_path_factory.mktemp("contract")
    oracle = Customer(Oracle(directory))
    if target.url:
        yield Launched(
            target,
            lambda: customer_at(target.url),
            customer_at(target.url),
            oracle,
            "The shop must have the seeded catalogue, and nothing sold when it starts.",
        )
        return
    with Stage(
        target.era,
        target.form,
        knobs=Knobs(),
        seed=seed,
        directory=directory,
        proxy=target.proxy,
    ) as stage:
        where = f"trace, logs and stores: {directory}"
        yield Launched(target, stage.customer, stage.customer(), oracle, where)


@pytest.fixture
def twins(launched: Launched, request: pytest.FixtureRequest) -> Twins:
    twins = Twins(str(launched.target), launched.customer, launched.oracle, launched.where)
    twins.story(request.node.name)
    return twins


@pytest.fixture
def new_customer(launched: Launched) -> Callable[[], Customer]:
    return launched.new_customer


@pytest.fixture
def fresh(launched: Launched, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Names an order that no other test uses; within one test the same name is the same order."""
    story = f"{zlib.crc32(request.node.name.encode()):08x}"
    run = secrets.token_hex(3) if launched.target.url else "run"
    return lambda name: f"{run}-{story}-{name}"


@pytest.fixture(scope="session")
def catalogue() -> list[Product]:
    """The seeded catalogue, as the shop's rules make it."""
    return shop.catalogue()


@pytest.fixture(scope="session")
def plenty(catalogue: list[Product]) -> list[str]:
    """Goods on well filled shelves, the fullest first."""
    return [p["sku"] for p in sorted(catalogue, key=lambda p: (-p["stock"], p["sku"]))]


@pytest.fixture(scope="session")
def sku(plenty: list[str]) -> str:
    return plenty[0]


@pytest.fixture(scope="session")
def other_sku(plenty: list[str]) -> str:
    return plenty[1]


@pytest.fixture(scope="session")
def scarce(catalogue: list[Product], plenty: list[str]) -> tuple[str, int]:
    """A product of which one order can take nearly all, and how many there are."""
    by_stock = {p["sku"]: p["stock"] for p in catalogue}
    sku = next(s for s in reversed(plenty) if 9 <= by_stock[s] <= 900 and by_stock[s] % 3 == 0)
    return sku, by_stock[sku]


@pytest.fixture(scope="session")
def skus(plenty: list[str], scarce: tuple[str, int]) -> list[str]:
    """What generated sequences order: two full shelves and one that empties."""
    return [plenty[2], plenty[3], scarce[0]]


@pytest.fixture
def speaks_http(launched: Launched) -> bool:
    return launched.target.speaks_http
