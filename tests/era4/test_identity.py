"""Tokens: from whom, for whom, for how long; and the secret that is in nothing."""

import time

import jwt
import pytest

from era4_framework.errors import NotKnown
from era4_framework.identity import Identity, read_secret
from tests.era3.tokens import BAD_TOKENS, SECRET, token
from tests.era4.virtual import Clock


def test_a_token_proves_its_sender_to_its_receiver():
    sent = Identity(SECRET, "orders").token_for("inventory")
    assert Identity(SECRET, "inventory").caller_of(sent) == "orders"


def test_a_token_for_one_service_opens_no_other():
    sent = Identity(SECRET, "orders").token_for("inventory")
    with pytest.raises(NotKnown, match="InvalidAudienceError"):
        Identity(SECRET, "registry").caller_of(sent)


def test_a_token_is_signed_once_and_again_at_half_its_life():
    clock = Clock(time.time())
    identity = Identity(SECRET, "orders", life_s=60, clock=clock)
    first = identity.token_for("inventory")
    clock.sleep(29.9)
    assert identity.token_for("inventory") == first
    clock.sleep(0.2)
    assert identity.token_for("inventory") != first


@pytest.mark.parametrize(("behind_s", "is_known"), [(4, True), (6, False)])
def test_clocks_may_differ_by_five_seconds(behind_s, is_known):
    """Expired or issued in the future: to a receiver whose clock is a little off, neither."""
    receiver = Identity(SECRET, "inventory")
    for clock in (Clock(time.time() - 60 - behind_s), Clock(time.time() + behind_s)):
        sent = Identity(SECRET, "orders", life_s=60, clock=clock).token_for("inventory")
        if is_known:
            assert receiver.caller_of(sent) == "orders"
            continue
        with pytest.raises(NotKnown):
            receiver.caller_of(sent)


def test_each_callee_gets_a_token_of_its_own():
    identity = Identity(SECRET, "orders")
    assert identity.token_for("inventory") != identity.token_for("registry")


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_no_bad_token_proves_anything(name):
    value = BAD_TOKENS[name].get("Authorization", "")
    given = value.removeprefix("Bearer ")
    with pytest.raises(NotKnown) as raised:
        Identity(SECRET, "inventory").caller_of(given)
    assert not given or given not in str(raised.value)
    assert raised.value.__cause__ is None, "what the library says may quote the token"


def test_a_token_is_proved_once_and_again_when_it_has_expired(monkeypatch):
    clock = Clock(time.time())
    receiver = Identity(SECRET, "inventory", clock=clock)
    sent = Identity(SECRET, "orders", life_s=60).token_for("inventory")
    assert receiver.caller_of(sent) == "orders"

    def refuse(*_, **__):
        raise jwt.ExpiredSignatureError

    monkeypatch.setattr(jwt, "decode", refuse)
    assert receiver.caller_of(sent) == "orders"
    clock.sleep(61)
    with pytest.raises(NotKnown, match="ExpiredSignatureError"):
        receiver.caller_of(sent)


def test_what_is_remembered_of_callers_is_bounded(monkeypatch):
    monkeypatch.setattr("era4_framework.identity.MOST_PROVEN", 2)
    receiver = Identity(SECRET, "inventory")
    for name in ("orders", "reports", "lab"):
        assert receiver.caller_of(Identity(SECRET, name).token_for("inventory")) == name
    assert len(receiver._proven) == 1


def test_the_secret_is_in_no_representation():
    identity = Identity(SECRET, "orders")
    identity.token_for("inventory")
    assert repr(identity) == "<Identity of orders>"


def test_a_secret_is_read_without_the_white_space_around_it(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b" \n" + SECRET + b"\n")
    sent = Identity(read_secret(path), "orders").token_for("inventory")
    assert Identity(SECRET, "inventory").caller_of(sent) == "orders"
    assert Identity(read_secret(path), "inventory").caller_of(token()) == "orders"


@pytest.mark.parametrize("content", [b"", b"canary", b"canary" + b" " * 64])
def test_a_secret_that_is_too_short_is_named_and_not_told(tmp_path, content):
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="at least 32 bytes") as raised:
        read_secret(path)
    assert str(path) in str(raised.value)
    assert "canary" not in str(raised.value)


def test_a_secret_that_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match="accepted: a file of at least 32 bytes"):
        read_secret(tmp_path / "none")
