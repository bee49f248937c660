"""The scenarios behind the rows: each puts one shop into one kind of trouble.

A scenario returns when the promise was kept, and raises what `tests.promises.failures` names when
it was not. It waits for what can be observed, never for time to pass.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tests.promises.failures import Obeys, Readable, StaysDown, Unavailable
from tests.promises.trial import Trial

# --- the network is reliable ------------------------------------------------------------------


def packets_are_lost(trial: Trial) -> None:
    trial.must_place("before")
    trial.wire.script("there", ["drop"])
    trial.must_place("lost")
    trial.wire.set(loss=0.05)
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


# --- latency is zero, bandwidth is infinite, transport cost is zero ---------------------------


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


# --- topology does not change -----------------------------------------------------------------


def the_peer_falls_silent(trial: Trial) -> None:
    """Alive for the kernel, dead for the shop: SIGSTOP."""
    trial.must_place("before")
    trial.stage.pause("inventory")
    try:
        assert trial.place("meanwhile")["outcome"] == "unavailable"
    finally:
        trial.stage.resume("inventory")
    trial.must_serve_again("afterwards")
    trial.laws_hold()


def the_peer_dies_in_mid_answer(trial: Trial) -> None:
    """Half a catalogue has arrived: it must not pass for a whole one, nor be waited for."""
    trial.must_place("before")
    before = trial.carried_back()
    trial.wire.set("back", rate_bps=2e6)
    with ThreadPoolExecutor(1) as background:
        asking = background.submit(trial.must_show_all_goods)
        trial.until(lambda: trial.carried_back() - before > 50_000, "half of it under way")
        trial.stage.kill("inventory")
    with suppress(Unavailable):  # an apology is what was promised
        asking.result()
    trial.wire.set("back", rate_bps=0.0)
    trial.stage.restart("inventory")
    trial.must_serve_again("afterwards")
    trial.must_show_all_goods()


def the_connection_is_reset_in_mid_answer(trial: Trial) -> None:
    trial.must_place("before")
    before = trial.carried_back()
    trial.wire.set("back", rate_bps=2e6)
    with ThreadPoolExecutor(1) as background:
        asking = background.submit(trial.must_show_all_goods)
        trial.until(lambda: trial.carried_back() - before > 50_000, "half of it under way")
        trial.wire.toxics(reset_peer_s=0.0)
    with suppress(Unavailable):
        asking.result()
    trial.wire.toxics()
    trial.wire.set("back", rate_bps=0.0)
    trial.must_serve_again("afterwards")
    trial.must_show_all_goods()


def the_only_instance_dies(trial: Trial) -> None:
    trial.must_place("before")
    trial.stage.kill("inventory")
    if trial.place("orphan")["outcome"] == "placed":
        return
    trial.stage.restart("inventory")
    trial.must_serve_again("afterwards")
    raise StaysDown("refused while it was dead; served again only after a restart by hand")


def the_instance_is_restarted(trial: Trial) -> None:
    """At the same address, between two orders."""
    trial.must_place("before")
    trial.stage.kill("inventory")
    trial.stage.restart("inventory")
    trial.must_serve_again("afterwards")
    trial.laws_hold()


# --- there is one request for one wish --------------------------------------------------------


def an_order_is_repeated_after_a_lost_answer_and_a_crash(trial: Trial) -> None:
    """Reserved, the answer lost, orders killed: the customer does the only right thing, repeats."""
    trial.must_place("before")
    trial.wire.partition("back")
    with ThreadPoolExecutor(1) as background:
        background.submit(trial.asked, trial.order("once"))
        trial.until(lambda: trial.reservations_of("once") == 1, "the reservation")
        trial.stage.kill("orders")
    trial.wire.heal()
    trial.stage.restart("orders")
    assert trial.place("once")["outcome"] in ("placed", "already_placed")
    trial.must_be_reserved_once("once")


def frames_are_sent_again(trial: Trial) -> None:
    """A listener keeps what orders sent and sends it once more, byte for byte."""
    trial.must_place("once")
    trial.stranger.send(trial.stranger.frames_of_orders())
    trial.must_place("afterwards")  # what was sent before has been heard by now
    trial.must_be_reserved_once("once")


# --- the network is secure --------------------------------------------------------------------


def a_stranger_asks(trial: Trial) -> None:
    """Somebody on the network, with no order from anybody, asks inventory for goods."""
    trial.must_place("before")
    # Our stranger has to live on orders' host, and there a raw socket hears everything: the two
    # would reset each other's connections in era 1, as somebody elsewhere could not.
    trial.stage.pause("orders")
    trial.stranger.ask({"op": "reserve", "order_id": "stolen", "sku": trial.sku, "quantity": 1})
    if trial.reservations_of("stolen"):
        raise Obeys("goods were reserved for an order that no customer placed")


def a_blind_stranger_forges_a_packet(trial: Trial) -> None:
    """In the name of orders, into its conversation, but without being able to read that."""
    trial.must_place("mine")
    trial.stranger.forge((b"mine", b"evil"), guess=trial.stage.seed * 99_999_989 % 2**32)
    trial.must_serve_again("afterwards")
    if trial.reservations_of("evil"):
        raise Obeys("a packet was believed because it named orders as its sender")


def a_listener_forges_a_packet(trial: Trial) -> None:
    """The same by somebody who reads along, and so knows which number comes next."""
    trial.must_place("mine")
    for _ in range(3):  # the first may come before orders has acknowledged its answer
        trial.stranger.forge((b"mine", b"evil"))
        if trial.sees(lambda: trial.reservations_of("evil") > 0, within_s=0.3):
            raise Obeys("a packet was believed because its number was the next one")


def a_listener_is_on_the_path(trial: Trial) -> None:
    trial.must_place("my-secret-order")
    if b"my-secret-order" in b"".join(trial.stranger.frames_of_orders()):
        raise Readable("the order's name stands in the captured frames")
