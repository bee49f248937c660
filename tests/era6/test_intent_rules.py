"""An intent's parts, held against each other: what contradicts is refused, in bounded time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from era4_framework.config_rules import ConfigError
from era5_sidecar.config_inbound import METHODS
from era6_control_plane import intent_rules
from era6_control_plane.intent import Intent, RouteIntent, ServiceIntent
from era6_control_plane.intent_file import IntentError, read

SECONDS_AT_MOST = 10.0  # of the processor's: a tenth of it here, and machines are slow
QUARTER_BYTES = 2**18  # of the longest text that is read
SHOP = """
[services.orders]
is_edge = true
{orders}
[services.inventory]
versions = ["v1", "v2"]
{inventory}
[services.reports]
"""


def refusal(inventory: str = "", orders: str = "") -> IntentError:
    with pytest.raises(IntentError) as refused:
        read(SHOP.format(inventory=inventory, orders=orders))
    return refused.value


def routes(*told: str) -> str:
    return "".join(f"[[services.inventory.routes]]\n{each}\n" for each in told)


def rules(*told: str) -> str:
    return "".join(f"[[services.inventory.may]]\n{each}\n" for each in told)


# Routes.


@pytest.mark.parametrize(
    ("told", "number", "before"),
    [
        (('path = "/a"', 'path = "/a"'), 1, 0),  # 1. the same twice
        (('path = "/a"', 'path = "/b"', 'path = "/a"'), 2, 0),
        (("", 'path = "/a"'), 1, 0),  # 2. after one for everything
        (("to = { v1 = 100 }", 'headers = { x = "1" }\nto = { v2 = 100 }'), 1, 0),
        (('path = "/a"', 'path = "/a/b"'), 1, 0),  # 3. after a shorter path
        (('method = "GET"', 'method = "GET"\npath = "/a"'), 1, 0),
        (('headers = { x = "1" }', 'headers = { x = "1", y = "2" }'), 1, 0),  # 4. after fewer
        (('headers = { X-A = "1" }', 'headers = { x-a = "1" }'), 1, 0),  # 5. in other letters
    ],
)
def test_a_route_that_is_never_reached_is_refused_with_the_one_before_it(told, number, before):
    refused = refusal(routes(*told))
    assert refused.key == f"services.inventory.routes[{number}]"
    assert refused.problem == (
        f"can never be reached: routes[{before}] takes all that would come here"
    )


@pytest.mark.parametrize(
    "told",
    [
        ('path = "/a/b"', 'path = "/a"', ""),  # from the narrow to the wide
        ('method = "GET"', 'method = "PUT"', 'path = "/a"'),
        ('headers = { x = "1" }', 'headers = { x = "2" }', 'headers = { y = "1" }'),
        ('headers = { x = "1", y = "2" }', 'headers = { x = "1" }'),
        ('headers = { x = "a" }', 'headers = { x = "A" }'),  # values are to the letter
    ],
)
def test_routes_that_overlap_are_accepted_while_each_can_be_reached(told):
    read(SHOP.format(inventory=routes(*told), orders=""))


METHOD = st.sampled_from(["*", "GET", "PUT"])
PATH = st.sampled_from(["/", "/a", "/a/", "/a/b", "/b"])
HEADERS = st.dictionaries(st.sampled_from(["x", "X", "y"]), st.sampled_from(["1", "2"]), max_size=2)


@st.composite
def a_route(draw):
    headers = draw(HEADERS.filter(lambda each: len({name.lower() for name in each}) == len(each)))
    return RouteIntent(headers, draw(METHOD), draw(PATH))


def fits(route: RouteIntent, method: str, path: str, headers: dict[str, str]) -> bool:
    having = {name.lower(): value for name, value in route.headers.items()}
    is_method = route.method in ("*", method)
    return is_method and path.startswith(route.path) and having.items() <= headers.items()


@given(st.lists(a_route(), min_size=1, max_size=5))
def test_a_request_that_fits_a_route_alone_shows_that_it_can_be_reached(listed):
    """The witness of a route is the request that asks for just what it says: whoever takes that
    takes all."""
    witnesses = [
        (METHODS[-1] if route.method == "*" else route.method, route.path, dict(route.headers))
        for route in listed
    ]
    taken = [
        any(
            fits(before, method, path, {name.lower(): value for name, value in headers.items()})
            for before in listed[:number]
        )
        for number, (method, path, headers) in enumerate(witnesses)
    ]
    intent = Intent({"a": ServiceIntent(routes=tuple(listed))})
    if not any(taken):
        intent_rules.check(intent)
        return
    with pytest.raises(ConfigError) as refused:
        intent_rules.check(intent)
    assert refused.value.key == f"services.a.routes[{taken.index(True)}]"


def test_a_route_may_not_wait_longer_for_a_try_than_the_service_for_all():
    refused = refusal(routes("try_timeout_s = 3.5"))
    assert refused.key == "services.inventory.routes[0].try_timeout_s"
    assert refused.problem == "is 3.5: accepted is at most the deadline_s of this route, 3.0"
    read(SHOP.format(inventory=routes("try_timeout_s = 3.5\ndeadline_s = 4"), orders=""))


def test_a_route_may_not_end_before_the_services_own_try():
    refused = refusal(routes("deadline_s = 0.2"))
    assert refused.key == "services.inventory.routes[0].deadline_s"
    assert "accepted is at least client.try_timeout_s, 0.5, or a try_timeout_s" in refused.problem
    read(SHOP.format(inventory=routes("deadline_s = 0.2\ntry_timeout_s = 0.1"), orders=""))


def test_a_fault_may_delay_beyond_the_deadline():
    """That is what it is for."""
    read(SHOP.format(inventory=routes("fault = { delay_s = 10 }"), orders=""))


def test_nobody_takes_a_route_to_the_edge():
    refused = refusal(orders='[[services.orders.routes]]\npath = "/a"')
    assert refused.key == "services.orders.routes"
    assert "customers come straight in" in refused.problem


def test_a_version_of_a_service_without_versions_is_told_that_there_are_none():
    refused = refusal(orders="[[services.reports.routes]]\nto = { v1 = 100 }")
    assert refused.problem == "names 'v1': accepted are none, as there are none"


# Callers and quotas.


@pytest.mark.parametrize(
    ("told", "key", "problem"),
    [
        (
            rules('callers = ["shipping"]\nmethod = "*"\npath = "/"'),
            "services.inventory.may[0].callers",
            "names 'shipping': accepted are inventory, orders, reports",
        ),
        (
            rules(*['callers = ["orders"]\nmethod = "*"\npath = "/"'] * 2),
            "services.inventory.may[1]",
            "says what may[0] says: accepted is each rule once",
        ),
        (
            rules('callers = ["orders", "*"]\nmethod = "*"\npath = "/"')
            + "[services.inventory.quotas]\nshipping = { rate_per_s = 1, burst = 1 }",
            "services.inventory.quotas.shipping",
            "is not known: accepted are inventory, orders, reports",
        ),
        (
            rules('callers = ["orders"]\nmethod = "*"\npath = "/"')
            + "[services.inventory.quotas]\nreports = { rate_per_s = 1, burst = 1 }",
            "services.inventory.quotas.reports",
            "is for one who may not call at all: accepted are *, orders",
        ),
    ],
)
def test_who_is_unknown_or_may_not_call_is_told(told, key, problem):
    refused = refusal(told)
    assert (refused.key, refused.problem) == (key, problem)


def test_a_quota_for_one_of_all_who_may_is_accepted():
    told = rules('callers = ["*"]\nmethod = "*"\npath = "/"')
    quotas = "[services.inventory.quotas]\n"
    quotas += 'reports = { rate_per_s = 1, burst = 1 }\n"*" = { rate_per_s = 1, burst = 1 }'
    read(SHOP.format(inventory=told + quotas, orders=""))


def test_customers_have_no_names():
    may = '[[services.orders.may]]\ncallers = ["reports"]\nmethod = "*"\npath = "/"'
    assert 'accepted is ["*"], as customers have no names' in refusal(orders=may).problem
    quotas = "[services.orders.quotas]\nreports = { rate_per_s = 1, burst = 1 }"
    assert 'accepted is "*", as customers have no names' in refusal(orders=quotas).problem


# How much.


def many(service: str, count: int) -> str:
    route = '[[services.{0}.routes]]\npath = "/r"\nheaders = {{ u = "{1}" }}\nto = {{ v1 = 100 }}\n'
    listed = "".join(route.format(service, number) for number in range(count))
    return f'[services.{service}]\nversions = ["v1"]\n{listed}'


def took_s(text: str) -> tuple[float, str]:
    """What reading takes of a processor, and what is told if it is refused."""
    begin, told = time.thread_time(), ""
    try:
        read(text)
    except IntentError as error:
        told = str(error)
    return time.thread_time() - begin, told


def test_ten_thousand_routes_of_one_service_are_refused_with_the_place():
    elapsed_s, told = took_s(many("a", 10_000))
    assert told == (
        "intent.toml, line 3: services.a.routes is too long, 10000 of them: accepted are 1000"
    )
    assert elapsed_s < SECONDS_AT_MOST


def test_five_thousand_routes_of_five_services_are_accepted():
    elapsed_s, told = took_s("".join(many(f"s{number}", 1000) for number in range(5)))
    assert told == ""
    assert elapsed_s < SECONDS_AT_MOST


def test_one_more_than_five_thousand_is_refused():
    _, told = took_s("".join(f"[[services.s{number}.routes]]\n" * 834 for number in range(6)))
    assert "services is too long, 5004 routes: accepted are 5000" in told


def test_the_last_of_two_thousand_routes_is_told_with_its_line():
    text = many("s0", 1000) + many("s1", 1000)
    spoiled = text.removesuffix("to = { v1 = 100 }\n") + "to = { v1 = 99 }\n"
    elapsed_s, told = took_s(spoiled)
    assert told.startswith(f"intent.toml, line {text.count(chr(10))}: services.s1.routes[999].to")
    assert elapsed_s < SECONDS_AT_MOST


def test_too_many_services_are_refused():
    _, told = took_s("".join(f"[services.s{number}]\n" for number in range(201)))
    assert "services is too long, 201 of them: accepted are 200" in told


@pytest.mark.parametrize(
    "text",
    [
        "".join("a." * 100 + f"b{number} = 1\n" for number in range(5000)),  # 1. deep keys
        "".join(f"[{'a.' * 90}b{number}]\n" for number in range(5500)),  # 2. deep tables
        "a = [\n" + "[1],\n" * 200_000 + "]",  # 3. a long list, each line as if it were a header
        'a = """\n' + "[b]\n" * 200_000 + '"""',  # 4. text that looks like headers
        "a = [" + "{ b = 1 }, " * 300 + "]\n" + "# x\n" * 250_000,  # 5. mostly comments
        "".join(f"a{number} = 1\n" for number in range(90_000)),  # 6. many keys
        "".join("[[a]]\n" for _ in range(170_000)),  # 7. a long list of tables
    ],
    ids=range(1, 8),
)
def test_a_quarter_of_a_megabyte_of_anything_is_refused_soon(text):
    elapsed_s, told = took_s(text[:QUARTER_BYTES])
    assert told
    assert elapsed_s < SECONDS_AT_MOST / 4
