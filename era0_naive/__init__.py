"""Era 0: two services as developers imagine them. One datagram per message, total trust."""

SCHEMES = {"portable": "udp", "real": "udp"}  # form of the wire -> scheme of inventory's address
