"""Who may come in, how many, how much and until when; on virtual time."""

import pytest

from era4_framework.config import QuotaConfig
from era4_framework.errors import DeadlinePassed, Denied, NotKnown, Overloaded, QuotaExceeded
from era5_sidecar.config import InboundConfig, Rule
from era5_sidecar.fields import BadMessage
from era5_sidecar.filters import Admission
from era5_sidecar.http1 import RequestHead

PUT = Rule(("orders",), "PUT", "/reservations/")
READ = Rule(("*",), "GET", "/open/")
ONE = QuotaConfig(rate_per_s=1.0, burst=1.0)
TWO = QuotaConfig(rate_per_s=1.0, burst=2.0)


def admission(**told) -> Admission:
    return Admission(InboundConfig(**{"listen": "http://127.0.0.1:0", "may": (PUT, READ), **told}))


def head(first: bytes = b"PUT /reservations/o-1", *lines: bytes) -> RequestHead:
    return RequestHead(b"\r\n".join((first + b" HTTP/1.1", b"Host: h", *lines)), 20)


def told(text: bytes) -> RequestHead:
    return head(b"PUT /reservations/o-1", b"X-Deadline-Ms: " + text)


# Who, and for what.


def test_what_a_rule_allows_is_let_in():
    assert admission().admit("orders", head(), 1.0).left_s(1.0) == 3.0
    assert admission().admit("", head(b"GET /open/a?b=//"), 1.0)


@pytest.mark.parametrize(
    ("caller", "first"),
    [
        ("reports", b"PUT /reservations/o-1"),
        ("orders", b"DELETE /reservations/o-1"),
        ("orders", b"PUT /reservation"),
        ("orders", b"PUT /x?/reservations/"),
        ("orders", b"PUT /Reservations/o-1"),
        ("orders", b"HEAD /open/a"),
    ],
)
def test_what_none_allows_is_denied(caller, first):
    with pytest.raises(Denied, match=f"{caller} may not"):
        admission().admit(caller, head(first), 0.0)


def test_who_has_no_name_is_not_known_rather_than_denied():
    with pytest.raises(NotKnown):
        admission().admit("", head(), 0.0)


@pytest.mark.parametrize(
    "path",
    [
        b"/reservations/../secret",
        b"/reservations/..",
        b"/reservations/./a",
        b"/reservations//a",
        b"/reservations/%2e%2E/secret",
        b"/reservations/%2Fsecret",
        b"/reservations/..%5csecret",
        b"/reservations/..\\secret",
    ],
)
def test_a_path_with_two_readings_is_not_let_in_where_a_part_is_allowed(path):
    with pytest.raises(Denied):
        admission().admit("orders", head(b"PUT " + path), 0.0)


def test_where_everything_is_allowed_there_is_nothing_to_get_around():
    everything = admission(may=(Rule(("*",), "*", "/"),))
    assert everything.admit("", head(b"GET /a/../b"), 0.0)


@pytest.mark.parametrize("path", [b"/open/a..b", b"/open/a.", b"/open/a?x=/../", b"/open/%41"])
def test_what_has_one_reading_is_not_mistaken_for_two(path):
    assert admission().admit("", head(b"GET " + path), 0.0)


def test_if_no_rule_is_there_nobody_may_do_anything():
    with pytest.raises(Denied):
        admission(may=()).admit("orders", head(), 0.0)


# The order of refusals: each says no more than its asker may know.


def test_first_full_then_unknown_then_used_up_then_late():
    inside = admission(most_in_flight=1, quotas={"*": ONE})
    late = b"X-Deadline-Ms: 0"
    unknown, wanted = head(b"PUT /reservations/o-1", late), head(b"GET /open/a", late)
    inside.in_flight = 1
    with pytest.raises(Overloaded, match="1 requests are under way"):
        inside.admit("", unknown, 0.0)
    inside.in_flight = 0
    for _ in range(3):  # who may not takes nothing out of a quota
        with pytest.raises(NotKnown):
            inside.admit("", unknown, 0.0)
    with pytest.raises(DeadlinePassed):
        inside.admit("", wanted, 0.0)
    with pytest.raises(QuotaExceeded):
        inside.admit("", wanted, 0.0)
    assert inside.in_flight == 0


def test_when_a_body_has_arrived_it_is_asked_again_whether_there_is_room_and_time():
    inside = admission(most_in_flight=1)
    deadline = inside.admit("orders", head(), 0.0)
    inside.in_flight = 1  # itself
    inside.look_again(deadline, 2.9)
    with pytest.raises(DeadlinePassed, match="while it arrived"):
        inside.look_again(deadline, 3.0)
    inside.in_flight = 2
    with pytest.raises(Overloaded, match="1 requests"):
        inside.look_again(deadline, 0.0)


# How much.


def test_each_caller_has_its_quota_and_the_others_one_together():
    may = (Rule(("orders", "reports", "audit"), "PUT", "/"),)
    inside = admission(may=may, quotas={"orders": ONE, "*": ONE})
    inside.admit("orders", head(), 0.0)
    inside.admit("reports", head(), 0.0)
    for caller in ("orders", "reports", "audit"):
        with pytest.raises(QuotaExceeded, match=f"the quota of {caller}") as error:
            inside.admit(caller, head(), 0.5)
        assert error.value.retry_after_s == 1
    assert inside.admit("audit", head(), 1.0)


def test_a_reload_gives_nobody_a_new_quota_who_has_none_left():
    config = {"may": (READ,), "quotas": {"*": ONE}}
    inside = admission(**config)
    inside.admit("", head(b"GET /open/a"), 0.0)
    for number in range(3):
        inside.obey(InboundConfig(listen="http://127.0.0.1:0", deadline_s=1.0 + number, **config))
        with pytest.raises(QuotaExceeded):
            inside.admit("", head(b"GET /open/a"), 0.1)


def test_one_that_was_changed_begins_anew_and_one_that_was_dropped_is_gone():
    inside = admission(quotas={"*": ONE})
    inside.admit("", head(b"GET /open/a"), 0.0)
    inside.obey(InboundConfig(listen="http://127.0.0.1:0", may=(READ,), quotas={"*": TWO}))
    inside.admit("", head(b"GET /open/a"), 0.0)
    inside.admit("", head(b"GET /open/a"), 0.0)
    inside.obey(InboundConfig(listen="http://127.0.0.1:0", may=(READ,)))
    for _ in range(100):
        inside.admit("", head(b"GET /open/a"), 0.0)


def test_what_was_allowed_is_not_remembered_beyond_a_reload():
    inside = admission()
    inside.admit("orders", head(), 0.0)
    inside.obey(InboundConfig(listen="http://127.0.0.1:0", may=(READ,)))
    with pytest.raises(Denied):
        inside.admit("orders", head(), 0.0)


# Until when.


def test_without_a_header_it_is_what_the_file_says():
    deadline = admission(deadline_s=2.0).admit("orders", head(), 10.0)
    assert (deadline.at, deadline.granted_ms) == (12.0, 2000)


@pytest.mark.parametrize("is_edge", [True, False])
def test_a_header_can_only_shorten_it_whoever_wrote_it(is_edge):
    may = (Rule(("*",), "PUT", "/"),)
    inside = admission(may=may, is_edge=is_edge)
    assert inside.admit("", told(b"250"), 10.0).at == pytest.approx(10.25)
    assert inside.admit("", told(b"999999999"), 10.0).at == 13.0


def test_one_that_has_passed_is_refused_before_anything_is_done():
    with pytest.raises(DeadlinePassed, match="nothing was done"):
        admission().admit("orders", told(b"0"), 0.0)


@pytest.mark.parametrize("text", [b"", b"-1", b"+1", b"1.5", b"1e3", b"1_0", b"\xb2", b"9" * 10])
def test_one_that_is_none_is_said_to_be_none(text):
    with pytest.raises(BadMessage, match="accepted is a whole number of milliseconds"):
        admission().admit("orders", told(text), 0.0)
