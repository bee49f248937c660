"""A server's stack on virtual time, behind which a business does as it is told."""

from random import Random

from era0_naive import shop
from era4_framework.config import QuotaConfig, ServerConfig
from era4_framework.identity import Identity
from era4_framework.outcomes import Operation
from era4_framework.service import Request, Response
from era4_framework.stack import edge_stack, server_stack
from era4_framework.telemetry import Telemetry
from tests.era3.tokens import SECRET, bearer
from tests.era4.virtual import Clock

FIELDS = ("sku", "quantity")
BODY = b'{"sku": "sku-0001", "quantity": 2}'
CONFIG = ServerConfig(
    may={"reserve": ("orders",), "catalogue": ("orders", "reports")},
    quotas={"reports": QuotaConfig(rate_per_s=5, burst=10)},
)


class Reception:
    """The stack of an inventory whose business is `business`."""

    def __init__(self, config: ServerConfig = CONFIG, is_edge: bool = False) -> None:
        self.clock = Clock()
        self.served: list[tuple] = []
        self.business = lambda: shop.Outcome("reserved")
        self.telemetry = Telemetry("inventory-1", Random(7))
        operations = [
            Operation("reserve", "PUT", "/<text:key>", self._reserve, FIELDS),
            Operation("catalogue", "GET", "/catalogue", self._catalogue),
            Operation("burn", "DELETE", "/", self._catalogue),
        ]
        if is_edge:
            stack = edge_stack(operations, "orders", self.telemetry, config, clock=self.clock)
        else:
            identity = Identity(SECRET, "inventory")
            stack = server_stack(operations, identity, self.telemetry, config, clock=self.clock)
        self.stack = stack

    def reserve(self, body: bytes = BODY, caller: str = "orders", **headers: str) -> Response:
        told = bearer(caller) | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.stack(Request("reserve", "PUT", "/o-1", body, "o-1", told, FIELDS))

    def catalogue(self, headers: dict[str, str]) -> Response:
        return self.stack(Request("catalogue", "GET", "/catalogue", headers=headers))

    def exposition(self) -> str:
        return self.telemetry.exposition().decode()

    def _reserve(self, *fields: object) -> shop.Outcome:
        self.served.append(fields)
        return self.business()

    def _catalogue(self) -> shop.Outcome:
        self.served.append(())
        return shop.Outcome("catalogue")
