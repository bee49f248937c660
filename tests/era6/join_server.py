"""A control plane that enrols and does nothing else, in this event loop: for tests."""

from contextlib import asynccontextmanager

import grpc

from era6_control_plane.citadel import Citadel
from era6_control_plane.enrolment import Enrolment
from era6_control_plane.membership import Membership
from era6_control_plane.pilot_link import SERVER_OPTIONS


class Clock:
    """Seconds that go only when they are told to, or with a start of their own."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


class Pilot:
    """What a test asks, and sees."""

    def __init__(self, folder, life_s, wall, clock):
        self.said = []
        self.wall, self.clock = wall, clock
        self.life_s = life_s
        folder.mkdir(exist_ok=True)
        self.citadel = Citadel(folder / "citadel", wall(), least_s=0.0)
        self.membership = Membership(folder / "membership.db", clock())
        self.enrolment = Enrolment(
            self.citadel, self.membership, lambda: self.life_s, self.said.append, wall, clock
        )
        self.bundle = folder / "citadel" / "authorities.pem"
        self.nodes = self.join = ""

    def token(self, service="inventory", instance="inventory-1", life_s=60):
        return self.citadel.new_token(service, instance, life_s, self.wall())

    def names(self):
        return [each.instance for each in self.membership.endpoints()]


@asynccontextmanager
async def running(folder, wall, clock, life_s=3600.0, nodes=0, join=0):
    """nodes, join: ports; 0: any."""
    pilot = Pilot(folder, life_s, wall, clock)
    enrolment = pilot.enrolment
    servers = [grpc.aio.server(options=SERVER_OPTIONS) for _ in range(2)]
    servers[0].add_generic_rpc_handlers((enrolment.node_handler(),))
    servers[1].add_generic_rpc_handlers((enrolment.join_handler(),))
    at = f"127.0.0.1:{nodes}", f"127.0.0.1:{join}"
    pilot.nodes_port = servers[0].add_secure_port(at[0], enrolment.node_credentials())
    pilot.join_port = servers[1].add_secure_port(at[1], enrolment.join_credentials())
    pilot.nodes = f"https://127.0.0.1:{pilot.nodes_port}"
    pilot.join = f"https://127.0.0.1:{pilot.join_port}"
    for server in servers:
        await server.start()
    try:
        yield pilot
    finally:
        for server in servers:
            await server.stop(0)
        pilot.citadel.close()
        pilot.membership.close()
