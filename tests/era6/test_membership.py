"""Who is there: heartbeats as literal times, and what is left after a crash."""

import sqlite3

import pytest

from era6_control_plane.membership import Endpoint, Membership

ONE, TWO = ("inventory", "inventory-1"), ("inventory", "inventory-2")
ORDERS = ("orders", "orders-1")


def url(port):
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "membership.db"


@pytest.fixture
def there(path):
    made = Membership(path, 0.0)
    yield made
    made.close()


@pytest.fixture
def told(there):
    lists = []
    there.on_change = lambda: lists.append(names(there))
    return lists


def names(membership):
    return [each.instance for each in membership.endpoints()]


def test_who_is_heard_of_is_there_in_order(there, told):
    there.hear(ORDERS, url(3), "", 0.0)
    there.hear(TWO, url(2), "v2", 0.1)
    there.hear(ONE, url(1), "v1", 0.2)
    assert there.endpoints() == (
        Endpoint("inventory", "inventory-1", "v1", url(1)),
        Endpoint("inventory", "inventory-2", "v2", url(2)),
        Endpoint("orders", "orders-1", "", url(3)),
    )
    assert told[-1] == ["inventory-1", "inventory-2", "orders-1"]
    assert len(told) == 3


def test_a_heartbeat_that_says_nothing_new_changes_nothing(there, told):
    for now in (0.0, 0.5, 1.0):
        there.hear(ONE, url(1), "v1", now)
    assert told == [["inventory-1"]]


def test_who_moves_or_is_another_version_is_told_of(there, told):
    there.hear(ONE, url(1), "v1", 0.0)
    there.hear(ONE, url(9), "v1", 0.5)
    there.hear(ONE, url(9), "v2", 1.0)
    assert len(told) == 3
    assert there.endpoints() == (Endpoint(*ONE, "v2", url(9)),)


def test_the_silent_are_gone_when_their_lease_is(there, told):
    there.hear(ONE, url(1), "", 0.0)
    there.hear(TWO, url(2), "", 0.0)
    there.hear(TWO, url(2), "", 1.5)
    assert there.expire(1.9) == []
    assert there.expire(2.0) == [ONE]
    assert told[-1] == ["inventory-2"]


def test_who_takes_leave_is_gone_at_once(there, told):
    there.hear(ONE, url(1), "", 0.0)
    there.hear(TWO, url(2), "", 0.0)
    there.leave(ONE)
    there.leave(ONE)
    assert told == [["inventory-1"], ["inventory-1", "inventory-2"], ["inventory-2"]]


def test_if_nobody_is_left_the_last_one_stays(there, told):
    there.hear(ONE, url(1), "", 0.0)
    there.hear(TWO, url(2), "", 1.5)
    assert there.expire(2.0) == [ONE]
    there.expire(4.0)
    assert names(there) == ["inventory-2"]
    assert told[-1] == ["inventory-2"]


def test_if_all_fall_silent_one_after_the_other_all_stay(there, told):
    there.hear(ONE, url(1), "", 0.0)
    there.hear(TWO, url(2), "", 0.6)
    for now in (2.0, 2.6, 99.0):
        assert there.expire(now) == []
    assert names(there) == told[-1] == ["inventory-1", "inventory-2"]
    assert len(told) == 2


def test_if_all_fall_silent_at_once_all_stay(there):
    there.hear(ONE, url(1), "", 0.0)
    there.hear(TWO, url(2), "", 0.0)
    there.expire(99.0)
    assert names(there) == ["inventory-1", "inventory-2"]


def test_who_was_cut_off_a_little_earlier_than_the_other_stays(there):
    """The way to us is cut node by node: the last to be cut is no better than the first."""
    there.hear(ONE, url(1), "", 0.0)
    there.hear(TWO, url(2), "", 1.4)
    assert there.expire(99.0) == []
    there.hear(ONE, url(1), "", 100.0)
    there.hear(TWO, url(2), "", 101.5)
    assert there.expire(102.0) == [ONE]


def test_when_the_first_comes_back_the_others_get_one_lease_more(there):
    there.hear(ONE, url(1), "", 0.0)
    there.hear(TWO, url(2), "", 0.0)
    there.expire(99.0)
    there.hear(TWO, url(2), "", 100.0)
    there.hear(TWO, url(2), "", 101.5)
    assert there.expire(101.9) == []
    assert names(there) == ["inventory-1", "inventory-2"]
    assert there.expire(102.0) == [ONE]
    assert names(there) == ["inventory-2"]


def test_one_services_silence_does_not_touch_another(there):
    there.hear(ONE, url(1), "", 0.0)
    there.hear(ORDERS, url(3), "", 1.0)
    there.expire(2.0)
    there.leave(ORDERS)
    assert names(there) == ["inventory-1", "orders-1"]


def test_age_is_since_the_last_heartbeat(there):
    there.hear(ONE, url(1), "", 1.0)
    there.hear(ONE, url(1), "", 2.5)
    assert there.status(4.0)[0]["age_s"] == 1.5


def test_a_restarted_registry_has_its_old_list_each_with_a_fresh_lease(there, path):
    there.hear(ONE, url(1), "v1", 0.0)
    there.hear(TWO, url(2), "v1", 0.0)
    again = Membership(path, 1000.0)  # nobody has closed the first
    assert again.endpoints() == there.endpoints()
    assert again.status(1000.5)[0]["age_s"] == 0.5
    again.hear(TWO, url(2), "v1", 1001.5)
    assert again.expire(1001.9) == []
    assert again.expire(1002.0) == [ONE]
    assert names(again) == ["inventory-2"]
    again.close()
    assert names(Membership(path, 0.0)) == ["inventory-2"]


def test_leases_begin_when_agents_can_speak(there, path):
    there.hear(ONE, url(1), "", 0.0)
    there.hear(TWO, url(2), "", 0.0)
    again = Membership(path, 10.0)
    again.renew(15.0)  # the port was opened so late
    again.hear(TWO, url(2), "", 16.5)
    assert again.expire(16.9) == []
    assert again.expire(17.0) == [ONE]


def test_callers_are_told_though_the_disk_is_full(there, told, monkeypatch):
    there.hear(ONE, url(1), "", 0.0)

    def full():
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(there._file, "transaction", full)
    with pytest.raises(sqlite3.OperationalError):
        there.hear(TWO, url(2), "", 0.5)
    assert told[-1] == ["inventory-1", "inventory-2"]


BAD_URLS = [
    *("", "127.0.0.1:1", "https://127.0.0.1:1", "http://127.0.0.1", "http://127.0.0.1:0"),
    *(
        "http://inventory:80",
        "http://127.0.0.1:1/x",
        "http://a@127.0.0.1:1",
        "http://127.0.0.1:99999",
    ),
    *(
        "http://10.0.0.1:80",
        "http://0.0.0.0:80",
        "http://127.0.0.1:1\n",
        "http://[::1]:80",
        "ü" * 500,
    ),
]


@pytest.mark.parametrize("bad", BAD_URLS)
def test_an_address_that_is_none_or_lies_elsewhere_is_refused(there, told, bad):
    with pytest.raises(ValueError, match=r"url .*accepted: http://IP:PORT inside 127\.0\.0\.0/8"):
        there.hear(ONE, bad, "v1", 0.0)
    assert told == []


@pytest.mark.parametrize("bad", ["v 1", "*", "a" * 65, "v1\n"])
def test_a_version_that_is_no_name_is_refused(there, bad):
    with pytest.raises(ValueError, match=r"version .*accepted: a name"):
        there.hear(ONE, url(1), bad, 0.0)


def test_networks_are_told(tmp_path):
    wide = Membership(tmp_path / "m.db", 0.0, ["10.0.0.0/8", "192.0.2.0/24"])
    wide.hear(ONE, "http://10.9.9.9:80", "", 0.0)
    with pytest.raises(ValueError, match="inside"):
        wide.hear(ONE, url(1), "", 0.0)
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        Membership(tmp_path / "n.db", 0.0, ["10.0.0.1/8"])
