"""How long does a shop last that cannot bear to lose one datagram? Counted over a hundred seeds.

Era 0 stands still at the first lost datagram, question or answer; which frames a wire loses
follows from its seed, so the wire alone tells when that is.
"""

from itertools import count

from lab.measure.spread import percentile
from lab.wire import Knobs, Line

LOSSES = (0.001, 0.01, 0.05, 0.1)
SEEDS = range(100)
MOST_ORDERS = 100_000


def orders_served(seed: int, loss: float) -> int:
    """How many orders get question and answer through before the first loss."""
    lines = [Line(seed, name, Knobs(loss=loss)) for name in ("there", "back")]
    for order in count():
        if order == MOST_ORDERS or not all(line.push(0.0, b"?") for line in lines):
            return order
    return 0


def main() -> None:
    """Print a table."""
    print(f"{'loss':>6}   orders served before the first silence, {len(SEEDS)} seeds")
    print(f"{'':>6}   {'least':>6} {'median':>8} {'most':>8}")
    for loss in LOSSES:
        served = sorted(orders_served(seed, loss) for seed in SEEDS)
        middle = percentile(served, 0.5)
        print(f"{loss:>6.1%}   {served[0]:>6} {middle:>8,.0f} {served[-1]:>8,}")


if __name__ == "__main__":
    main()
