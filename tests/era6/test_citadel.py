"""What the citadel signs, for whom, for how long; and what it does not."""

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from era5_sidecar.certificates import AUTHORITY_LIFE_S, PEM
from era6_control_plane.citadel import OWN_LIFE_S, Citadel
from era6_control_plane.identity import key_identifier, named_in, peer_of
from era6_control_plane.requests_to_sign import MOST_BYTES, new_key, request
from era6_control_plane.tokens import TokenRefused

NOW = 1_800_000_000.0
ME = ("inventory", "inventory-1")


@pytest.fixture
def citadel(tmp_path):
    made = Citadel(tmp_path / "citadel", NOW)
    yield made
    made.close()


def certificate(pem):
    return x509.load_pem_x509_certificate(pem)


def test_a_certificate_names_service_and_instance_and_is_signed_by_the_authority(citadel):
    key = new_key()
    signed = citadel.sign(request(key), *ME, 3600, NOW)
    made = certificate(signed)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert uris == ["spiffe://seven-eras/inventory"]
    assert names.get_values_for_type(x509.DNSName) == ["inventory"]
    assert made.subject.rfc4514_string() == "CN=inventory-1"
    assert made.public_key() == key.public_key()
    made.verify_directly_issued_by(certificate(citadel.authorities()))
    peer = named_in(signed)
    assert peer.name == ME
    assert peer.signed_by == key_identifier(citadel.authorities())


def test_a_certificate_ends_when_it_was_asked_to(citadel):
    for life_s in (2, 3600, 3600.7):
        made = certificate(citadel.sign(request(new_key()), *ME, life_s, NOW))
        assert made.not_valid_after_utc.timestamp() == int(NOW + life_s)


def test_no_certificate_outlives_its_authority(citadel):
    late = NOW + AUTHORITY_LIFE_S - 10
    made = certificate(citadel.sign(request(new_key()), *ME, 3600, late))
    assert made.not_valid_after_utc == certificate(citadel.authorities()).not_valid_after_utc
    with pytest.raises(ValueError, match="more than 0 s"):
        citadel.sign(request(new_key()), *ME, 3600, late + 10)


@pytest.mark.parametrize("life_s", [0, -1, float("nan")])
def test_a_life_that_is_none_is_refused(citadel, life_s):
    with pytest.raises(ValueError, match="more than 0 s"):
        citadel.sign(request(new_key()), *ME, life_s, NOW)


def test_names_that_a_request_asks_for_are_ignored(citadel):
    key = new_key()
    wish = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pilot")])
    builder = x509.CertificateSigningRequestBuilder(subject_name=wish)
    names = [x509.DNSName("pilot"), x509.UniformResourceIdentifier("spiffe://seven-eras/pilot")]
    builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=3), True)
    csr = builder.sign(key, hashes.SHA256()).public_bytes(PEM)
    signed = citadel.sign(csr, *ME, 60, NOW)
    assert named_in(signed).name == ME
    constraints = certificate(signed).extensions.get_extension_for_class(x509.BasicConstraints)
    assert not constraints.value.ca


def of_another_kind(key, algorithm):
    builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
    return builder.sign(key, algorithm).public_bytes(PEM)


def forged():
    """A request whose signature is of another key."""
    csr = x509.load_pem_x509_csr(request(new_key())).public_bytes(serialization.Encoding.DER)
    broken = csr[:-1] + bytes([csr[-1] ^ 1])
    return x509.load_der_x509_csr(broken).public_bytes(PEM)


BAD_REQUESTS = [
    (lambda: b"", "a certificate request in PEM"),
    (lambda: b"no PEM", "a certificate request in PEM"),
    (lambda: request(new_key())[:-40], "a certificate request in PEM"),
    (lambda: b" " * (MOST_BYTES + 1), f"at most {MOST_BYTES}"),
    (forged, "signed with its own key"),
    (lambda: of_another_kind(rsa.generate_private_key(65537, 2048), hashes.SHA256()), "P-256 or"),
    (lambda: of_another_kind(ed25519.Ed25519PrivateKey.generate(), None), "P-256 or P-384"),
    (lambda: of_another_kind(ec.generate_private_key(ec.SECP256K1()), hashes.SHA256()), "P-256"),
    (lambda: of_another_kind(ec.generate_private_key(ec.SECP224R1()), hashes.SHA256()), "P-256"),
]


@pytest.mark.parametrize(("make", "accepted"), BAD_REQUESTS)
def test_a_request_that_is_none_is_refused(citadel, make, accepted):
    with pytest.raises(ValueError, match=accepted):
        citadel.sign(make(), *ME, 60, NOW)


@pytest.mark.parametrize("service", ["pilot", "lab", "Inventory", "a_b", "", "*"])
def test_names_that_nobody_may_have_are_not_signed(citadel, service):
    with pytest.raises(ValueError, match="service"):
        citadel.sign(request(new_key()), service, "one", 60, NOW)


def test_a_bad_request_does_not_use_up_the_token(citadel):
    token = citadel.new_token(*ME, 60, NOW)
    with pytest.raises(ValueError, match="signed with its own key"):
        citadel.join(token, forged(), *ME, 60, NOW)
    key = new_key()
    assert named_in(citadel.join(token, request(key), *ME, 60, NOW)).name == ME
    assert named_in(citadel.join(token, request(key), *ME, 60, NOW)).name == ME  # asked again
    with pytest.raises(TokenRefused, match="used already"):
        citadel.join(token, request(new_key()), *ME, 60, NOW)


def test_nobody_else_may_read_what_it_keeps(citadel, tmp_path):
    folder = tmp_path / "citadel"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    keys = list(folder.rglob("*.key"))
    assert [stat.S_IMODE(each.stat().st_mode) for each in keys] == [0o600]
    assert (folder / "authorities.pem").read_bytes() == citadel.authorities()


def test_a_restarted_citadel_is_the_same_one(citadel, tmp_path):
    token = citadel.new_token(*ME, 60, NOW)
    citadel.close()
    again = Citadel(tmp_path / "citadel", NOW + 1)
    assert again.authorities() == citadel.authorities()
    again.join(token, request(new_key()), *ME, 60, NOW + 1)
    again.close()


def test_a_folder_that_others_may_read_is_closed(tmp_path):
    (tmp_path / "citadel").mkdir(mode=0o755)
    Citadel(tmp_path / "citadel", NOW).close()
    assert stat.S_IMODE((tmp_path / "citadel").stat().st_mode) == 0o700


def test_the_pilots_own_certificate_is_renewed_at_half_its_life(citadel):
    first = citadel.own(NOW)
    made = certificate(first.certificate)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pilot"]
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert uris == ["spiffe://seven-eras/pilot"]
    assert citadel.own(NOW + OWN_LIFE_S / 2 - 1) == first
    assert citadel.own(NOW + OWN_LIFE_S / 2) != first


def test_who_shows_the_pilots_certificate_is_no_instance(citadel):
    with pytest.raises(ValueError, match="accepted: any but"):
        named_in(citadel.own(NOW).certificate)


def test_a_peer_is_who_its_certificate_says_until_it_ends(citadel):
    signed = citadel.sign(request(new_key()), *ME, 60, NOW)
    context = {"x509_pem_cert": [signed], "x509_common_name": [b"orders-1"]}
    assert peer_of(context, NOW).name == ME
    with pytest.raises(ValueError, match="inventory/inventory-1 has ended"):
        peer_of(context, NOW + 60)
    with pytest.raises(ValueError, match="no certificate"):
        peer_of({}, NOW)


def odd(names, subject="inventory-1"):
    """A certificate of nobody that says what ours never do."""
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each) for each in [subject] if each])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    begins, ends = datetime.fromtimestamp(NOW, UTC), datetime.fromtimestamp(NOW + 60, UTC)
    builder = builder.not_valid_before(begins).not_valid_after(ends)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return builder.add_extension(signer, False).sign(key, hashes.SHA256()).public_bytes(PEM)


URI, DNS = x509.UniformResourceIdentifier, x509.DNSName
OURS, ME_TOO = URI("spiffe://seven-eras/inventory"), DNS("inventory")
ODD = [
    ([OURS, URI("spiffe://seven-eras/orders"), ME_TOO], "inventory-1", "one URI"),
    ([URI("spiffe://elsewhere/inventory"), ME_TOO], "inventory-1", "one URI"),
    ([ME_TOO], "inventory-1", "one URI"),
    ([OURS], "inventory-1", "one DNS name"),
    ([OURS, DNS("orders")], "inventory-1", "one DNS name"),
    ([OURS, ME_TOO, DNS("orders")], "inventory-1", "one DNS name"),
    ([OURS, ME_TOO], "", "subject is an instance"),
    ([OURS, ME_TOO], "a/b", "subject is an instance"),
    ([URI("spiffe://seven-eras/pilot"), DNS("pilot")], "pilot", "any but"),
    ([URI("spiffe://seven-eras/a/b"), DNS("a")], "a", "as in a DNS name"),
]


@pytest.mark.parametrize(("names", "subject", "accepted"), ODD)
def test_a_certificate_that_could_be_read_differently_names_nobody(names, subject, accepted):
    with pytest.raises(ValueError, match=accepted):
        named_in(odd(names, subject))


REPLACE = """
import json, sys
from pathlib import Path
from era6_control_plane.citadel import Citadel
citadel = Citadel(Path(sys.argv[1]), float(sys.argv[2]))
print(json.dumps(citadel.status(0)), flush=True)
"""


def test_another_process_finds_what_this_one_wrote(citadel, tmp_path):
    citadel.rotate(NOW)
    argv = [sys.executable, "-c", REPLACE, str(tmp_path / "citadel"), str(NOW)]
    told = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    assert told["stage"] == "introduced"
    assert told["authorities"] == citadel.status(NOW)["authorities"]
