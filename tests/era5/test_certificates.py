"""The files that certificates.py makes, judged by cryptography and by openssl."""

import shutil
import stat
import subprocess

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from era5_sidecar import certificates
from era5_sidecar.certificates import Authority


def test_each_service_has_a_pair_and_the_shop_one_authority(tmp_path):
    told = []
    certificates.main(tmp_path / "tls", ["orders", "inventory"], told.append)
    names = {"authority", "orders", "inventory"}
    files = {path.name for path in (tmp_path / "tls").iterdir()}
    assert files == {f"{name}.{kind}" for name in names for kind in ("pem", "key")}
    assert told == [str(tmp_path / "tls")]


def test_nobody_else_may_read_a_key(tmp_path):
    certificates.main(tmp_path / "tls", ["orders"])
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    for path in (tmp_path / "tls").glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_time_the_authority_stays_and_the_pairs_are_new(tmp_path):
    certificates.main(tmp_path, ["orders"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    certificates.main(tmp_path, ["orders", "reports"])
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after["authority.pem"] == before["authority.pem"]
    assert after["authority.key"] == before["authority.key"]
    assert after["orders.pem"] != before["orders.pem"]
    assert "reports.pem" in after


def test_a_certificate_says_the_service_twice_and_may_be_used_on_both_sides():
    pair = Authority.new().issue("inventory")
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert found.value.get_values_for_type(x509.DNSName) == ["inventory"]
    uris = found.value.get_values_for_type(x509.UniformResourceIdentifier)
    assert uris == ["spiffe://seven-eras/inventory"]
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {*uses} == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize("name", ["", "in ventory", "a/b", "../a", "a_b", "a" * 64, "*"])
def test_a_service_that_no_certificate_can_name_is_refused(name):
    with pytest.raises(ValueError, match="accepted: 1 to 63 of"):
        Authority.new().issue(name)


def test_a_pair_does_not_show_its_key():
    pair = Authority.new().issue("inventory")
    assert repr(pair) == "<Pair>"
    assert b"PRIVATE" in pair.key


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")
def test_openssl_finds_nothing_wrong_even_when_it_is_strict(tmp_path):
    certificates.main(tmp_path, ["orders"])
    argv = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]
    subprocess.run([*argv, tmp_path / "authority.pem", tmp_path / "orders.pem"], check=True)
