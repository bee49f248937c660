"""Every number in one place: the plan's defaults, and refusals that say what to mend."""

import dataclasses
import math

import pytest

from era0_naive import shop
from era4_framework.config import (
    BackoffConfig,
    BalancerConfig,
    BreakerConfig,
    BudgetConfig,
    ClientConfig,
    ConfigError,
    QuotaConfig,
    RetryConfig,
    ServerConfig,
    from_toml,
    read,
)
from era4_framework.identity import Identity
from era4_framework.outcomes import Operation
from era4_framework.stack import server_stack
from era4_framework.telemetry import Telemetry

CONFIGS = (
    BackoffConfig(),
    BudgetConfig(),
    RetryConfig(),
    BreakerConfig(),
    QuotaConfig(5, 10),
    ClientConfig(),
    ServerConfig(),
)
NUMBERS = [
    (type(config), field.name)
    for config in CONFIGS
    for field in dataclasses.fields(config)
    if isinstance(getattr(config, field.name), int | float)
]


def with_one(kind, key, value):
    """A configuration of this kind in which one number differs from a valid one."""
    [valid] = [config for config in CONFIGS if type(config) is kind]
    return dataclasses.replace(valid, **{key: value})


def test_a_client_s_defaults_are_what_era_3_had_as_constants():
    assert dataclasses.asdict(ClientConfig()) == {
        "deadline_s": 3.0,
        "try_timeout_s": 0.5,
        "poll_s": 0.5,
        "retry": {
            "attempts": 3,
            "backoff": {"base_s": 0.025, "cap_s": 0.25},
            "budget": {"percent": 20.0, "min_retries_per_s": 10.0, "ttl_s": 10.0},
        },
        "breaker": {
            "consecutive_failures": 5,
            "failure_percent": 0.0,
            "least_calls": 20,
            "window_calls": 100,
            "window_s": 10.0,
            "cool_down_s": 1.0,
            "cool_down_growth_s": 0.0,
            "longest_cool_down_s": 300.0,
            "forget_trip_s": 10.0,
            "probes": 1,
        },
        "balancer": {"kind": "p2c"},
    }


def test_a_server_s_defaults_let_nobody_in():
    assert dataclasses.asdict(ServerConfig()) == {
        "threads": 16,
        "most_in_flight": 12,
        "max_body_bytes": 65536,
        "deadline_s": 3.0,
        "settle_s": 1.0,
        "drain_s": 3.0,
        "heartbeat_s": 0.5,
        "lease_s": 2.0,
        "may": {},
        "quotas": {},
    }


@pytest.mark.parametrize(("kind", "key"), NUMBERS)
@pytest.mark.parametrize("value", [True, False, "1", None, math.nan, math.inf, -math.inf, -1, 1e9])
def test_what_is_no_number_or_out_of_range_is_refused_by_name(kind, key, value):
    with pytest.raises(ConfigError, match="accepted is") as refusal:
        with_one(kind, key, value)
    assert refusal.value.key == key
    assert repr(value) in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "key"),
    [(kind, key) for kind, key in NUMBERS if key in ("attempts", "probes", "threads")],
)
def test_where_whole_numbers_are_counted_a_float_is_refused(kind, key):
    with pytest.raises(ConfigError, match=rf"{key} is 2.0: accepted is a whole number from"):
        with_one(kind, key, 2.0)


@pytest.mark.parametrize("value", [5, 5.0])
def test_a_duration_may_be_written_with_or_without_a_point(value):
    assert ClientConfig(deadline_s=value).deadline_s == 5


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: BackoffConfig(base_s=0.5, cap_s=0.1),
            "cap_s is 0.1: accepted is at least base_s, 0.5",
        ),
        (
            lambda: BreakerConfig(consecutive_failures=0),
            "consecutive_failures is 0: accepted is at least 1 if failure_percent is 0",
        ),
        (
            lambda: BreakerConfig(least_calls=101, window_calls=100),
            "least_calls is 101: accepted is at most window_calls, 100",
        ),
        (
            lambda: BreakerConfig(cool_down_s=30, longest_cool_down_s=10),
            "longest_cool_down_s is 10: accepted is at least cool_down_s, 30",
        ),
        (
            lambda: ClientConfig(deadline_s=0.2),
            "try_timeout_s is 0.5: accepted is at most deadline_s, 0.2",
        ),
        (
            lambda: ServerConfig(threads=4),
            "most_in_flight is 12: accepted is less than threads, 4",
        ),
        (
            lambda: ServerConfig(heartbeat_s=1.5),
            "lease_s is 2.0: accepted is at least twice heartbeat_s, 1.5",
        ),
        (
            lambda: BalancerConfig("random"),
            "kind is 'random': accepted is 'p2c' or 'round_robin'",
        ),
        (
            lambda: ServerConfig(may={"reserve": "orders"}),
            "may.reserve is 'orders': accepted is a list of callers' names",
        ),
        (
            lambda: ServerConfig(may={"reserve": (1,)}),
            "may.reserve is (1,): accepted is a list of callers' names",
        ),
        (
            lambda: ServerConfig(threads=12, most_in_flight=12),
            "most_in_flight is 12: accepted is less than threads, 12",
        ),
        (
            lambda: ServerConfig(quotas={"orders": 5}),
            "quotas.orders is 5: accepted is a QuotaConfig",
        ),
    ],
)
def test_what_cannot_go_together_is_refused_with_the_reason(make, told):
    with pytest.raises(ConfigError) as refusal:
        make()
    assert str(refusal.value).startswith(told)


def test_the_edges_of_what_goes_together_are_accepted():
    BackoffConfig(base_s=0.1, cap_s=0.1)
    BreakerConfig(consecutive_failures=0, failure_percent=50)
    BreakerConfig(least_calls=100, window_calls=100)
    BreakerConfig(cool_down_s=10, longest_cool_down_s=10)
    ClientConfig(deadline_s=0.5, try_timeout_s=0.5)
    ServerConfig(threads=13, most_in_flight=12)
    ServerConfig(heartbeat_s=1.0, lease_s=2.0)


def test_more_attempts_than_slow_tries_fit_into_the_deadline_are_allowed():
    """Failures that come fast leave time for all of them."""
    config = ClientConfig(deadline_s=0.5, try_timeout_s=0.5, retry=RetryConfig(attempts=10))
    assert config.retry.attempts == 10


def test_no_retries_and_no_budget_are_allowed():
    assert RetryConfig(attempts=1, budget=BudgetConfig(percent=0, min_retries_per_s=0))


@pytest.mark.parametrize("config", CONFIGS)
def test_a_configuration_does_not_change(config):
    name = dataclasses.fields(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, name, 1)


# Reading.


def test_what_a_table_does_not_say_has_its_default():
    config = read(ClientConfig, {"retry": {"backoff": {"cap_s": 1.0}}})
    assert config == ClientConfig(retry=RetryConfig(backoff=BackoffConfig(cap_s=1.0)))
    assert read(ClientConfig, {}) == ClientConfig()


def test_callers_are_named_in_tables_and_lists():
    config = read(
        ServerConfig,
        {"may": {"reserve": ["orders"]}, "quotas": {"orders": {"rate_per_s": 500, "burst": 1000}}},
    )
    assert config.may == {"reserve": ("orders",)}
    assert config.quotas == {"orders": QuotaConfig(500, 1000)}


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            {"try_timout_s": 1.0},
            "client.try_timout_s is not known: accepted are deadline_s, try_timeout_s, poll_s,"
            " retry, breaker, balancer; try_timeout_s is the nearest",
        ),
        (
            {"breaker": {"cooldown_s": 1.0}},
            "client.breaker.cooldown_s is not known: ",
        ),
        ({"xyz": 1}, "client.xyz is not known: "),
        (
            {"retry": {"budget": {"ttl_s": 0.5}}},
            "client.retry.budget.ttl_s is 0.5: accepted is a number from 1 to 60",
        ),
        ({"try_timeout_s": 9}, "client.try_timeout_s is 9: accepted is at most deadline_s, 3.0"),
        ({"retry": 3}, "client.retry is 3: accepted is a table, [client.retry]"),
        ({"deadline_s": [1]}, "client.deadline_s is [1]: accepted is a number from 0.001 to 3600"),
    ],
)
def test_a_table_is_refused_with_the_whole_path_to_the_key(table, told):
    with pytest.raises(ConfigError) as refusal:
        read(ClientConfig, table, "client")
    assert told in str(refusal.value)
    assert str(refusal.value).startswith("client.")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"quotas": {"orders": {"rate_per_s": 0, "burst": 1}}}, "quotas.orders.rate_per_s is 0"),
        (
            {"quotas": {"orders": {"rate": 1}}},
            "accepted are rate_per_s, burst; rate_per_s is the nearest",
        ),
        ({"quotas": {"orders": {"burst": 1}}}, "quotas.orders.rate_per_s is missing"),
        ({"quotas": {"orders": 5}}, "quotas.orders is 5: accepted is a table"),
        ({"quotas": [1]}, "quotas is [1]: accepted is a table"),
        ({"may": {"reserve": "orders"}}, "may.reserve is 'orders': accepted is a list"),
        ({"may": 1}, "may is 1: accepted is a table"),
    ],
)
def test_what_is_said_of_callers_is_read_as_strictly(table, told):
    with pytest.raises(ConfigError) as refusal:
        read(ServerConfig, table)
    assert told in str(refusal.value)


def test_a_long_value_is_quoted_only_in_part():
    with pytest.raises(ConfigError) as refusal:
        BalancerConfig("p" * 10_000)
    assert len(str(refusal.value)) < 200


def test_a_toml_file_is_read_like_a_table(tmp_path):
    path = tmp_path / "client.toml"
    path.write_text("deadline_s = 2\n[breaker]\nprobes = 3\n[balancer]\nkind = 'round_robin'\n")
    assert from_toml(ClientConfig, path) == ClientConfig(
        deadline_s=2,
        breaker=BreakerConfig(probes=3),
        balancer=BalancerConfig("round_robin"),
    )


@pytest.mark.parametrize("content", [b"deadline_s = ", b"deadline_s = 1\ndeadline_s = 2", b"\xff"])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / "client.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is no TOML") as refusal:
        from_toml(ClientConfig, path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (
            ServerConfig(may={"reserv": ("orders",)}),
            "may.reserv is not known: accepted are reserve, release; reserve is the nearest",
        ),
        (
            ServerConfig(may={"reserve": ("orders",)}, quotas={"order": QuotaConfig(1, 1)}),
            "quotas.order is not known: accepted are orders; orders is the nearest",
        ),
    ],
)
def test_who_and_what_there_is_not_is_refused_with_the_nearest_name(config, told):
    operations = [
        Operation("reserve", "PUT", "/<text:key>", shop.Outcome),
        Operation("release", "DELETE", "/<text:key>", shop.Outcome),
    ]
    with pytest.raises(ConfigError) as refusal:
        server_stack(operations, Identity(b"x" * 32, "inventory"), Telemetry("i-1"), config)
    assert str(refusal.value) == told
