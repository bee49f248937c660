"""What the sidecar counts, read with prometheus_client."""

import timeit

from prometheus_client.parser import text_string_to_metric_families

from era5_sidecar import metrics as module
from era5_sidecar.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple, float]:
    """(name, labels) -> value, as Prometheus reads it."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (each.name, *sorted(each.labels.items())): each.value
        for family in families
        for each in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[(name, *sorted(labels.items()))]


def test_what_is_counted_is_what_prometheus_reads():
    metrics = Metrics()
    metrics.request("inbound", "orders", "inventory", "PUT", 200, 0.003)
    metrics.request("inbound", "orders", "inventory", "PUT", 200, 7.0)
    metrics.request("inbound", "orders", "inventory", "GET", 503, 0.001)
    metrics.attempt("inventory", "inventory-1", "success")
    metrics.refused("inbound", "overloaded")
    metrics.retry("inventory")
    link = {"direction": "inbound", "caller": "orders", "callee": "inventory"}
    assert value(metrics, "requests_total", **link, method="PUT", status="200") == 2
    assert value(metrics, "requests_total", **link, method="GET", status="503") == 1
    attempt = {"callee": "inventory", "instance": "inventory-1", "verdict": "success"}
    assert value(metrics, "attempts_total", **attempt) == 1
    assert value(metrics, "refused_total", direction="inbound", reason="overloaded") == 1
    assert value(metrics, "retries_total", callee="inventory") == 1


def test_a_histogram_counts_up_to_each_edge_and_everything_in_the_end():
    metrics = Metrics()
    for seconds in (0.001, 0.0011, 5.0, 5.1):
        metrics.request("inbound", "a", "b", "GET", 200, seconds)
    link = {"direction": "inbound", "caller": "a", "callee": "b"}
    counts = {
        le: value(metrics, "request_seconds_bucket", **link, le=le)
        for le in ("0.001", "0.0025", "5.0", "+Inf")
    }
    assert counts == {"0.001": 1, "0.0025": 2, "5.0": 3, "+Inf": 4}
    assert value(metrics, "request_seconds_count", **link) == 4
    assert round(value(metrics, "request_seconds_sum", **link), 4) == 10.1021


def test_types_are_told_as_prometheus_knows_them():
    metrics = Metrics()
    metrics.request("inbound", "a", "b", "GET", 200, 0.1)
    metrics.gauge("in_flight", "now", (), lambda: [((), 3)])
    metrics.gauge("lost_log_lines_total", "lost", (), lambda: [((), 4)])
    families = text_string_to_metric_families(metrics.exposition().decode())
    kinds = {family.name: family.type for family in families}
    assert kinds["requests"] == kinds["lost_log_lines"] == "counter"
    assert kinds["request_seconds"] == "histogram"
    assert kinds["in_flight"] == "gauge"


def test_a_gauge_is_asked_at_each_scrape():
    metrics, now = Metrics(), [1.0]
    metrics.gauge("load", "how much", ("instance",), lambda: [(("i-1",), now[0])])
    assert value(metrics, "load", instance="i-1") == 1
    now[0] = 2.5
    assert value(metrics, "load", instance="i-1") == 2.5


def test_of_an_instance_that_is_gone_nothing_is_told():
    metrics = Metrics()
    for name in ("i-1", "i-2"):
        metrics.attempt("inventory", name, "success")
    metrics.forget("inventory", "i-1")
    assert b"i-1" not in metrics.exposition()
    assert b"i-2" in metrics.exposition()


def test_a_method_or_status_that_there_is_not_makes_no_series_of_its_own():
    metrics = Metrics()
    for number in range(100):
        metrics.request("inbound", "a", "b", f"X{number}", 600 + number, 0.1)
    link = {"direction": "inbound", "caller": "a", "callee": "b"}
    assert value(metrics, "requests_total", **link, method="other", status="0") == 100
    assert metrics.exposition().count(b"requests_total{") == 1


def test_labels_that_need_escaping_are_read_as_they_were():
    metrics = Metrics()
    metrics.refused('a"b\\c\nd', "x")
    assert value(metrics, "refused_total", direction='a"b\\c\nd', reason="x") == 1


def test_however_many_callers_there_are_the_series_are_not_more_than_that(monkeypatch):
    monkeypatch.setattr(module, "MOST_SERIES", 3)
    metrics = Metrics()
    for number in range(100):
        metrics.request("inbound", f"caller-{number}", "b", "GET", 200, 0.1)
        metrics.attempt("b", f"instance-{number}", "success")
    of = {key: told for key, told in samples(metrics).items() if key[0] == "requests_total"}
    assert len(of) == 4
    assert sum(of.values()) == 100
    of = {key: told for key, told in samples(metrics).items() if key[0] == "attempts_total"}
    assert len(of) == 4
    assert sum(of.values()) == 100


def test_nothing_counted_is_an_exposition_too():
    assert samples(Metrics()) == {}


def test_counting_costs_little():
    """0.25 us where it was written; ten times that is a mistake, and no busy machine."""
    metrics, times = Metrics(), 10_000
    ask = lambda: metrics.request("inbound", "orders", "inventory", "PUT", 200, 0.003)  # noqa: E731
    assert min(timeit.repeat(ask, number=times, repeat=5)) / times < 2.5e-6
