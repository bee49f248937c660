"""What is done wrong between services that repeat their requests, each in its usual way.

`Defect.found` is the share of histories that showed it, measured over 200 seeds and rounded down.
`struck` tells that nothing is accused but the defect; not all harm comes to light, as a repetition
or a cancellation often mends it.
"""

from dataclasses import dataclass

from era0_naive import shop
from tests.histories.pair_services import Inventory, Orders


@dataclass(frozen=True)
class Defect:
    found: float
    inventory: type[Inventory] = Inventory
    orders: type[Orders] = Orders

    def __str__(self) -> str:
        wrong = self.inventory if self.orders is Orders else self.orders
        return wrong.__name__


class DoesNotDeduplicate(Inventory):
    """Executes what it is asked, as often as it is asked."""

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        is_over = bool(self.stock.reserved(order_id)) or self.stock.was_released(order_id)
        self.struck += is_over
        return self.stock.reserve(order_id, sku, quantity)


class RemembersInItsMemory(DoesNotDeduplicate):
    """The answered ids are in the process: a kill forgets them, the other instance has its own."""

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        if order_id in self.memory:
            return shop.Outcome("reserved")
        outcome = super().reserve(order_id, sku, quantity)
        if outcome.kind == "reserved":
            self.memory[order_id] = outcome
        return outcome


class RemembersAfterTheCommit(DoesNotDeduplicate):
    """The goods first, the id a moment later: a repetition, or a kill, fits in between."""

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        if order_id in self.world.keys:
            return shop.Outcome("reserved")
        outcome = super().reserve(order_id, sku, quantity)
        self.pause()
        if outcome.kind == "reserved":
            self.world.keys[order_id] = outcome
        return outcome


class UsesTwoTransactions(Inventory):
    """The id in one, the goods in another: after a kill in between the id says `reserved`."""

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        if order_id in self.world.keys:
            self.struck += not self.stock.reserved(order_id)
            return shop.Outcome("reserved")
        self.world.keys[order_id] = (sku, quantity)
        self.pause()
        outcome = super().reserve(order_id, sku, quantity)
        if outcome.kind != "reserved":
            del self.world.keys[order_id]
        return outcome


class ChecksThenActs(DoesNotDeduplicate):
    """Looks whether it was done, and does it, not in one transaction."""

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        if self.stock.reserved(order_id) or self.stock.was_released(order_id):
            return super(DoesNotDeduplicate, self).reserve(order_id, sku, quantity)
        self.pause()
        return super().reserve(order_id, sku, quantity)


class KeepsNoTombstone(Inventory):
    """Forgets an order that was taken back: what still comes for it reserves once more."""

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        if self.stock.reserved(order_id):
            return super().reserve(order_id, sku, quantity)
        outcome = self.stock.reserve(order_id, sku, quantity)
        self.struck += outcome.kind == "reserved" and self.stock.was_released(order_id)
        return outcome


class KnowsKeys(DoesNotDeduplicate):
    """Deduplicates by the key that comes with a request; right if that is one for each order."""

    def handle(self, request: dict) -> shop.Outcome:
        if request["op"] == "release":
            return super().handle(request)
        if request["key"] in self.world.keys:
            return shop.Outcome("reserved")
        outcome = super().handle(request)
        if outcome.kind == "reserved":
            self.world.keys[request["key"]] = outcome
        return outcome


class UsesAFreshKeyPerAttempt(Orders):
    """Makes the key where the request is sent, so every attempt is another request."""

    def attempt(self, instance: Inventory, request: dict) -> shop.Outcome:
        key = f"{request['order_id']}/{self.world.clockwork.now}"
        return super().attempt(instance, {**request, "key": key})


class SeesWhatComesLate(Inventory):
    """Right itself; counts what it does for an order that the book knows otherwise."""

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        outcome = super().reserve(order_id, sku, quantity)
        is_forgotten = self.world.orders.book.find(order_id) is None
        self.struck += outcome.kind == "reserved" and is_forgotten
        return outcome

    def release(self, order_id: str) -> shop.Outcome:
        order = self.world.orders.book.find(order_id)
        self.struck += order is not None and order.status == "placed"
        return super().release(order_id)


class Failed(Exception):
    """A 500."""


class SaysTooMuch(Orders):
    """Counts how often a customer is told that nothing was changed, and something was."""

    def handle(self, request: dict) -> shop.Outcome:
        outcome = super().handle(request)
        holds = bool(self.world.stock.reserved(request["order_id"]))
        if outcome.kind == "unavailable" and outcome.certain:
            self.struck += holds is (request["op"] == "place")
        return outcome


class TakesA500ForANo(SaysTooMuch):
    """It failed, so it was not done; and a refusal is not asked again."""

    def ask(self, request: dict) -> shop.Outcome:
        try:
            return super().ask(request)
        except Failed as failed:
            return shop.unavailable(str(failed), certain=True)

    def attempt(self, instance: Inventory, request: dict) -> shop.Outcome:
        outcome = super().attempt(instance, request)
        if outcome.detail == "500":
            raise Failed(outcome.detail)
        return outcome


class TakesTheLastWord(SaysTooMuch):
    """The last attempt never left, so nothing was done; the one before it got no answer."""

    def fate_of(self, fates: list[bool]) -> bool:
        return not fates or fates[-1]


class BindsNoContent(Orders):
    """Knows the id, does not compare the content: another order is told `already placed`."""

    def place(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        known = self.book.find(order_id)
        if not known or known.status != "placed":
            return super().place(order_id, sku, quantity)
        self.struck += (known.sku, known.quantity) != (sku, quantity)
        return shop.Outcome("already_placed", order=known)


class RefusesInDoubt(Orders):
    """Tells the customer no while an earlier attempt is still under way, and forgets the order."""

    def place(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        return shop.place(self.book, self.reserve, order_id, sku, quantity)


DEFECTS = [
    Defect(0.9, DoesNotDeduplicate),
    Defect(0.9, RemembersInItsMemory),
    Defect(0.7, RemembersAfterTheCommit),
    Defect(0.9, UsesTwoTransactions),
    Defect(0.5, ChecksThenActs),
    Defect(0.25, KeepsNoTombstone),
    Defect(0.9, KnowsKeys, UsesAFreshKeyPerAttempt),
    Defect(0.25, SeesWhatComesLate, TakesA500ForANo),
    Defect(0.15, SeesWhatComesLate, TakesTheLastWord),
    Defect(0.7, Inventory, BindsNoContent),
    Defect(0.09, SeesWhatComesLate, RefusesInDoubt),
]
