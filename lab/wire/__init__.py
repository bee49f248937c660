"""The wire between orders and inventory: seeded faults for frames, in three forms.

* virtual: two endpoints without sockets, on virtual time, inside one test (`virtual`)
* portable: UDP datagrams through a relay process on loopback (`portable`)
* real: two Linux network namespaces whose interfaces meet in our process (`namespaces`, `pump`)

One set of knobs (`knobs`) and one rule for what happens to a frame (`line`) serve all three.
"""

from lab.wire.core import Wire, Witness
from lab.wire.knobs import KnobError, Knobs
from lab.wire.line import Line

__all__ = ["KnobError", "Knobs", "Line", "Wire", "Witness"]
