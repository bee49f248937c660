"""The world of the retry storm, and what callers make of it: all on virtual time."""

from random import Random

from lab.measure import retry_storm
from lab.measure.storm import ANSWERED, REFUSED, Attempt, Instance, World
from lab.measure.storm_callers import Naive, WithPolicies

STEADY_S = 0.01


class Steady:
    """Chance that always deals the mean."""

    def expovariate(self, rate):
        return 1 / rate


class Room:
    """A door with so many places."""

    def __init__(self, places):
        self.places = places

    def try_enter(self):
        has_room = self.places > 0
        self.places -= has_room
        return has_room

    def leave(self):
        self.places += 1


def instance(world, door=None, heeds_deadlines=False):
    return Instance(world, STEADY_S, Steady(), door, heeds_deadlines)


def attempt(world, ends, until_s=9.0):
    return Attempt(until_s, lambda how: ends.append((round(world.now, 3), how)))


def test_what_happens_at_the_same_time_happens_in_the_order_of_its_planning():
    world, seen = World(), []
    for word in "abc":
        world.after(1.0, seen.append, word)
    world.after(0.5, seen.append, "first")
    world.run(2.0)
    assert (seen, world.now) == (["first", "a", "b", "c"], 2.0)


def test_requests_wait_for_each_other():
    world, ends = World(), []
    served = instance(world)
    for _ in range(3):
        served.arrive(attempt(world, ends))
    world.run(1.0)
    assert ends == [(0.01, ANSWERED), (0.02, ANSWERED), (0.03, ANSWERED)]


def test_who_stands_still_keeps_what_came_and_serves_it_later():
    world, ends = World(), []
    served = instance(world)
    served.stand_still()
    served.arrive(attempt(world, ends))
    world.after(1.0, served.move_on)
    world.run(2.0)
    assert ends == [(1.01, ANSWERED)]


def test_an_answer_after_the_timeout_is_none_but_cost_as_much():
    world, ends = World(), []
    served = instance(world)
    late = attempt(world, ends, until_s=0.005)
    served.arrive(late)
    served.arrive(attempt(world, ends))
    world.after(0.005, late.end, "timed out")
    world.run(1.0)
    assert ends == [(0.005, "timed out"), (0.02, ANSWERED)]


def test_who_heeds_deadlines_skips_what_nobody_waits_for():
    world, ends = World(), []
    served = instance(world, heeds_deadlines=True)
    served.stand_still()
    served.arrive(attempt(world, ends, until_s=0.5))
    served.arrive(attempt(world, ends))
    world.after(1.0, served.move_on)
    world.run(2.0)
    assert ends == [(1.01, ANSWERED)]


def test_who_is_full_refuses_at_once_and_lets_in_again():
    world, ends = World(), []
    served = instance(world, door=Room(1))
    served.arrive(attempt(world, ends))
    served.arrive(attempt(world, ends))
    world.run(0.5)
    served.arrive(attempt(world, ends))
    world.run(1.0)
    assert ends == [(0.0, REFUSED), (0.01, ANSWERED), (0.51, ANSWERED)]


def test_a_naive_caller_sends_four_times():
    world = World()
    silent = instance(world)
    silent.stand_still()
    Naive(world, [silent]).ask()
    world.run(10.0)
    assert silent.attempts == [0.0, 0.5, 1.0, 1.5]


def test_policies_send_again_elsewhere_and_at_most_thrice():
    world = World()
    silent = [instance(world) for _ in range(3)]
    for each in silent:
        each.stand_still()
    WithPolicies(world, silent, Random(7)).ask()
    world.run(10.0)
    assert [len(each.attempts) for each in silent] == [1, 1, 1]
    assert [each.in_flight for each in silent] == [0, 0, 0]


def test_the_storm_ends_with_policies_at_both_ends_only():
    ours, callers_only, naive = (retry_storm.play(way, 1) for way in retry_storm.WAYS)
    assert ours.recovery <= 1.0
    assert ours.recovery < callers_only.recovery < naive.recovery
    assert naive.recovery == retry_storm.END_S - retry_storm.WELL_S


def test_the_same_seed_is_the_same_storm():
    assert retry_storm.play("era-4", 3) == retry_storm.play("era-4", 3)
    assert retry_storm.play("era-4", 3) != retry_storm.play("era-4", 4)
