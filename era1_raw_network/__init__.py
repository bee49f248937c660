"""Era 1: the same two services on packets that promise nothing. Reliability is made by hand."""

SCHEMES = {"portable": "udp", "real": "ip"}  # form of the wire -> scheme of inventory's address
