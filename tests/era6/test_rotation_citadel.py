"""An authority is replaced while agents come, go, and stay away; and the citadel may be killed."""

import pytest

from era5_sidecar.certificates import AUTHORITY_LIFE_S
from era6_control_plane.authorities import hashed
from era6_control_plane.citadel import Citadel
from era6_control_plane.identity import named_in
from era6_control_plane.requests_to_sign import new_key, request

NOW = 1_800_000_000.0
LIFE_S = 100.0


class Holder:
    """An agent, as far as the citadel sees it."""

    def __init__(self, citadel, instance, now):
        self.citadel, self.instance = citadel, instance
        self.authorities = citadel.authorities()
        self.renew(now)

    def renew(self, now):
        signed = self.citadel.sign(request(new_key()), "inventory", self.instance, LIFE_S, now)
        self.peer = named_in(signed)

    def attend(self, now):
        believes = hashed(self.authorities)
        self.citadel.confirm(self.peer, self.peer.serial, believes, now)

    def obey(self, now):
        """Whatever a good agent does when it is told."""
        self.authorities = self.citadel.authorities()
        if self.citadel.must_renew(self.peer):
            self.renew(now)
        self.attend(now)


@pytest.fixture
def citadel(tmp_path):
    made = Citadel(tmp_path / "citadel", NOW)
    yield made
    made.close()


def stage(citadel, now=NOW):
    return citadel.status(now)["stage"]


def test_two_agents_follow_and_the_old_key_is_gone(citadel, tmp_path):
    told = []
    citadel.on_change = lambda: told.append(stage(citadel))
    agents = [Holder(citadel, f"inventory-{number}", NOW) for number in (1, 2)]
    old = citadel.authorities()
    own = citadel.own(NOW)
    assert citadel.rotate(NOW) == "introduced"
    both = citadel.authorities()
    assert both.startswith(old)
    assert both.count(b"BEGIN CERTIFICATE") == 2
    assert citadel.own(NOW) == own  # there are agents that believe nobody else yet
    for now in (NOW + 2, NOW + 4, NOW + 6):
        assert not citadel.look(now)
        assert citadel.status(now)["waits_for"] == [
            "inventory/inventory-1",
            "inventory/inventory-2",
        ]
        agents[0].obey(now)
        assert not citadel.look(now)
        assert citadel.status(now)["waits_for"] == ["inventory/inventory-2"]
        agents[1].obey(now)
        assert citadel.look(now)
    assert told == ["introduced", "signing", "retiring", "steady"]
    assert citadel.authorities() == both.removeprefix(old)
    assert citadel.own(NOW) != own
    keys = [each.parent.name for each in (tmp_path / "citadel").rglob("authority.key")]
    assert keys == ["2"]


def test_only_while_the_new_one_signs_all_must_renew(citadel):
    agent = Holder(citadel, "inventory-1", NOW)
    asked = []
    citadel.rotate(NOW)
    for now in (NOW + 2, NOW + 4, NOW + 6):
        asked.append(citadel.must_renew(agent.peer))
        agent.obey(now)
        assert not citadel.must_renew(agent.peer)
        citadel.look(now)
    assert asked == [False, True, False]


def test_who_is_away_is_waited_for_until_its_certificate_has_ended(citadel):
    Holder(citadel, "inventory-1", NOW).attend(NOW)
    citadel.rotate(NOW)
    assert not citadel.look(NOW + LIFE_S - 1)
    assert citadel.look(NOW + LIFE_S)
    assert stage(citadel) == "signing"


def test_who_renews_while_the_old_one_still_signs_is_waited_for_again(citadel):
    agent = Holder(citadel, "inventory-1", NOW)
    citadel.rotate(NOW)
    agent.authorities = citadel.authorities()
    agent.renew(NOW + 50)
    agent.attend(NOW + 50)
    assert citadel.look(NOW + 50)
    assert not citadel.look(NOW + LIFE_S + 1)  # the first has ended, the second has not
    assert citadel.look(NOW + 50 + LIFE_S)
    assert stage(citadel) == "retiring"


def test_a_renewal_whose_answer_was_lost_holds_up_until_the_agent_says_what_it_serves(citadel):
    agent = Holder(citadel, "inventory-1", NOW)
    agent.attend(NOW)
    citadel.rotate(NOW)
    agent.obey(NOW + 2)
    citadel.look(NOW + 2)
    before = agent.peer
    agent.renew(NOW + 3)
    agent.peer, lost = before, agent.peer
    agent.attend(NOW + 3)
    assert not citadel.look(NOW + 4)
    agent.peer = lost
    agent.attend(NOW + 5)
    assert citadel.look(NOW + 6)


def test_a_late_word_on_an_old_connection_brings_nothing_back(citadel):
    agent = Holder(citadel, "inventory-1", NOW)
    agent.attend(NOW)
    before = agent.peer
    citadel.rotate(NOW)
    agent.obey(NOW + 2)
    citadel.look(NOW + 2)
    agent.obey(NOW + 3)
    citadel.confirm(before, agent.peer.serial, hashed(citadel.authorities()), NOW + 3)
    assert citadel.look(NOW + 4)


def test_a_serial_of_another_instance_confirms_nothing(citadel):
    one, two = (Holder(citadel, f"inventory-{number}", NOW) for number in (1, 2))
    citadel.rotate(NOW)
    for agent in (one, two):
        agent.obey(NOW + 2)
    citadel.look(NOW + 2)
    two.obey(NOW + 3)
    one.citadel.confirm(one.peer, two.peer.serial, hashed(citadel.authorities()), NOW + 4)
    assert citadel.status(NOW + 5)["waits_for"] == ["inventory/inventory-1"]


def test_a_citadel_that_lost_its_memory_keeps_its_authority_and_learns_who_is_there(tmp_path):
    citadel = Citadel(tmp_path / "citadel", NOW)
    agent = Holder(citadel, "inventory-1", NOW)
    citadel.close()
    for each in (tmp_path / "citadel").glob("citadel.db*"):
        each.unlink()
    agent.citadel = again = Citadel(tmp_path / "citadel", NOW)
    assert again.authorities() == citadel.authorities()
    agent.attend(NOW)
    again.rotate(NOW)
    assert again.status(NOW)["waits_for"] == ["inventory/inventory-1"]
    again.close()


@pytest.mark.parametrize("killed_in", ["introduced", "signing", "retiring"])
def test_a_killed_citadel_goes_on_where_it_was(tmp_path, killed_in):
    citadel = Citadel(tmp_path / "citadel", NOW)
    agent = Holder(citadel, "inventory-1", NOW)
    citadel.rotate(NOW)
    now = NOW + 2
    while stage(citadel) != killed_in:
        agent.obey(now)
        citadel.look(now)
        now += 2
    before = citadel.status(now)
    bundle = citadel.authorities()
    agent.citadel = again = Citadel(tmp_path / "citadel", now)  # and nobody has closed the first
    assert again.status(now) == before
    assert again.authorities() == bundle
    while stage(again) != "steady":
        agent.obey(now)
        again.look(now)
        now += 2
    assert again.authorities() == agent.authorities
    assert agent.peer.signed_by == again.status(now)["signing"]
    again.close()
    citadel.close()


def test_a_second_replacement_waits_for_the_first(citadel):
    citadel.rotate(NOW)
    with pytest.raises(ValueError, match="introduced already"):
        citadel.rotate(NOW)
    assert len(citadel.status(NOW)["authorities"]) == 2


def test_a_new_authority_that_was_never_announced_is_forgotten(citadel, tmp_path):
    citadel._authorities.make(2, NOW)  # and then it was killed
    citadel.close()
    again = Citadel(tmp_path / "citadel", NOW)
    assert again.status(NOW)["stage"] == "steady"
    assert not (tmp_path / "citadel" / "2").exists()
    again.close()


def test_a_replaced_authority_has_a_whole_life_before_it(citadel):
    later = NOW + AUTHORITY_LIFE_S - 100
    citadel.rotate(later)
    for now in (later + 2, later + 4, later + 6):
        citadel.look(now)
    signed = citadel.sign(request(new_key()), "inventory", "inventory-1", 3600, later + 8)
    assert named_in(signed).ends_at == later + 8 + 3600
