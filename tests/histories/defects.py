"""Shops that are wrong, each in one way that a real one has been."""

from tests.histories.simulated import Shop, Steps


class AppliesTwice(Shop):
    """A request that the wire duplicated is executed twice (no deduplication)."""

    def take(self, order_id, sku, quantity):
        super().take(order_id, sku, quantity)
        if self.rng.random() < 0.1 and self.available[sku] >= quantity:
            self.struck += 1
            super().take(order_id, sku, quantity)


class ForgetsItsAnswers(Shop):
    """The table of answered ids is in memory: a repeat after a kill is executed again."""

    def place(self, ask: dict) -> Steps:
        order_id, forgotten = ask["order_id"], None
        if order_id in self.orders and order_id not in self.memory:
            forgotten = self.orders.pop(order_id)
        outcome = yield from super().place(ask)
        if outcome["outcome"] == "placed":
            self.memory[order_id] = outcome
            self.struck += forgotten is not None and forgotten[2] == "placed"
        elif forgotten:
            self.orders[order_id] = forgotten
        return outcome


class RemembersAfterTheCommit(Shop):
    """Stock first, the id a moment later, not in one transaction: a repeat in between passes."""

    def take(self, order_id, sku, quantity):
        self.struck += (order_id, sku, quantity) in self.reservations
        super().take(order_id, sku, quantity)
        if self.rng.random() < 0.2:
            del self.orders[order_id]

    def place(self, ask: dict) -> Steps:
        outcome = yield from super().place(ask)
        yield 0.004
        if outcome["outcome"] == "placed":
            self.orders[ask["order_id"]] = (ask["sku"], ask["quantity"], "placed")
        return outcome


class LosesReservations(Shop):
    """Commits that are not yet on the disk when the kill comes."""

    def killed(self):
        super().killed()
        placed = [r for r in self.reservations[-1:] if self.orders[r[0]][2] == "placed"]
        for order_id, sku, quantity in placed:
            self.reservations.remove((order_id, sku, quantity))
            self.available[sku] += quantity
            self.struck += 1


class ChecksThenActs(Shop):
    """Reads the stock, thinks, then takes what was there when it looked."""

    def place(self, ask: dict) -> Steps:
        yield self.rng.uniform(0.0, 0.002)
        sku, quantity = ask["sku"], ask["quantity"]
        if ask["order_id"] in self.orders or self.available.get(sku, 0) < quantity:
            return (yield from super().place(ask))
        yield 0.006
        self.struck += self.available[sku] < quantity
        if ask["order_id"] not in self.orders:
            self.take(ask["order_id"], sku, quantity)
        return {"outcome": "placed"}


class TakesAnErrorForANo(Shop):
    """A 500 after the commit is reported as a definite refusal."""

    def place(self, ask: dict) -> Steps:
        outcome = yield from super().place(ask)
        if outcome["outcome"] != "placed" or self.rng.random() > 0.1:
            return outcome
        self.struck += 1
        return {"outcome": "unavailable", "certain": True}


class UsesTwoTransactions(Shop):
    """The stock goes down in one, the reservation is written in another; a kill falls between."""

    def place(self, ask: dict) -> Steps:
        before = dict(self.available)
        outcome = yield from super().place(ask)
        if outcome["outcome"] != "placed" or self.rng.random() > 0.3:
            return outcome
        row = (ask["order_id"], ask["sku"], ask["quantity"])
        if before == self.available or row not in self.reservations:
            return outcome
        self.reservations.remove(row)
        self.struck += 1
        yield 0.003
        self.reservations.append(row)
        self.struck -= 1
        return outcome

    def cancel(self, ask: dict) -> Steps:
        yield 0.0
        return {"outcome": "unavailable"}


class RefusesForNoReason(Shop):
    """Says out of stock in front of a full shelf."""

    def place(self, ask: dict) -> Steps:
        plenty = self.available.get(ask["sku"], 0) >= ask["quantity"] + 8
        if plenty and ask["order_id"] not in self.orders and self.rng.random() < 0.1:
            yield 0.0
            self.struck += 1
            return {"outcome": "out_of_stock"}
        return (yield from super().place(ask))


class BelievesAnothersAnswer(Shop):
    """No request ids: what arrives next is taken for the answer."""

    last: dict | None = None

    def place(self, ask: dict) -> Steps:
        mine = yield from super().place(ask)
        swapped = self.last if self.last and self.rng.random() < 0.1 else mine
        self.last = mine
        self.struck += {mine["outcome"], swapped["outcome"]} == {"placed", "out_of_stock"}
        return swapped


class KeepsWhatWasCancelled(Shop):
    """Says cancelled and releases nothing."""

    def give_back(self, order_id, sku, quantity):
        super().give_back(order_id, sku, quantity)
        self.available[sku] -= quantity
        self.reservations.append((order_id, sku, quantity))
        self.struck += 1


class ReleasesTwice(Shop):
    """A duplicated release gives the goods back twice."""

    def give_back(self, order_id, sku, quantity):
        super().give_back(order_id, sku, quantity)
        self.available[sku] += quantity
        self.struck += 1


class BindsNoContent(Shop):
    """Knows the id, does not compare the content: another order is told `already placed`."""

    def place(self, ask: dict) -> Steps:
        outcome = yield from super().place(ask)
        known = self.orders.get(ask["order_id"], ("", 0, ""))
        if outcome["outcome"] != "conflict" or known[2] != "placed":
            return outcome
        self.struck += 1
        return {"outcome": "already_placed"}


class UsesAFreshKeyPerAttempt(Shop):
    """The id is made where the request is sent, so that a repeat looks like another order."""

    def take(self, order_id, sku, quantity):
        if self.rng.random() < 0.1:
            order_id, self.struck = f"{order_id}-attempt-1", self.struck + 1
        super().take(order_id, sku, quantity)


class WritesAnotherQuantity(Shop):
    """One flipped bit, and nobody checks the sum."""

    def take(self, order_id, sku, quantity):
        flipped = quantity ^ 1
        flip = self.rng.random() < 0.1 and 0 < flipped <= self.available[sku]
        self.struck += flip
        super().take(order_id, sku, flipped if flip else quantity)


class ShowsTheOldBook(Shop):
    """Reads from a copy that lags behind."""

    def show(self, ask: dict) -> Steps:
        outcome = yield from super().show(ask)
        if outcome["outcome"] != "placed" or self.rng.random() > 0.3:
            return outcome
        self.struck += 1
        return {"outcome": "not_found"}


class NeverSettles(Shop):
    """An order of unknown fate stays `placing` for ever."""

    def place(self, ask: dict) -> Steps:
        fresh = ask["order_id"] not in self.orders
        outcome = yield from super().place(ask)
        if outcome["outcome"] != "placed" or not fresh or self.rng.random() > 0.05:
            return outcome
        self.orders[ask["order_id"]] = (ask["sku"], ask["quantity"], "placing")
        self.struck += 1
        return {"outcome": "unavailable"}


DEFECTS = [
    AppliesTwice,
    ForgetsItsAnswers,
    RemembersAfterTheCommit,
    LosesReservations,
    ChecksThenActs,
    TakesAnErrorForANo,
    UsesTwoTransactions,
    RefusesForNoReason,
    BelievesAnothersAnswer,
    KeepsWhatWasCancelled,
    ReleasesTwice,
    BindsNoContent,
    UsesAFreshKeyPerAttempt,
    WritesAnotherQuantity,
    ShowsTheOldBook,
    NeverSettles,
]
