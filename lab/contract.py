"""The contract of all eras, from the customer's side: the same four operations, the same outcomes.

Eras 0 to 2 serve customers at a counter: a Unix stream socket, one JSON operation a line, one JSON
outcome a line. From era 3 on (or at any `--url`, in any language) the same travels as HTTP; the
mapping between the two is here and nowhere else:

| operation | request             | outcome and status                                       |
|-----------|---------------------|----------------------------------------------------------|
| place     | PUT /orders/{id}    | placed 201, already_placed 200, conflict 409,            |
|           |                     | out_of_stock 409, unknown_sku 404                        |
| cancel    | DELETE /orders/{id} | cancelled 200, not_found 404                             |
| show      | GET /orders/{id}    | placed 200, cancelled 200, not_found 404                 |
| catalogue | GET /catalogue      | catalogue 200                                            |
| all       |                     | invalid 400, unavailable 503                             |

A success answers with the outcome as JSON. A refusal answers with problem details (RFC 9457) whose
`outcome` member names it; where that is missing, the last part of `type` or the status decides.
"""

import json
from typing import Any, Protocol
from urllib.parse import quote

ANSWER_S = 15.0  # an era may retry for seconds; who is silent for longer hangs
Operation = dict[str, Any]
Outcome = dict[str, Any]

REFUSALS = {
    "conflict": 409,
    "out_of_stock": 409,
    "unknown_sku": 404,
    "not_found": 404,
    "invalid": 400,
    "unavailable": 503,
}
BY_STATUS = {
    "place": {200: "already_placed", 201: "placed", 404: "unknown_sku", 409: "conflict"},
    "cancel": {200: "cancelled", 204: "cancelled", 404: "not_found", 409: "conflict"},
    "show": {404: "not_found"},
    "catalogue": {200: "catalogue"},
}
# What frameworks answer by themselves before the shop is asked.
MALFORMED = (400, 405, 411, 413, 414, 415, 422, 431)
BROKEN = (500, 502, 503, 504)


class NoOutcome(Exception):
    """The customer asked and learned nothing."""


class ShopClosed(NoOutcome):
    """Nobody at the counter: certainly nothing was asked."""


class CutOff(NoOutcome):
    """The connection ended before the answer: perhaps done, perhaps not."""


class CustomerTimeout(NoOutcome):
    """The shop hangs: no answer within the customer's patience."""


class NotTheContract(NoOutcome):
    """An answer that is none of the contract's outcomes."""


class Door(Protocol):
    """A way into the shop."""

    def ask(self, operation: Any, timeout_s: float) -> Outcome:
        """The outcome of one operation; raises NoOutcome."""

    def close(self) -> None: ...


class Customer:
    """One customer, who asks one thing at a time (a thread each for many at once)."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def place(
        self, order_id: Any, sku: Any, quantity: Any, *, timeout_s: float = ANSWER_S
    ) -> Outcome:
        """Order `quantity` of `sku`; the same id again is safe. Raises NoOutcome."""
        order = {"order_id": order_id, "sku": sku, "quantity": quantity}
        return self.ask({"op": "place", **order}, timeout_s=timeout_s)

    def cancel(self, order_id: Any, *, timeout_s: float = ANSWER_S) -> Outcome:
        """Give the order back. Raises NoOutcome."""
        return self.ask({"op": "cancel", "order_id": order_id}, timeout_s=timeout_s)

    def show(self, order_id: Any, *, timeout_s: float = ANSWER_S) -> Outcome:
        """What the shop knows of this order. Raises NoOutcome."""
        return self.ask({"op": "show", "order_id": order_id}, timeout_s=timeout_s)

    def catalogue(self, *, timeout_s: float = ANSWER_S) -> Outcome:
        """All products: long on purpose. Raises NoOutcome."""
        return self.ask({"op": "catalogue"}, timeout_s=timeout_s)

    def ask(self, operation: Any, *, timeout_s: float = ANSWER_S) -> Outcome:
        """Say anything at all at the door (bad input too). Raises NoOutcome."""
        return self._door.ask(operation, timeout_s)

    def close(self) -> None:
        self._door.close()


def request_of(operation: Operation) -> tuple[str, str, bytes]:
    """The HTTP method, path and body of an operation; ValueError for what HTTP cannot say."""
    path = "/orders/" + quote(str(operation.get("order_id", "")), safe="")
    match operation.get("op"):
        case "place":
            rest = {key: operation[key] for key in operation if key not in ("op", "order_id")}
            return "PUT", path, json.dumps(rest).encode()
        case "cancel":
            return "DELETE", path, b""
        case "show":
            return "GET", path, b""
        case "catalogue":
            return "GET", "/catalogue", b""
    raise ValueError(f"{operation!r} has no HTTP form; op is place, cancel, show or catalogue")


def response_of(op: str, outcome: Outcome) -> tuple[int, str, bytes]:
    """The HTTP status, content type and body that carry an outcome."""
    kind = outcome["outcome"]
    if kind not in REFUSALS:
        status = 201 if (op, kind) == ("place", "placed") else 200
        return status, "application/json", json.dumps(outcome).encode()
    title = kind.replace("_", " ")
    problem = {"type": f"urn:seven-eras:{kind}", "title": title, "status": REFUSALS[kind]}
    return REFUSALS[kind], "application/problem+json", json.dumps({**problem, **outcome}).encode()


def outcome_of(op: str, status: int, body: bytes) -> Outcome:
    """The outcome that an HTTP response carries; raises NotTheContract."""
    answer = _json_object(body)
    if "outcome" in answer:
        return answer
    kind = _kind(op, status, answer)
    if kind is None:
        raise NotTheContract(f"{op} answered {status} with {body[:200]!r}, which is no outcome")
    return {"outcome": kind, **answer}


def _kind(op: str, status: int, answer: dict[str, Any]) -> str | None:
    named = str(answer.get("type", "")).replace("/", ":").rpartition(":")[2].replace("-", "_")
    if REFUSALS.get(named) == status:
        return named
    if status in MALFORMED:
        return "invalid"
    if status in BROKEN:
        return "unavailable"
    if op == "show" and status == 200:
        return str(answer.get("status", "placed"))
    return BY_STATUS.get(op, {}).get(status)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {"products": answer}
