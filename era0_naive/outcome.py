"""What a request can come to: values, and how they travel as JSON."""

import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from era0_naive import rules
from era0_naive.goods import Product


@dataclass(frozen=True)
class Order:
    """One line of the book. `status`: placing, refusing, placed, cancelling or cancelled."""

    order_id: str
    sku: str
    quantity: int
    status: str


@dataclass(frozen=True)
class Outcome:
    """What became of a request.

    At the counter: placed, already_placed, conflict, out_of_stock, unknown_sku, invalid,
    cancelled, not_found, unavailable, catalogue. Between the services: reserved, released,
    out_of_stock, unknown_sku, invalid, unavailable, catalogue.

    field: which one is invalid. certain: with unavailable, True if the order certainly is as it
    was before, False if its fate is unknown until the same request is repeated; and False with an
    out_of_stock between the services, if an attempt before it got no answer.
    """

    kind: str
    detail: str = ""
    field: str = ""
    certain: bool | None = None
    order: Order | None = None
    products: Sequence[Product] = ()

    def message(self) -> dict[str, Any]:
        """As it travels: a JSON object with `outcome` and whatever else there is to tell."""
        told: dict[str, Any] = {
            "detail": self.detail or None,
            "field": self.field or None,
            "certain": self.certain,
            "order": asdict(self.order) if self.order else None,
            "products": self.products or None,
        }
        there = {name: value for name, value in told.items() if value is not None}
        return {"outcome": self.kind} | there


def read_outcome(message: Any) -> Outcome:
    """What the other service answered; what makes no sense leaves the fate unknown."""
    if not isinstance(message, dict) or not isinstance(message.get("outcome"), str):
        return unavailable(f"inventory answered {rules.brief(message)}", certain=False)
    return Outcome(
        kind=message["outcome"],
        detail=message.get("detail", ""),
        field=message.get("field", ""),
        certain=message.get("certain"),
        products=message.get("products", ()),
    )


def refuse(field: str, value: object, accepted: str) -> Outcome:
    """A request that cannot be understood: which field, which value, what is accepted."""
    return Outcome("invalid", f"{field} is {rules.brief(value)}; accepted: {accepted}", field)


def unavailable(why: str, certain: bool) -> Outcome:
    """The other service did not do its part: certainly not (`certain`), or for all we know."""
    return Outcome("unavailable", why, certain=certain)


def refusal(order_id: Any, sku: Any = "any", quantity: Any = 1) -> Outcome | None:
    """`invalid` if one of the fields breaks its rule, else None."""
    fields = {"order_id": order_id, "sku": sku, "quantity": quantity}
    wrong = rules.mistake(fields, rules.REQUEST)
    return Outcome("invalid", wrong[1], field=wrong[0]) if wrong else None


def respond(message: bytes, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """The answer to a message, both JSON, whatever the message is and whatever goes wrong."""
    try:
        request = json.loads(message)
    except (ValueError, RecursionError):
        return _encode(refuse("the message", message, "a JSON object").message())
    if not isinstance(request, dict):
        return _encode(refuse("the message", request, "a JSON object").message())
    try:
        return _encode(answer(request))
    except Exception as error:  # the outermost loop of a service: one request must not end it
        traceback.print_exc()
        return _encode(unavailable(f"{type(error).__name__}: {error}", certain=False).message())


def _encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()
