"""An agent that lies about what it believes: it neither stops another authority nor hurries it."""

from contextlib import suppress

import pytest

from era6_control_plane import authorities
from era6_control_plane.citadel import Citadel
from tests.era6.test_rotation_citadel import LIFE_S, NOW, Holder, stage

WORDS = ["", "f" * 64]


@pytest.fixture
def citadel(tmp_path):
    made = Citadel(tmp_path / "citadel", NOW)
    yield made
    made.close()


def go(citadel, good, bad, word, begin, seconds):
    """Each second the good one obeys; the bad one renews, and says `word` for ever."""
    for second in range(begin, begin + seconds):
        now = NOW + second
        good.obey(now)
        if not second % (LIFE_S // 2):
            bad.renew(now)
        citadel.confirm(bad.peer, bad.peer.serial, word, now)
        citadel.look(now)


@pytest.mark.parametrize("word", WORDS)
def test_who_renews_and_never_believes_stops_another_authority_for_one_life_only(citadel, word):
    good, bad = (Holder(citadel, name, NOW) for name in ("inventory-1", "inventory-2"))
    citadel.rotate(NOW)
    go(citadel, good, bad, word, 1, int(LIFE_S) - 2)
    assert stage(citadel) == "introduced"
    go(citadel, good, bad, word, int(LIFE_S) - 1, 5 * int(LIFE_S))
    assert stage(citadel) == "steady"


def test_whoever_speaks_for_itself_alone_hurries_nothing(citadel):
    """It says it has everything; the one that has nothing yet is waited for."""
    good, liar = (Holder(citadel, name, NOW) for name in ("inventory-1", "inventory-2"))
    good.attend(NOW)
    citadel.rotate(NOW)
    for second in range(1, 60):
        liar.obey(NOW + second)
        citadel.confirm(liar.peer, good.peer.serial, liar.peer.serial, NOW + second)
        liar.attend(NOW + second)
        citadel.look(NOW + second)
    assert stage(citadel) == "introduced"


def test_patience_outlives_the_citadel(tmp_path):
    first = Citadel(tmp_path, NOW)
    bad = Holder(first, "inventory-1", NOW)
    first.rotate(NOW)
    first.close()
    second = Citadel(tmp_path, NOW + 2)
    bad.citadel = second
    bad.renew(NOW + LIFE_S / 2)
    second.look(NOW + LIFE_S - 1)
    assert stage(second, NOW + LIFE_S - 1) == "introduced"
    second.look(NOW + LIFE_S + 1)
    assert stage(second, NOW + LIFE_S + 1) == "signing"
    second.close()


def test_a_disk_that_is_full_stops_a_stage_and_lets_nobody_sign_who_is_not_believed(
    citadel, monkeypatch
):
    holder = Holder(citadel, "inventory-1", NOW)
    holder.attend(NOW)
    citadel.rotate(NOW)

    def full(*_):
        raise OSError(28, "No space left on device")

    for second in range(1, 20):
        holder.obey(NOW + second)
        monkeypatch.setattr(authorities, "replace", full)
        with suppress(OSError):
            citadel.look(NOW + second)
        monkeypatch.undo()
    assert stage(citadel) == "introduced"
    for second in range(20, 40):
        holder.obey(NOW + second)
        citadel.look(NOW + second)
    assert stage(citadel) == "steady"
