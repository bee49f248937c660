"""Era 3: many instances, found, chosen, guarded and watched: all of it inside both services."""

SCHEMES = {"portable": "http", "real": "http"}  # form of the wire -> scheme of the addresses
