"""The agent without a network: what is kept, when it is renewed, whose proxy is there."""

import json
import stat
from random import Random

import pytest
from cryptography import x509

from era5_sidecar.certificates import Authority, key_in_pem
from era6_control_plane.citadel import Citadel
from era6_control_plane.credential import FILE, JITTER, JOINING, Credential, Safe, granted
from era6_control_plane.identity import named_in
from era6_control_plane.names import AUTHORITIES, OWN_CERTIFICATE, SDS
from era6_control_plane.neighbours import GRACE_S, Neighbours
from era6_control_plane.requests_to_sign import new_key, request
from era6_control_plane.secrets_of import secrets_of
from era6_control_plane.words import Grant, Heartbeat, Instruction, read, written

NOW = 1_800_000_000.0
ME = ("inventory", "inventory-1")
ONE, TWO = "http://127.0.0.1:1", "http://127.0.0.1:2"


@pytest.fixture(scope="module")
def citadel(tmp_path_factory):
    made = Citadel(tmp_path_factory.mktemp("citadel"), NOW)
    yield made
    made.close()


def grant(citadel, key, name=ME, life_s=1000):
    signed = citadel.sign(request(key), *name, life_s, NOW)
    return Grant(signed.decode(), citadel.authorities().decode())


@pytest.fixture
def credential(citadel):
    key = new_key()
    return granted(grant(citadel, key), key, ME)


def test_a_certificate_is_renewed_at_about_half_its_life(credential):
    times = [credential.renew_at(Random(seed)) - NOW for seed in range(200)]
    assert min(times) >= 1000 * (0.5 - JITTER)
    assert max(times) <= 1000 * (0.5 + JITTER)
    assert max(times) - min(times) > 1000 * JITTER  # not all at once


def test_what_is_kept_is_found_again_and_by_nobody_else(credential, tmp_path):
    Safe(tmp_path / "state").keep(credential)
    again = Safe(tmp_path / "state")
    assert again.kept(ME) == credential
    assert again.kept(("orders", "orders-1")) is None
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / FILE).stat().st_mode) == 0o600


def test_nothing_shows_the_key(credential):
    secret = credential.pair.key.decode().splitlines()[1]
    assert secret not in repr(credential)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"no JSON", b'{"key": 1}', b"\xff"])
def test_what_was_kept_and_is_none_is_as_if_it_was_not_there(tmp_path, content):
    safe = Safe(tmp_path)
    assert safe.kept(ME) is None
    (tmp_path / FILE).write_bytes(content)
    assert safe.kept(ME) is None


@pytest.mark.parametrize("key", ["certificate", "key", "authorities"])
def test_a_part_that_is_broken_breaks_it_all(credential, tmp_path, key):
    safe = Safe(tmp_path)
    safe.keep(credential)
    table = json.loads((tmp_path / FILE).read_bytes())
    (tmp_path / FILE).write_text(json.dumps({**table, key: "-----BEGIN NOTHING-----"}))
    assert safe.kept(ME) is None


def test_the_key_for_joining_is_the_same_until_there_is_a_certificate(credential, tmp_path):
    first = key_in_pem(Safe(tmp_path).joining_key())
    assert key_in_pem(Safe(tmp_path).joining_key()) == first
    assert stat.S_IMODE((tmp_path / JOINING).stat().st_mode) == 0o600
    Safe(tmp_path).keep(credential)
    assert not (tmp_path / JOINING).exists()
    (tmp_path / JOINING).write_text("no key")
    assert key_in_pem(Safe(tmp_path).joining_key()) != first


def test_a_certificate_for_another_key_or_name_is_not_taken(citadel):
    key = new_key()
    with pytest.raises(ValueError, match="for another key"):
        granted(grant(citadel, new_key()), key, ME)
    with pytest.raises(ValueError, match="a certificate for orders/orders-1"):
        granted(grant(citadel, key, ("orders", "orders-1")), key, ME)


@pytest.mark.parametrize("authorities", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAA==\n"])
def test_authorities_that_are_none_are_not_taken(citadel, credential, authorities):
    key = new_key()
    good = grant(citadel, key)
    with pytest.raises(ValueError):
        granted(Grant(good.certificate, authorities), key, ME)
    with pytest.raises(ValueError):
        credential.with_authorities(authorities.encode())


def test_other_authorities_leave_key_and_certificate_as_they_are(credential):
    other = Authority.new().pair().certificate
    after = credential.with_authorities(credential.authorities + other)
    assert after.pair is credential.pair
    assert len(x509.load_pem_x509_certificates(after.authorities)) == 2


def test_a_proxy_is_given_its_own_certificate_and_the_authorities(credential):
    secrets = secrets_of(credential).of(SDS)
    assert secrets.keys() == {OWN_CERTIFICATE, AUTHORITIES}
    believing = credential.with_authorities(Authority.new().pair().certificate)
    after = secrets_of(believing).of(SDS)
    assert after[OWN_CERTIFICATE].version == secrets[OWN_CERTIFICATE].version
    assert after[AUTHORITIES].version != secrets[AUTHORITIES].version


def test_nobody_is_there_before_a_proxy_says_where_it_is():
    assert Neighbours().inbound(0.0) == ""


@pytest.mark.parametrize("bad", ["nonsense", "http://127.0.0.1:0", "unix:x", "http://inventory:80"])
def test_what_is_no_address_does_not_count(bad):
    neighbours = Neighbours()
    assert not neighbours.come("a", bad)
    neighbours.go("a", 0.0)
    assert neighbours.inbound(0.0) == ""


def test_a_proxy_counts_while_its_stream_is_open_and_a_moment_longer():
    neighbours = Neighbours()
    assert neighbours.come("a", ONE)
    assert neighbours.inbound(1000.0) == ONE
    neighbours.go("a", 1000.0)
    assert neighbours.inbound(1000.0 + GRACE_S - 0.01) == ONE
    assert neighbours.inbound(1000.0 + GRACE_S) == ""


def test_at_an_upgrade_there_is_no_gap_and_the_new_one_counts():
    neighbours = Neighbours()
    neighbours.come("old", ONE)
    neighbours.come("new", TWO)
    assert neighbours.inbound(1.0) == TWO
    neighbours.go("old", 2.0)
    assert neighbours.inbound(1000.0) == TWO


def test_if_the_new_one_fails_the_old_one_counts_again():
    neighbours = Neighbours()
    neighbours.come("old", ONE)
    neighbours.come("new", TWO)
    neighbours.go("new", 2.0)
    assert neighbours.inbound(1000.0) == ONE


def test_a_proxy_that_takes_leave_is_left_at_once():
    for order in ("new first", "old first"):
        neighbours = Neighbours()
        neighbours.come("old", ONE)
        if order == "new first":
            neighbours.come("new", "")
            assert neighbours.inbound(1.0) == ONE
            neighbours.go("old", 1.0)
        else:
            neighbours.go("old", 1.0)
            neighbours.come("new", "")
        assert neighbours.inbound(1.01) == ""
        neighbours.go("new", 1.1)
        assert neighbours.inbound(1.2) == ""


def test_a_proxy_that_is_not_ready_yet_does_not_count_and_does_not_disturb():
    neighbours = Neighbours()
    neighbours.come("first", "")
    assert neighbours.inbound(0.0) == ""
    neighbours.come("second", ONE)
    neighbours.go("first", 0.1)
    assert neighbours.inbound(1000.0) == ONE
    neighbours.come("its successor", "")
    assert neighbours.inbound(1000.0) == ONE


def test_words_are_read_as_they_were_written():
    for words in (Heartbeat("u", "v", True, "a", "b"), Instruction(2.0, "pem", True)):
        assert read(type(words), written(words)) == words


def test_words_of_a_later_release_are_understood():
    assert read(Heartbeat, b'{"mood": "good", "is_well": true}') == Heartbeat(is_well=True)
    assert read(Instruction, b'{"lease_s": 2}') == Instruction(2)


@pytest.mark.parametrize(
    "body", [b'{"lease_s": true}', b'{"lease_s": "2"}', b'{"renew": 1}', b'{"authorities": null}']
)
def test_words_of_another_kind_are_refused(body):
    with pytest.raises(ValueError, match="of another kind; accepted: "):
        read(Instruction, body)


def test_a_credential_knows_whom_it_names(credential):
    assert credential.peer == named_in(credential.pair.certificate)
    assert isinstance(credential, Credential)
