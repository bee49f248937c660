"""Histories by chance: agents stay away, answers are lost, the citadel is killed, authorities are
replaced again and again. At every moment everybody who has a certificate believes everybody else.
"""

import functools
from random import Random

import pytest
from cryptography import x509

from era6_control_plane.authorities import hashed
from era6_control_plane.citadel import Citadel
from era6_control_plane.identity import named_in
from era6_control_plane.requests_to_sign import new_key, request

NOW = 1_800_000_000
LIFE_S = 60
AGENTS = 5
STEPS = 120
CSR = request(new_key())  # whose key it is does not matter here


class Agent:
    def __init__(self, history, name):
        self.history, self.name = history, name
        self.join()

    def join(self):
        """With a new token, and the authorities of that moment."""
        self.believes = self.history.citadel.authorities()
        self.peer = self.signed()

    def signed(self):
        citadel, now = self.history.citadel, self.history.now
        return named_in(citadel.sign(CSR, "inventory", self.name, LIFE_S, now))

    def attend(self, rng):
        """One connection, which may be lost at any word."""
        citadel, now = self.history.citadel, self.history.now
        citadel.confirm(self.peer, self.peer.serial, hashed(self.believes), now)
        if rng.random() < 0.2:
            return
        self.believes = citadel.authorities()
        if citadel.must_renew(self.peer) or rng.random() < 0.2:
            peer = self.signed()
            if rng.random() < 0.3:  # the answer was lost
                return
            self.peer = peer
        if rng.random() < 0.8:
            citadel.confirm(self.peer, self.peer.serial, hashed(self.believes), now)

    def trusts(self):
        return identifiers(self.believes)


@functools.cache
def identifiers(authorities):
    kind = x509.SubjectKeyIdentifier
    return {
        each.extensions.get_extension_for_class(kind).value.digest.hex()
        for each in x509.load_pem_x509_certificates(authorities)
    }


class Luck:
    """Nothing is lost."""

    def random(self):
        return 0.5


class History:
    def __init__(self, folder, seed):
        self.folder, self.rng, self.now = folder, Random(seed), NOW
        self.citadel = Citadel(folder, self.now, least_s=1)
        self.agents = [Agent(self, f"inventory-{number}") for number in range(AGENTS)]
        self.stages = {"steady"}
        self.replaced = 0

    def step(self):
        chance = self.rng.random()
        if chance < 0.6:
            self.rng.choice(self.agents).attend(self.rng)
        elif chance < 0.8:
            self.now += self.rng.choice((1, 1, 2, 5, 15))
        elif chance < 0.85 and self.citadel.status(self.now)["stage"] == "steady":
            self.citadel.rotate(self.now)
            self.replaced += 1
        elif chance < 0.9:
            self.citadel.close()
            self.citadel = Citadel(self.folder, self.now, least_s=1)
        else:
            self.citadel.look(self.now)
        for agent in self.agents:
            if self.now >= agent.peer.ends_at:
                agent.join()
        self.stages.add(self.citadel.status(self.now)["stage"])

    def check(self):
        now = self.citadel.status(self.now)
        for one in self.agents:
            assert one.peer.signed_by in now["authorities"], "the citadel refuses it"
            assert now["signing"] in one.trusts(), "it does not believe the citadel"
            for other in self.agents:
                assert one.peer.signed_by in other.trusts(), "one is refused by another"


@pytest.mark.parametrize("number", range(12))
def test_whoever_has_a_certificate_is_believed_by_all(tmp_path, seed, number):
    history = History(tmp_path / "citadel", seed * 1000 + number)
    for _ in range(STEPS):
        history.step()
        history.check()
    history.citadel.close()
    assert history.replaced


def test_all_stages_are_seen_and_every_replacement_comes_to_its_end(tmp_path, seed):
    history = History(tmp_path / "citadel", seed)
    while history.replaced < 4:
        history.step()
    assert history.stages == {"steady", "introduced", "signing", "retiring"}
    looks = 0
    while history.citadel.status(history.now)["stage"] != "steady":
        history.now += 1
        history.citadel.look(history.now)
        for agent in history.agents:
            agent.attend(Luck())
        looks += 1
    assert looks < 10
    history.citadel.close()
