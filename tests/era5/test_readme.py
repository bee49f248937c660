"""What the README tells to type is there, and what it tells to copy is accepted."""

import re
import shutil
from pathlib import Path

import pytest

import era5_sidecar
from era0_naive import shop
from era5_sidecar.config import ConfigError, read

FOLDER = Path(era5_sidecar.__file__).parent
TEXT = (FOLDER / "README.md").read_text()


def test_it_fits_on_one_screen():
    assert len(TEXT.splitlines()) <= 60


def test_every_file_that_it_names_is_there():
    named = set(re.findall(r"`(?:era5_sidecar/)?(\w+\.(?:py|mjs|toml))`", TEXT))
    assert len(named) > 8
    assert {name for name in named if not (FOLDER / name).exists()} == set()


@pytest.mark.parametrize("service", ["orders", "inventory"])
def test_what_stands_beside_each_service_is_accepted(tmp_path, service):
    shutil.copy(FOLDER / f"{service}.toml", tmp_path)
    config = read(tmp_path / f"{service}.toml")
    assert config.service == service
    assert config.app.startswith(f"unix:{tmp_path}/")
    assert config.inbound.is_edge == (service == "orders")
    assert (config.outbound is not None) == (service == "orders")
    assert config.tls is not None, "between sidecars nothing is plain"
    if config.outbound:
        assert f"http_proxy={config.outbound.listen}" in TEXT


def test_a_wrong_policy_is_named_with_its_line(tmp_path):
    """As the README says how to break it."""
    told = (FOLDER / "orders.toml").read_text()
    after = "try_timeout_s = 0.5\n"
    (tmp_path / "orders.toml").write_text(told.replace(after, f"{after}retry.attempts = 0\n"))
    line = told[: told.index(after)].count("\n") + 2
    with pytest.raises(ConfigError, match=rf"line {line}: .*retry\.attempts is 0: accepted"):
        read(tmp_path / "orders.toml")


def test_the_storys_goods_are_goods():
    assert shop.read_catalogue(FOLDER / "goods.json")
