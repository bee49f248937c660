"""Era 1."""

SCHEMES = {"portable": "udp", "real": "ip"}
