"""What a proxy keeps: what was in force, in a file; who it is, in none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest
from envoy.service.discovery.v3.discovery_pb2 import Resource

from era4_framework.config_rules import ConfigError
from era5_sidecar.certificates import Authority
from era6_control_plane.last_good import Keeping
from era6_control_plane.tls import identity
from era6_control_plane.told import AuthoritiesSaid, PairSaid

TOLD = [Resource(name="a", version="1"), Resource(name="b", version="2")]


def test_what_was_kept_is_there_at_the_next_start_and_nobody_else_may_read_it(tmp_path):
    Keeping(tmp_path / "node.toml").keep(TOLD)
    assert Keeping(tmp_path / "node.toml").kept() == TOLD
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_has_not_changed_is_not_written_again(tmp_path):
    kept = Keeping(tmp_path / "node.toml")
    kept.keep(TOLD)
    [file] = tmp_path.iterdir()
    file.unlink()
    kept.keep(TOLD)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"\xff\xff\xff"], ids=["none", "nonsense"])
def test_where_nothing_can_be_read_nothing_was_kept(tmp_path, content):
    if content:
        (tmp_path / ".node.toml.in-force").write_bytes(content)
    assert Keeping(tmp_path / "node.toml").kept() == []


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    Keeping(tmp_path / "nowhere" / "node.toml").keep(TOLD)
    assert list(tmp_path.iterdir()) == []


def said(authority: Authority, service: str = "orders") -> tuple[PairSaid, AuthoritiesSaid]:
    pair = authority.issue(service)
    return PairSaid(pair.certificate, pair.key), AuthoritiesSaid(authority.pair().certificate)


def files_in_memory() -> Iterator[str]:
    """Ours only: a test before this one may leave others, which gRPC's threads close later."""
    for number in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with suppress(OSError):  # closed meanwhile
            if "memfd:secret" in (name := os.readlink(f"/proc/self/fd/{number}")):
                yield name


def test_a_key_is_shown_and_lies_nowhere(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert identity(*said(Authority.new())).server.num_tickets == 0
    assert list(tmp_path.iterdir()) == []
    assert not list(files_in_memory())


def test_where_there_are_no_files_in_memory_they_are_there_for_a_moment(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    identity(*said(Authority.new()))
    assert list(tmp_path.iterdir()) == []


def test_a_secret_that_is_none_is_refused_without_a_word_of_what_it_is():
    pair, authorities = said(Authority.new())
    other = said(Authority.new())[0]
    for wrong in (PairSaid(b"SECRET", pair.key), PairSaid(pair.certificate, other.key)):
        with pytest.raises(ConfigError) as caught:
            identity(wrong, authorities)
        assert str(caught.value) == "secret certificate is none in PEM"
        assert "SECRET" not in repr(wrong).replace("certificate=b'SECRET'", "")
