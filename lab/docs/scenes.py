"""The runs that the chapter of era 1 shows: one for each thing that had to be invented.

Every plan is one trouble and nothing else, so that what the two sides do is the answer to it.
"""

from collections.abc import Callable

from lab.docs.virtual_runs import WAY_S, Plan, Stage
from lab.wire import Knobs

SEGMENT_BYTES = 1400  # a little less than fits, so that n of them are n segments
CLEAN = Knobs(delay_s=WAY_S)


def trouble(*fates: str) -> Knobs:
    """A wire that does this to the next frames, and nothing afterwards."""
    return Knobs(delay_s=WAY_S, script=fates)


def order(stage: Stage) -> None:
    """One question, one answer."""
    stage.inventory.reply = lambda message: b"reserved"
    stage.orders.connection.send(b"reserve o-1")


def segments(count: int) -> Callable[[Stage], None]:
    """One long message of so many segments from orders to inventory."""
    return lambda stage: stage.orders.connection.send(bytes(SEGMENT_BYTES) * count)


def open_ask_close(stage: Stage) -> None:
    """A whole life: open, ask, answer, and both sides end their half."""
    order(stage)
    stage.at(0.06, lambda: stage.orders.connection.close(stage.virtual.now))
    stage.at(0.08, lambda: stage.inventory.connection.close(stage.virtual.now))


def slow_reader(stage: Stage) -> None:
    """Twelve messages for a service that takes none of them for a while."""
    stage.inventory.takes = False
    for number in range(12):
        stage.orders.connection.send(f"message {number + 1}".encode())
    stage.at(0.15, lambda: _take_again(stage))


def _take_again(stage: Stage) -> None:
    stage.note(stage.virtual.now, "inventory", "the service takes what waits")
    stage.inventory.takes = True
    stage.inventory.fetch(stage.virtual.now)


def cut_and_mended(stage: Stage) -> None:
    """The wire is cut for 0.4 s while an order is on its way."""
    order(stage)
    stage.set(Knobs(delay_s=WAY_S, partitioned=True))
    stage.at(0.4, lambda: _mend(stage))


def _mend(stage: Stage) -> None:
    stage.note(stage.virtual.now, "orders", "(the wire is mended)")
    stage.set(CLEAN)


def cut_for_ever(stage: Stage) -> None:
    """The wire is cut and stays cut."""
    order(stage)
    stage.set(Knobs(delay_s=WAY_S, partitioned=True))


def lossy(percent: int) -> Plan:
    """A message of twelve segments over a wire that loses so many packets in a hundred."""
    knobs = Knobs(delay_s=WAY_S, loss=percent / 100)
    lost = f"{percent}\N{NO-BREAK SPACE}%" if percent else "nothing"
    title = f"Twelve segments over a wire that loses {lost}"
    return Plan(title, segments(12), knobs, knobs, seed=11, until_s=0.6)


SCENES = {
    "era1-life": Plan(
        "A conversation from SYN to the last FIN", open_ask_close, until_s=0.3, opened=False
    ),
    "era1-checksum": Plan(
        "One bit of the question flips", order, trouble("corrupt"), CLEAN, until_s=0.2
    ),
    "era1-disorder": Plan(
        "One segment is late, one arrives twice",
        segments(4),
        trouble("deliver", "delay:0.0015", "duplicate"),
        CLEAN,
        until_s=0.2,
    ),
    "era1-gap": Plan(
        "The third of eight segments is lost",
        segments(8),
        trouble("deliver", "deliver", "drop"),
        CLEAN,
        until_s=0.2,
    ),
    "era1-tail": Plan(
        "The last of four segments is lost",
        segments(4),
        trouble("deliver", "deliver", "deliver", "drop"),
        CLEAN,
        until_s=0.2,
    ),
    "era1-lost-ack": Plan(
        "The answer is lost, not the question", order, CLEAN, trouble("drop"), until_s=0.2
    ),
    "era1-timeout": Plan("The wire is cut for 0.4 seconds", cut_and_mended, until_s=1.2),
    "era1-dead": Plan("The wire is cut and stays cut", cut_for_ever, until_s=8.0),
    "era1-window": Plan(
        "A reader that takes nothing for 0.15 seconds, and has room for six",
        slow_reader,
        window=6,
        until_s=0.5,
        shows_window=True,
    ),
    "era1-mtu": Plan(
        "Packets above 1,280 bytes vanish",
        segments(2),
        Knobs(delay_s=WAY_S, mtu_bytes=1280),
        CLEAN,
        until_s=1.9,
    ),
    "era1-wrap": Plan(
        "The numbers pass 4,294,967,295 and start again at 0",
        segments(4),
        until_s=0.2,
        first_seq=2**32 - 4,
    ),
    **{f"era1-loss-{percent}": lossy(percent) for percent in (0, 5, 20)},
}
