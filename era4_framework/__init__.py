"""Era 4: the same two services on a framework. What era 3 wrote into each is a library now."""

SCHEMES = {"portable": "http", "real": "http"}  # form of the wire -> scheme of the addresses
