"""Join tokens: good once, for one instance, for a while, and never shown again."""

import threading

import pytest

from era0_naive.sqlite_file import SqliteFile
from era6_control_plane import tokens
from era6_control_plane.tokens import LONGEST_LIFE_S, TokenRefused, Tokens

NOW = 1_800_000_000.0
ME = ("inventory", "inventory-1")
KEY, OTHER_KEY = "a" * 64, "b" * 64


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokens.db"


@pytest.fixture
def ours(path):
    return Tokens(SqliteFile(path, tokens.SCHEMA))


def test_a_token_lets_one_instance_in(ours):
    ours.redeem(ours.new(*ME, 60, NOW), *ME, KEY, NOW + 59)


def test_a_token_that_was_used_is_of_no_use_to_another_key(ours):
    token = ours.new(*ME, 60, NOW)
    ours.redeem(token, *ME, KEY, NOW)
    with pytest.raises(TokenRefused, match="was used already"):
        ours.redeem(token, *ME, OTHER_KEY, NOW)


def test_whose_answer_was_lost_may_ask_again_with_the_same_key(ours):
    token = ours.new(*ME, 60, NOW)
    ours.redeem(token, *ME, KEY, NOW)
    ours.redeem(token, *ME, KEY, NOW + 1)
    with pytest.raises(TokenRefused, match="has expired"):
        ours.redeem(token, *ME, KEY, NOW + 60)


def test_used_is_used_after_a_restart(ours, path):
    token = ours.new(*ME, 60, NOW)
    ours.redeem(token, *ME, KEY, NOW)
    again = Tokens(SqliteFile(path, tokens.SCHEMA))
    with pytest.raises(TokenRefused, match="was used already"):
        again.redeem(token, *ME, OTHER_KEY, NOW)


def test_of_many_who_bring_it_at_once_one_gets_in(ours, path):
    token = ours.new(*ME, 60, NOW)
    begin, outcomes = threading.Barrier(8), []

    def bring(key):
        mine = Tokens(SqliteFile(path, tokens.SCHEMA)) if key % 2 else ours
        begin.wait()
        try:
            mine.redeem(token, *ME, f"{key:064x}", NOW)
            outcomes.append("in")
        except TokenRefused as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=bring, args=(key,)) for key in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["in"] + ["the token was used already"] * 7


def test_a_token_for_another_is_refused_and_stays_good(ours):
    token = ours.new(*ME, 60, NOW)
    for other in (("orders", "inventory-1"), ("inventory", "inventory-2")):
        with pytest.raises(TokenRefused, match="for another instance"):
            ours.redeem(token, *other, KEY, NOW)
    ours.redeem(token, *ME, KEY, NOW)


def test_an_expired_token_is_refused(ours):
    token = ours.new(*ME, 60, NOW)
    with pytest.raises(TokenRefused, match="has expired"):
        ours.redeem(token, *ME, KEY, NOW + 60)


def forgeries(token):
    name, _, secret = token.partition(".")
    last = "A" if secret[-1] != "A" else "B"
    yield from ("", ".", "nonsense", name, f"{name}.", f".{secret}", f"{'0' * 12}.{secret}")
    yield from (
        f"{name}.{secret[:-1]}{last}",
        f"{token} ",
        f"{name}.ä\ud800",
        f"{token}.{token}",
        f"\ud800.{secret}",
    )


def test_a_forged_token_learns_nothing_of_ours(ours):
    token = ours.new(*ME, 60, NOW)
    for each in forgeries(token):
        with pytest.raises(TokenRefused) as caught:
            ours.redeem(each, "orders", "orders-9", KEY, NOW + 1000)  # wrong in every other way too
        assert str(caught.value) == "the token is none of ours"
    ours.redeem(token, *ME, KEY, NOW)


def test_nothing_that_is_kept_or_told_shows_the_secret(ours, path):
    token = ours.new(*ME, 60, NOW)
    ours.redeem(token, *ME, KEY, NOW)
    with pytest.raises(TokenRefused) as caught:
        ours.redeem(token, *ME, OTHER_KEY, NOW)
    secret = token.partition(".")[2]
    kept = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert secret.encode() not in kept
    assert secret not in str(caught.value)


@pytest.mark.parametrize("life_s", [0, -1, LONGEST_LIFE_S + 1, float("nan"), "60", True])
def test_a_life_that_is_none_is_refused(ours, life_s):
    with pytest.raises(ValueError, match=r"life_s .*accepted: more than 0"):
        ours.new(*ME, life_s, NOW)


@pytest.mark.parametrize(
    "service",
    ["pilot", "lab", "agent", "app", "citadel", "operator", "localhost"],
)
def test_reserved_names_get_no_token(ours, service):
    with pytest.raises(ValueError, match="accepted: any but"):
        ours.new(service, "one", 60, NOW)


@pytest.mark.parametrize(
    "service",
    ["", "Pilot", "pilot.", "a_b", "-a", "a-", "a..b", "*", "a" * 64, "../x", "a\n", None],
)
def test_names_that_dns_does_not_know_get_no_token(ours, service):
    with pytest.raises(ValueError, match="as in a DNS name"):
        ours.new(service, "one", 60, NOW)


@pytest.mark.parametrize("instance", ["", "a/b", "a" * 65, "*", None, "-a"])
def test_instances_without_a_name_get_no_token(ours, instance):
    with pytest.raises(ValueError, match=r"instance .*accepted: 1 to 64"):
        ours.new("inventory", instance, 60, NOW)
