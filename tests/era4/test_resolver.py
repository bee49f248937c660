"""Finding instances, and being found: what is believed of a registry, and when."""

import json
import logging
import threading
import time
from collections.abc import Callable

import pytest

from era4_framework.config import ServerConfig
from era4_framework.endpoints import Instance
from era4_framework.identity import Identity
from era4_framework.resolver import Discovery, Known, Lease, read_instances
from tests.era3 import fakes
from tests.era3.fakes import response, says
from tests.era3.tokens import SECRET

ONE = {"name": "inventory-1", "url": "http://127.0.0.1:7001"}
TWO = {"name": "inventory-2", "url": "http://127.0.0.1:7002"}
FIRST = Instance("inventory-1", "http://127.0.0.1:7001")
PATIENCE_S = 10.0


def listed(*entries: object) -> dict[str, object]:
    return {"service": "inventory", "instances": list(entries)}


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


# ---- what is believed


def test_what_is_heard_is_known_by_name():
    known = Known()
    known.hear(listed(TWO, ONE))
    assert [each.name for each in known.instances] == ["inventory-1", "inventory-2"]
    assert known.complaint == ""


def test_an_empty_world_is_not_believed():
    """A registry that has just started knows nobody yet."""
    known = Known()
    known.hear(listed(ONE))
    known.hear(listed())
    assert known.instances == (FIRST,)
    assert known.complaint


def test_a_dead_registry_changes_nothing():
    known = Known()
    known.hear(listed(ONE))
    known.hear_nothing("registry: no connection")
    assert known.instances == (FIRST,)
    assert known.complaint == "registry: no connection"
    assert repr(known) == "<Known inventory-1>"


def test_who_is_gone_is_forgotten_as_long_as_somebody_is_left():
    known = Known()
    known.hear(listed(ONE, TWO))
    known.hear(listed(ONE))
    assert known.instances == (FIRST,)


def test_the_same_list_again_is_the_same_object():
    """So whoever keeps something for each instance sees at a glance that nothing has changed."""
    known = Known()
    known.hear(listed(ONE))
    before = known.instances
    known.hear(listed(ONE))
    assert known.instances is before


@pytest.mark.parametrize(
    "answer",
    [None, [], "x", 7, {}, {"instances": None}, {"instances": {}}, {"instances": "ab"}],
)
def test_nonsense_is_nobody(answer):
    assert read_instances(answer) == ()


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "inventory-1",
        [],
        {},
        {"name": "x"},
        {"name": "x", "url": None},
        {"name": "x", "url": 7},
        {"name": "x", "url": "https://127.0.0.1:1"},
        {"name": "x", "url": "http://127.0.0.1"},
        {"name": "x", "url": "http://user:password@127.0.0.1:1"},
        {"name": "x", "url": "http://127.0.0.1:1/path"},
        {"name": "x", "url": "http://127.0.0.1:99999"},
        {"name": "x", "url": "http://127.0.0.1:1\r\nX: y"},
        {"name": "x", "url": "http://localhost:1"},
        {"name": "x", "url": "http://2130706433:1"},
        {"name": "", "url": "http://127.0.0.1:1"},
        {"name": "a b", "url": "http://127.0.0.1:1"},
        {"name": "x" * 65, "url": "http://127.0.0.1:1"},
        {"name": 7, "url": "http://127.0.0.1:1"},
    ],
)
def test_an_entry_that_makes_no_sense_is_left_out_alone(entry):
    assert read_instances(listed(entry, ONE)) == (FIRST,)


def test_of_a_list_without_end_a_hundred_are_known():
    many = [{"name": f"i-{n}", "url": f"http://127.0.0.1:{n}"} for n in range(1, 500)]
    assert len(read_instances(listed(*many))) == 100


# ---- asking


def test_a_client_asks_at_once_and_goes_on_asking():
    with fakes.server(says(response(listed(ONE)))) as (url, heard):
        discovery = Discovery(url, "inventory", poll_s=0.01)
        discovery.start()
        assert discovery() == (FIRST,)
        until(lambda: len(heard) > 3)
        discovery.stop()
    assert heard[0].startswith(b"GET /services/inventory HTTP/1.1\r\n")
    assert discovery() == (FIRST,), "the registry is dead now"


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense", response(b"<html>"), response([ONE]), response(listed(ONE), 500)]
)
def test_a_client_starts_although_the_registry_talks_rubbish(answer, caplog):
    with caplog.at_level(logging.WARNING), fakes.server(says(answer)) as (url, _):
        discovery = Discovery(url, "inventory", poll_s=60)
        discovery.start()
        discovery.stop()
    assert discovery() == ()
    assert "registry complaint=" in caplog.text


def test_who_has_stopped_asking_keeps_what_is_known():
    with fakes.server(says(response(listed(ONE)))) as (url, heard):
        discovery = Discovery(url, "inventory", poll_s=0.01)
        discovery.start()
        discovery.stop()
        until(lambda: "discovery" not in {each.name for each in threading.enumerate()})
        assert len(heard) <= 2, "the one at the start, and one that was under way"
    assert discovery() == (FIRST,)


def test_a_registry_that_is_no_url_is_refused():
    with pytest.raises(ValueError, match="accepted: http://HOST:PORT"):
        Discovery("registry", "inventory", 1)


# ---- being found


def lease_at(url: str, advertise: str | None = None) -> Lease:
    config = ServerConfig(heartbeat_s=0.02, lease_s=1)
    return Lease(url, "inventory-1", Identity(SECRET, "inventory"), config, advertise)


def test_an_instance_registers_renews_and_leaves():
    with fakes.server(says(response({}))) as (url, heard):
        lease, before = lease_at(url), set(threading.enumerate())
        lease.take("http://127.0.0.1:7001")
        assert len(heard) == 1, "it was heard before anybody is told that we are ready"
        until(lambda: len(heard) > 3)
        lease.give_back()
        until(lambda: before >= set(threading.enumerate()))  # no heart that could beat again
    first, last = heard[0], heard[-1]
    assert first.startswith(b"PUT /services/inventory/inventory-1 HTTP/1.1\r\n")
    assert json.loads(first.partition(b"\r\n\r\n")[2]) == {
        "url": "http://127.0.0.1:7001",
        "lease_s": 1,
    }
    assert last.startswith(b"DELETE /services/inventory/inventory-1 HTTP/1.1\r\n")
    assert all(b"Authorization: Bearer ey" in each for each in heard)


def test_an_instance_behind_a_relay_registers_the_relay():
    with fakes.server(says(response({}))) as (url, heard):
        lease = lease_at(url, advertise="http://127.0.0.1:9000")
        lease.take("http://127.0.0.1:7001")
        lease.give_back()
    assert b"http://127.0.0.1:9000" in heard[0]


def test_an_instance_that_is_refused_does_not_start():
    refused = response({"detail": "url is none of ours"}, 400)
    with (
        fakes.server(says(refused)) as (url, _),
        pytest.raises(ValueError, match="the registry refused: url is none of ours"),
    ):
        lease_at(url).take("http://192.0.2.1:80")


def test_an_instance_waits_for_a_registry_that_starts_later():
    answers = [response({}, 500), response({}, 500), response({})]
    served = iter(answers)

    def script(connection) -> None:
        connection.sendall(next(served, answers[-1]))

    with fakes.server(script) as (url, heard):
        lease = lease_at(url)
        lease.take("http://127.0.0.1:7001")
        assert len(heard) == 3
        lease.give_back()


def test_a_registry_that_dies_keeps_nobody_from_leaving():
    with fakes.server(says(response({}))) as (url, _):
        lease = lease_at(url)
        lease.take("http://127.0.0.1:7001")
    left = threading.Thread(target=lease.give_back)
    left.start()
    left.join(5)
    assert not left.is_alive()
