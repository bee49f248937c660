"""Era 6: a mesh. The sidecars of era 5 are told what to do from one place, all at once."""

HAS_CONTROL_PLANE = True  # one process that rules all sidecars: what roles there are follows
