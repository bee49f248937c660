"""A shop of era 5 whose services cannot pass their sidecars by; see test_transparent.py."""

from pathlib import Path

import pytest

from lab.stage import Stage


@pytest.fixture(scope="module")
def capture(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("transparent") / "wire.pcapng"


@pytest.fixture(scope="module")
def shop(seed, capture, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    with Stage(
        "5", "real", seed=seed, directory=folder, instances=2, pcap=capture, transparent=True
    ) as shop:
        yield shop
        for role in shop.roles:
            shop.crash(role)  # asked kindly, each would see its callers off first
