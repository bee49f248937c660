"""Era 2: the same two services over TCP. What era 1 did by hand, the kernel does."""

SCHEMES = {"portable": "tcp", "real": "tcp"}  # form of the wire -> scheme of inventory's address
