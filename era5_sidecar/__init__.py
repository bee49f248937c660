"""Era 5: the same two services, plain again. What era 4's library did is a process beside each."""

SCHEMES = {"portable": "http", "real": "http"}  # form of the wire -> scheme of the addresses
HAS_SIDECARS = True  # the services know no registry and no port: who stands beside them does
