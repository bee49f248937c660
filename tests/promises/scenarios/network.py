"""The wire between orders and inventory: lossy, slow, narrow, cut, and silent at its other end."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from lab.wire.process import WireProcess
from tests.promises.failures import Unavailable
from tests.promises.trial import Trial
from tests.promises.trouble import bytes_back, paths


def packets_are_lost(trial: Trial) -> None:
    trial.must_place("before")
    trial.wire.script("there", ["drop"])
    trial.must_place("lost")
    trial.wire.set(loss=0.03)
    for n in range(12):
        trial.must_place(f"lossy-{n}")
    trial.laws_hold()


def packets_arrive_twice(trial: Trial) -> None:
    trial.wire.set("there", duplicate=1.0)
    for n in range(5):
        trial.must_place(f"twice-{n}")
    trial.laws_hold()


def an_answer_arrives_twice(trial: Trial) -> None:
    """The copy is still there when the next question has been asked."""
    trial.wire.set("back", duplicate=1.0)
    trial.must_place("first")
    refused = trial.place("second", quantity=1000)
    trial.laws_hold()
    assert refused["outcome"] == "out_of_stock"


def packets_overtake_each_other(trial: Trial) -> None:
    trial.wire.set(reorder=0.3, delay_s=0.002)
    trial.must_show_all_goods()
    for n in range(8):
        trial.must_place(f"disorder-{n}")
    trial.laws_hold()


def bits_flip(trial: Trial) -> None:
    trial.must_place("before")
    for n in range(4):
        trial.wire.script("there", ["corrupt"])
        trial.must_place(f"spoilt-{n}")
    trial.wire.script("back", ["corrupt"])
    trial.must_place("spoilt-answer")
    trial.laws_hold()
    trial.wire.set(corrupt=0.02)
    trial.must_show_all_goods()


def the_wire_is_cut_and_mended(trial: Trial) -> None:
    """Who asks meanwhile is told; who asks afterwards is served. Nobody waits for ever."""
    trial.must_place("before")
    trial.wire.partition()
    assert trial.place("meanwhile")["outcome"] == "unavailable"
    trial.wire.heal()
    trial.must_place("afterwards")
    trial.laws_hold()


def the_way_is_long(trial: Trial) -> None:
    trial.wire.set(delay_s=0.05)
    trial.must_place("far")
    trial.must_show_all_goods()


def the_way_varies(trial: Trial) -> None:
    trial.wire.set(delay_s=0.02, jitter_s=0.02)
    for n in range(8):
        trial.must_place(f"jitter-{n}")
    trial.must_show_all_goods()
    trial.laws_hold()


def the_link_is_slow_and_its_queue_short(trial: Trial) -> None:
    trial.wire.set(rate_bps=8e6, queue_bytes=20_000)
    trial.must_show_all_goods()


def large_packets_vanish(trial: Trial) -> None:
    """A path with a smaller MTU than either end, on which nobody sends the ICMP that says so."""
    trial.must_place("before")
    trial.wire.set(mtu_bytes=1280)
    trial.must_show_all_goods()


def the_peer_falls_silent(trial: Trial) -> None:
    """Alive for the kernel, dead for the shop: SIGSTOP."""
    trial.must_place("before")
    trial.stage.pause(trial.instance)
    try:
        assert trial.place("meanwhile")["outcome"] == "unavailable"
    finally:
        trial.stage.resume(trial.instance)
    trial.must_serve_again("afterwards")
    trial.laws_hold()


def the_peer_dies_in_mid_answer(trial: Trial) -> None:
    """Half a catalogue has arrived: it must not pass for a whole one, nor be waited for."""
    trial.must_place("before")
    before = bytes_back(trial.wire)
    trial.wire.set("back", rate_bps=2e6)
    with ThreadPoolExecutor(1) as background:
        asking = background.submit(trial.must_show_all_goods)
        trial.until(lambda: bytes_back(trial.wire) - before > 50_000, "half of it under way")
        trial.stage.kill(trial.instance)
    with suppress(Unavailable):  # an apology is what was promised
        asking.result()
    trial.wire.set("back", rate_bps=0.0)
    trial.stage.restart(trial.instance)
    trial.must_serve_again("afterwards")
    trial.must_show_all_goods()


def the_connection_is_reset_in_mid_answer(trial: Trial) -> None:
    trial.must_place("before")
    with suppress(Unavailable):
        _ask_while_connections_are_reset(trial, [trial.wire])
    trial.wire.toxics()
    trial.wire.set("back", rate_bps=0.0)
    trial.must_serve_again("afterwards")
    trial.must_show_all_goods()


def one_of_several_connections_is_reset_in_mid_answer(trial: Trial) -> None:
    """There is another path to the same goods, and time enough: the customer need not notice."""
    trial.must_place("before")
    _ask_while_connections_are_reset(trial, paths(trial.stage))


def _ask_while_connections_are_reset(trial: Trial, ways: list[WireProcess]) -> None:
    """On the path that is in the middle of its answer. Raises what the customer is told."""
    before = [bytes_back(way) for way in ways]
    trial.wire.set("back", rate_bps=3e6)

    def under_way() -> list[WireProcess]:
        grown = [bytes_back(way) - early for way, early in zip(ways, before, strict=True)]
        return [way for way, grew in zip(ways, grown, strict=True) if grew > 50_000]

    with ThreadPoolExecutor(1) as background:
        asking = background.submit(trial.must_show_all_goods)
        trial.until(lambda: bool(under_way()), "a part of the answer under way")
        under_way()[0].toxics(reset_peer_s=0.0)
    asking.result()
