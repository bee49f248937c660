"""A certificate that peers will not believe is refused by name before it is shown."""

import asyncio
import re
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from era4_framework.config_rules import ConfigError
from era5_sidecar import certificates
from era5_sidecar.certificates import Authority, Pair, Span, key_in_pem
from era5_sidecar.config import TlsConfig
from era5_sidecar.inheritance import AGAIN
from era5_sidecar.life import Life
from era5_sidecar.own_certificate import Ageing, judge, judged, term_of
from era5_sidecar.tls import Identity
from tests.era5.test_reload import GUARDED

DAY_S = 86400.0


@pytest.fixture(scope="module")
def shop() -> Authority:
    return Authority.new()


def files(folder: Path, authority: Authority, pair: Pair) -> TlsConfig:
    pair.write(folder, "inventory")
    authority.pair().write(folder, "authority")
    names = ("inventory.pem", "inventory.key", "authority.pem")
    return TlsConfig(*(str(folder / name) for name in names))


def refusal(config: TlsConfig, service: str = "inventory") -> str:
    with pytest.raises(ConfigError) as refused:
        judged(config, service)
    return str(refused.value)


def test_a_good_certificate_tells_its_term(tmp_path, shop):
    config = files(tmp_path, shop, shop.issue("inventory", 100 * DAY_S))
    identity = Identity(config)
    term = judge(identity, config, "inventory", time.time())
    assert 99.9 * DAY_S < term.ends_at - time.time() <= 100 * DAY_S
    assert identity.client.check_hostname
    for context in (identity.client, identity.server):
        assert context.verify_flags & ssl.VERIFY_X509_STRICT
        assert not context.verify_flags & 0x200000, "time counts again"


@pytest.mark.parametrize(
    ("begin_s", "life_s", "why"),
    [(-40, -20, "which has expired at "), (3600, 7200, "which is good from ")],
)
def test_one_out_of_its_time_is_refused_and_since_when_is_told(
    tmp_path, shop, begin_s, life_s, why
):
    told = refusal(files(tmp_path, shop, shop.issue("inventory", life_s, begin_s)))
    assert told.startswith("tls.certificate is ")
    assert f"inventory.pem', {why}" in told
    assert re.search(r"UTC, 2\d s ago: |UTC on, in 60.0 minutes: ", told)
    assert "accepted is one that is good now" in told


def test_an_authority_out_of_its_time_is_named_itself(tmp_path):
    old = Authority.new(span=Span.from_now(-20, -4000))
    told = refusal(files(tmp_path, old, old.issue("inventory", 3600)))
    assert told.startswith("tls.authority is ")
    assert "expired" in told


def test_one_of_another_service_is_refused(tmp_path, shop):
    told = refusal(files(tmp_path, shop, shop.issue("reports")))
    assert "it is of reports, spiffe://seven-eras/reports: accepted is one of inventory" in told


def test_one_of_another_trust_domain_is_refused(tmp_path, shop, monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(certificates, "TRUST_DOMAIN", "spiffe://other-shop/")
        pair = shop.issue("inventory")
    told = refusal(files(tmp_path, shop, pair))
    assert told.startswith("tls.certificate is ")
    assert "accepted is one of inventory, with the URI spiffe://seven-eras/inventory" in told


def test_one_that_another_authority_has_signed_is_refused(tmp_path, shop):
    told = refusal(files(tmp_path, shop, Authority.new().issue("inventory")))
    assert "which nobody of tls.authority has signed" in told


def test_one_that_may_only_answer_is_refused_as_callers_need_one_that_may_ask(tmp_path, shop):
    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.load_pem_x509_certificate(shop.issue("inventory").certificate)
    builder = x509.CertificateBuilder(made.issuer, made.subject, key.public_key())
    builder = builder.serial_number(made.serial_number)
    builder = builder.not_valid_before(made.not_valid_before_utc)
    builder = builder.not_valid_after(made.not_valid_after_utc)
    for each in made.extensions:
        value = each.value
        if isinstance(value, x509.ExtendedKeyUsage):
            value = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
        if isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(value, each.critical)
    signed = builder.sign(shop._key, hashes.SHA256())
    pair = Pair(signed.public_bytes(certificates.PEM), key_in_pem(key))
    assert "purpose" in refusal(files(tmp_path, shop, pair))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_may_read_is_refused_as_ssh_does(tmp_path, shop, mode):
    config = files(tmp_path, shop, shop.issue("inventory"))
    Path(config.key).chmod(mode)
    told = refusal(config)
    assert f"tls.key names a file that others may use (mode {mode:04o})" in told
    assert config.key not in told
    Path(config.key).chmod(0o400)
    judged(config, "inventory")


def test_its_end_is_said_once_before_and_once_when_it_comes(tmp_path, shop):
    identity = Identity(files(tmp_path, shop, shop.issue("inventory", 100 * DAY_S)))
    now = [time.time()]
    said: list[str] = []
    ageing = Ageing(said.append, lambda: now[0])
    ageing.look()
    assert ageing.left_s() is None
    ageing.know(identity)
    for _ in range(101 * 24):
        ageing.look()
        now[0] += 3600
    assert len(said) == 2
    assert said[0].startswith("our own certificate ends in 7.0 days, at ")
    assert said[1].startswith("our own certificate has expired at ")
    assert -2 * DAY_S < ageing.left_s() < 0
    ageing.know(Identity(files(tmp_path, shop, shop.issue("inventory", 300 * DAY_S))))
    ageing.look()
    assert len(said) == 2
    assert ageing.left_s() > 0


def test_a_certificate_of_an_hour_is_not_said_to_end_from_its_first_minute_on(tmp_path, shop):
    identity = Identity(files(tmp_path, shop, shop.issue("inventory", 3600)))
    said: list[str] = []
    ageing = Ageing(said.append)
    ageing.know(identity)
    ageing.look()
    assert not said


def test_the_term_of_what_nobody_believes_is_told_too(tmp_path, shop):
    identity = Identity(files(tmp_path, shop, Authority.new().issue("reports", -20, -40)))
    assert term_of(identity) is None, "of what is not even signed nothing is known"
    identity = Identity(files(tmp_path, shop, shop.issue("reports", -20, -40)))
    assert term_of(identity).ends_at < time.time()


@pytest.fixture
def guarded(tmp_path, shop) -> Path:
    files(tmp_path, shop, shop.issue("inventory"))
    path = tmp_path / "sidecar.toml"
    path.write_text(GUARDED)
    return path


def test_at_a_start_it_is_refused_with_the_line(guarded, shop):
    files(guarded.parent, shop, shop.issue("inventory", -20, -40))
    with pytest.raises(ConfigError, match=r"sidecar.toml, line 16: tls.certificate .* expired"):
        Life(guarded, print)


def test_at_a_reload_it_is_refused_and_the_one_before_stays(guarded, shop, capsys):
    alive = Life(guarded, print)
    before = alive._proxy._identity
    files(guarded.parent, shop, shop.issue("inventory", -20, -40))
    asyncio.run(alive._reload())
    assert "has expired at " in capsys.readouterr().err
    assert alive._proxy._identity is before


def test_in_the_place_of_a_dead_one_it_is_said_and_shown(guarded, shop, monkeypatch, capsys):
    """Else nobody would listen, and who asks would wait instead of being told."""
    files(guarded.parent, shop, shop.issue("inventory", -20, -40))
    monkeypatch.setenv(AGAIN, "yes")
    proxy = Life(guarded, print)._proxy
    assert "has expired at " in capsys.readouterr().err
    assert b"\ncertificate_left_seconds -2" in proxy.metrics.exposition()
