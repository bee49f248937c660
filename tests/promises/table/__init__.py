"""The table of promises: what each era keeps and, where it does not, why and how it fails.

A cell is True, or Not(why, shows): the test then demands exactly this failure; or Absent(why) if
the era has not what the promise is about. So the table can flatter nobody: a promise kept by
accident fails as loudly as one that is broken.
"""

from tests.promises.table import (
    control_plane,
    identity,
    instances,
    load,
    network,
    policy,
    sidecars,
    wishes,
)
from tests.promises.table.cells import Absent, Cell, Not, Promise

__all__ = ["PROMISES", "Absent", "Cell", "Not", "Promise"]

PROMISES = [
    *network.ROWS,
    *instances.ROWS,
    *load.ROWS,
    *wishes.ROWS,
    *policy.ROWS,
    *sidecars.ROWS,
    *identity.ROWS,
    *control_plane.ROWS,
]
