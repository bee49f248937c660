"""Era 6: a mesh. The sidecars of era 5 are told what to do from one place, all at once."""

import os

# gRPC reads it as it is imported. Its core would write a line for every stranger who fails to shake
# hands, in words of its own: what matters our roles say themselves.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

SCHEMES = {"portable": "http", "real": "http"}  # form of the wire -> scheme of the addresses
HAS_SIDECARS = True  # the services know no registry and no port: who stands beside them does
HAS_CONTROL_PLANE = True  # and who stands beside them is told what to do by one that rules them all
