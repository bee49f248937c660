"""Who is asked: fairness within four sigma, seeded, and the order of preferences."""

import heapq
from collections import Counter
from dataclasses import dataclass
from math import sqrt
from random import Random

import pytest

from era4_framework.config import BalancerConfig
from era4_framework.policies.balancer import Balancer, in_the_draw, rest_s

P2C, ROUND_ROBIN = BalancerConfig("p2c"), BalancerConfig("round_robin")


@dataclass(eq=False)
class Instance:
    name: str
    in_flight: int = 0
    mean_s: float = 0.0  # how long it takes


def balancer(seed, config=P2C):
    return Balancer(config, Random(seed))


def everybody(candidate):
    return True


def nobody(candidate):
    return False


def four_sigma(calls, share):
    return 4 * sqrt(calls * share * (1 - share))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_equals_are_asked_equally_often(seed, count):
    p2c, equals = balancer(seed), [Instance(str(n)) for n in range(count)]
    asked = Counter(p2c.pick(equals, everybody).name for _ in range(6000))
    for each in equals:
        assert abs(asked[each.name] - 6000 / count) < four_sigma(6000, 1 / count)


def test_the_busiest_is_never_the_better_of_two(seed):
    three = [Instance("a", 1), Instance("b", 9), Instance("c", 5)]
    p2c = balancer(seed)
    asked = Counter(p2c.pick(three, everybody).name for _ in range(3000))
    assert asked["b"] == 0
    # the least busy wins both draws that it is in: two of three
    assert abs(asked["a"] - 2000) < four_sigma(3000, 2 / 3)


def test_of_two_the_less_busy_is_asked_wherever_it_stands(seed):
    idle, busy = Instance("idle", 0), Instance("busy", 1)
    for pair in ([idle, busy], [busy, idle]):
        p2c = balancer(seed)
        assert {p2c.pick(pair, everybody).name for _ in range(100)} == {"idle"}


def split(config, seed, callers=16, calls=1000):
    """How often a slow instance (50 ms) and a fast one (5 ms) were asked.

    So many callers ask again as soon as they are answered; on virtual time, service times are
    exponential.
    """
    rng, now, asked = Random(seed), 0.0, Counter()
    slow, fast = Instance("slow", mean_s=0.050), Instance("fast", mean_s=0.005)
    chooser = balancer(seed, config)
    ends = []  # (when, number, who answers)
    for number in range(calls):
        if number >= callers:
            now, _, answered = heapq.heappop(ends)
            answered.in_flight -= 1
        chosen = chooser.pick([slow, fast], everybody)
        chosen.in_flight += 1
        asked[chosen.name] += 1
        heapq.heappush(ends, (now + rng.expovariate(1 / chosen.mean_s), number, chosen))
    return asked


@pytest.mark.parametrize("offset", range(10))
def test_the_fast_one_of_two_is_asked_ten_times_as_often(seed, offset):
    """Each holds half of the 16 calls, so each is asked as often as it answers: 1 to 10.

    (Envoy was measured at 251 to 749 of 1000, over real sockets. Whoever takes turns stays at 500.)
    """
    asked = split(P2C, seed + offset)
    assert abs(asked["slow"] - 1000 / 11) < four_sigma(1000, 1 / 11)
    assert split(ROUND_ROBIN, seed + offset) == {"slow": 500, "fast": 500}


def test_taking_turns_asks_nobody_twice_in_a_row(seed):
    turns, three = balancer(seed, ROUND_ROBIN), [Instance(name) for name in "abc"]
    asked = [turns.pick(three, everybody).name for _ in range(9)]
    assert asked[:3] == asked[3:6] == asked[6:]
    assert sorted(asked[:3]) == ["a", "b", "c"]


def test_callers_that_start_together_do_not_all_begin_with_the_first(seed):
    three = [Instance(name) for name in "abc"]
    first = {balancer(seed + n, ROUND_ROBIN).pick(three, everybody).name for n in range(20)}
    assert first == {"a", "b", "c"}


def test_the_same_seed_asks_the_same_instances():
    three = [Instance(name) for name in "abc"]
    first, second = balancer(7), balancer(7)
    for _ in range(100):
        assert first.pick(three, everybody) is second.pick(three, everybody)


@pytest.mark.parametrize("config", [P2C, ROUND_ROBIN])
def test_without_candidates_nobody_is_asked(seed, config):
    assert balancer(seed, config).pick([], everybody) is None


@pytest.mark.parametrize("config", [P2C, ROUND_ROBIN])
def test_whom_its_breaker_refuses_is_not_asked(seed, config):
    a, b, c = (Instance(name) for name in "abc")
    chooser = balancer(seed, config)
    asked = Counter(chooser.pick([a, b, c], lambda each: each is not b).name for _ in range(100))
    assert set(asked) == {"a", "c"}


@pytest.mark.parametrize("config", [P2C, ROUND_ROBIN])
def test_who_was_tried_is_avoided_if_another_is_admitted(seed, config):
    a, b, c = (Instance(name) for name in "abc")
    chooser = balancer(seed, config)
    asked = {chooser.pick([a, b, c], everybody, tried=[b]).name for _ in range(100)}
    assert asked == {"a", "c"}
    assert chooser.pick([a, b, c], everybody, tried=[a, b]) is c


def test_who_was_tried_is_asked_again_rather_than_whom_its_breaker_refuses(seed):
    tried, refused, p2c = Instance("tried"), Instance("refused"), balancer(seed)
    for _ in range(50):
        assert p2c.pick([tried, refused], lambda e: e is tried, tried=[tried]) is tried


def test_when_all_were_tried_all_are_in_the_draw(seed):
    pair = [Instance("a"), Instance("b")]
    p2c = balancer(seed)
    assert {p2c.pick(pair, everybody, tried=pair).name for _ in range(50)} == {"a", "b"}


@pytest.mark.parametrize("config", [P2C, ROUND_ROBIN])
def test_when_all_breakers_refuse_everybody_may_be_asked(seed, config):
    pair = [Instance("a"), Instance("b")]
    chooser = balancer(seed, config)
    assert {chooser.pick(pair, nobody).name for _ in range(50)} == {"a", "b"}


def test_in_a_panic_too_who_was_tried_is_avoided(seed):
    a, b = Instance("a"), Instance("b")
    p2c = balancer(seed)
    assert {p2c.pick([a, b], nobody, tried=[a]).name for _ in range(50)} == {"b"}


def test_nobody_is_waited_for_who_is_not_in_the_draw():
    a, b, c = (Instance(name) for name in "abc")
    tried = {a: 102.0, b: 100.0}
    assert in_the_draw([a, b, c], everybody, tried) == [c]
    assert rest_s([c], tried, now=100.0) == 0.0


def test_of_those_in_the_draw_who_wants_to_be_left_alone_longest_is_waited_for():
    a, b = Instance("a"), Instance("b")
    tried = {a: 102.0, b: 101.0}
    assert rest_s([a, b], tried, now=100.5) == 1.5
    assert rest_s([a, b], tried, now=103.0) == 0.0
    assert rest_s([], tried, now=100.0) == 0.0
