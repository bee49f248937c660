"""Topology does not change: who is there, where, and in what state."""

from tests.promises.failures import Hangs, Obeys, Slow, StaysDown, Unavailable
from tests.promises.scenarios import instances as when
from tests.promises.table.cells import (
    ALL_KEPT,
    ONE_INSTANCE,
    STABLE,
    WAITS,
    Absent,
    Not,
    Promise,
    before_http,
    nobody_else_to_ask,
)

NO_REGISTRY = "no registry yet: the one address stands on the command line"
NO_OTHER = "with one instance only nobody else could be asked in its place, good or bad"
NO_OTHER_LANGUAGE = "nobody has written this era's protocol in another language"
IN_PYTHON = (
    "all that guards a service is Python, typed into it or linked into it: another language has the"
    " business and none of this (era 5)"
)

ROWS = [
    Promise(
        "kill -9 of the only instance",
        "customers are served although the only instance dies",
        STABLE,
        when.the_only_instance_dies,
        {"0": Not(WAITS, Hangs)} | dict.fromkeys("123456", Not("there is no other", StaysDown)),
    ),
    Promise(
        "restart at the same address",
        "after a restart the shop goes on by itself",
        STABLE,
        when.the_instance_is_restarted,
        # Era 0 keeps it, unless somebody asked in between: it has no connection that could break.
        dict.fromkeys("0123456", True),
    ),
    Promise(
        "kill -9 of one of several",
        "an instance dies and no customer is refused",
        STABLE,
        when.one_of_several_dies,
        nobody_else_to_ask(Unavailable) | ALL_KEPT,
        trouble="elsewhere",
        slow=True,
        instances=2,
    ),
    Promise(
        "one of several hangs",
        "an instance stands still: no customer is refused, and soon none waits for it",
        STABLE,
        when.one_of_several_hangs,
        nobody_else_to_ask(Unavailable) | ALL_KEPT,
        trouble="elsewhere",
        slow=True,
        instances=2,
    ),
    Promise(
        "one of several is slow",
        "an instance answers slowly, and most customers do not wait for it",
        "latency is zero",
        when.one_of_several_is_slow,
        before_http(Not(ONE_INSTANCE, Slow)) | ALL_KEPT,
        trouble="elsewhere",
        instances=2,
    ),
    Promise(
        "one of several always fails",
        "an instance answers 500 to everything: no customer is refused, and soon nobody asks it",
        STABLE,
        when.one_of_several_fails_always,
        before_http(Absent(NO_OTHER)) | ALL_KEPT,
        trouble="elsewhere",
    ),
    Promise(
        "an instance moves",
        "an instance comes up at another address, and is found there",
        STABLE,
        when.an_instance_moves,
        nobody_else_to_ask(Unavailable) | ALL_KEPT,
        trouble="elsewhere",
        slow=True,
        instances=2,
    ),
    Promise(
        "an upgrade under load",
        "all instances are replaced, one by one, and no customer is refused",
        "there is one administrator",
        when.all_are_replaced_one_by_one,
        nobody_else_to_ask(Unavailable) | ALL_KEPT,
        trouble="elsewhere",
        slow=True,
        instances=2,
    ),
    Promise(
        "kill -9 of the registry",
        "the registry dies and comes back with an empty memory: no customer notices",
        STABLE,
        when.the_registry_dies_and_comes_back_empty,
        before_http(Absent(NO_REGISTRY)) | ALL_KEPT,
        trouble="elsewhere",
        instances=2,
    ),
    Promise(
        "a service in another language",
        "an inventory in another language takes part as the others do, and asks who is asking",
        "the network is homogeneous",
        when.one_speaks_another_language,
        before_http(Absent(NO_OTHER_LANGUAGE))
        | dict.fromkeys("34", Not(IN_PYTHON, Obeys))
        | dict.fromkeys("56", True),
        trouble="elsewhere",
        in_node=True,
    ),
]
