"""Strangers, forgers, thieves and listeners: the network is not secure."""

import re

from tests.promises.credentials import NOBODY, Credential, bad_credentials, impostor
from tests.promises.failures import Obeys, Readable, WrongAnswer
from tests.promises.scenarios.joining import (
    a_liar_is_in_the_control_plane_s_place,
    a_stranger_attends,
)
from tests.promises.sidecars import listed
from tests.promises.squatter import Squatter, squatting
from tests.promises.tokens import mint, secret_in
from tests.promises.trial import Outcome, Trial


def theft(trial: Trial, order_id: str = "stolen") -> Outcome:
    return {"op": "reserve", "order_id": order_id, "sku": trial.sku, "quantity": 1}


def must_not_be_reserved(trial: Trial, order_id: str = "stolen") -> None:
    if trial.reservations_of(order_id):
        raise Obeys(f"goods were reserved for {order_id}, an order that no customer placed")


def a_stranger_asks(trial: Trial) -> None:
    """Somebody on the network, with no order from anybody, asks inventory for goods."""
    trial.must_place("before")
    # Our stranger has to live on orders' host, and there a raw socket hears everything: the two
    # would reset each other's connections in era 1, as somebody elsewhere could not.
    trial.stage.pause("orders")
    answer = trial.stranger.ask(theft(trial))
    must_not_be_reserved(trial)
    assert answer.is_for_strangers, answer


def a_stranger_shows_a_bad_token(trial: Trial) -> None:
    for what, bad in bad_credentials(trial.stage).items():
        answer = trial.stranger.ask(theft(trial), bad)
        must_not_be_reserved(trial)
        assert answer.is_refusal, (what, answer)
    good = trial.stranger.ask(theft(trial, "no-theft"), trial.credential_of("orders"))
    assert good.outcome == "reserved", good


def somebody_else_asks(trial: Trial) -> None:
    """The service that writes reports is one of us, and may read what there is. It wants more."""
    reports = trial.credential_of("reports")
    answer = trial.stranger.ask({"op": "catalogue", "page": 0}, reports)
    assert answer.outcome == "catalogue", answer
    answer = trial.stranger.ask(theft(trial), reports)
    must_not_be_reserved(trial)
    assert answer.status == 403, answer
    trial.must_place("mine")
    answer = trial.stranger.ask({"op": "release", "order_id": "mine"}, reports)
    assert answer.status == 403, answer
    trial.must_be_reserved_once("mine")


def a_stranger_registers(trial: Trial) -> None:
    """As if it were one more instance of inventory; the orders would then go to it."""
    if trial.stage.era.has_control_plane:
        a_stranger_attends(trial)
        return
    secret = secret_in(trial.stage.secret)
    tokens = {
        "no token": "",
        "a caller's": mint(secret, "orders", "registry"),
        "one for inventory": mint(secret, "inventory", "inventory"),
        "forged": mint(b"not the secret of this shop, but as long", "inventory", "registry"),
    }
    for what, token in tokens.items():
        _register(trial, token, "http://127.0.0.1:9", what)
    trusted = mint(secret, "inventory", "registry")
    _register(trial, trusted, "http://169.254.169.254:80", "an address that is not ours")
    _register(trial, trusted, "file:///etc/passwd", "no address")


def _register(trial: Trial, token: str, url: str, what: str) -> None:
    lease = {"url": url, "lease_s": 60}
    path = "/services/inventory/evil"
    answer = trial.stranger.over_http("registry", "PUT", path, lease, Credential(token))
    if answer.status < 300:
        raise Obeys(f"{what}: the registry lists an instance that is none of ours")
    assert answer.status in (400, 401, 403), (what, answer)


def another_service_has_its_address(trial: Trial) -> None:
    """Inventory dies, and whoever gets its port means no harm: it says hello to everybody."""
    trial.must_place("before")
    address, other = _address_of_the_dead(trial), trial.credential_of("reports")
    with squatting(trial.stage, address, {"greeting": "hello"}, other) as squatter:
        _order_until_asked(trial, squatter)
    trial.laws_hold()


def a_liar_has_its_address(trial: Trial) -> None:
    """The same, but whoever gets the port says what inventory would say, also of who he is."""
    trial.must_place("before")
    address, false = _address_of_the_dead(trial), _false_name(trial)
    with squatting(trial.stage, address, {"outcome": "reserved"}, false) as squatter:
        _order_until_asked(trial, squatter)


def a_thief_has_its_address(trial: Trial) -> None:
    """The same, but whoever gets the port keeps what he is shown, and shows it when it is back."""
    trial.must_place("before")
    address, false = _address_of_the_dead(trial), _false_name(trial)
    with squatting(trial.stage, address, {"greeting": "hello"}, false) as squatter:
        _order_until_asked(trial, squatter)
    trial.stage.restart(trial.instance)
    _must_be_of_no_use(trial, squatter.shown or [false])


def _false_name(trial: Trial) -> Credential:
    """Where names are proved, one that nobody vouches for."""
    return impostor(trial.stage, "inventory") if trial.stage.era.has_sidecars else NOBODY


def _address_of_the_dead(trial: Trial) -> str:
    """Inventory is killed; where orders will look for it."""
    url = trial.stage.address(trial.instance)
    if trial.stage.era.speaks_http:
        url = listed(trial, "registry")[0].partition(" ")[2]
    trial.stage.crash(trial.instance)
    return url


def _order_until_asked(trial: Trial, squatter: Squatter) -> None:
    """A first order may only find out that an old connection is dead."""
    for n in range(3):
        order_id = f"nobody-{n}"
        if trial.place(order_id)["outcome"] == "placed" and not trial.reservations_of(order_id):
            raise WrongAnswer(f"{order_id} was placed, and no goods are reserved for it")
        if trial.sees(lambda: bool(squatter.heard), within_s=0.2):
            return
    raise AssertionError("nobody ever asked who is there now")


def _must_be_of_no_use(trial: Trial, credentials: list[Credential]) -> None:
    for shown in credentials:
        answer = trial.stranger.ask(theft(trial), shown)
        must_not_be_reserved(trial)
        assert answer.is_refusal, answer


def a_listener_registers(trial: Trial) -> None:
    """The registry dies, somebody has its port for a moment, and an instance renews its lease."""
    if trial.stage.era.has_control_plane:
        a_liar_is_in_the_control_plane_s_place(trial)
        return
    trial.stage.kill("registry")
    with squatting(trial.stage, trial.stage.registry_url, {}) as squatter:
        trial.until(lambda: bool(squatter.shown), "a lease is renewed")
    trial.stage.restart("registry")
    _register(trial, squatter.shown[0].token, "http://127.0.0.1:9", "an overheard token")


def a_listener_takes_the_token(trial: Trial) -> None:
    """It stands in every request; whoever reads one can write the next, until the token ends. What
    proves the name of who has a certificate never leaves him, and so is not there to be read.
    """
    trial.must_place("before")
    seen = b"".join(trial.stranger.frames_of_orders())
    found = re.search(rb"(?i)authorization: bearer ([\w.-]+)", seen)
    assert found or trial.stage.era.has_sidecars, "no token on the wire"
    answer = trial.stranger.ask(theft(trial), Credential(found[1].decode()) if found else NOBODY)
    must_not_be_reserved(trial)
    assert answer.is_refusal, answer


def a_blind_stranger_forges_a_packet(trial: Trial) -> None:
    """In the name of orders, into its conversation, but without being able to read that."""
    trial.must_place("mine")
    trial.stranger.forge((b"mine", b"evil"), guess=trial.stage.seed * 99_999_989 % 2**32)
    trial.must_serve_again("afterwards")
    must_not_be_reserved(trial, "evil")


def a_listener_forges_a_packet(trial: Trial) -> None:
    """The same by somebody who reads along, and so knows which number comes next.

    What he cannot read he cannot write either; he sends again what was sent.
    """
    trial.must_place("mine")
    for within_s in (0.3, 0.3, 1.5):  # the first may come before orders has acknowledged its answer
        trial.stranger.forge((b"mine", b"evil"))
        if trial.sees(lambda: trial.reservations_of("evil") > 0, within_s=within_s):
            raise Obeys("a packet was believed because its number was the next one")
    trial.must_serve_again("afterwards")


def a_listener_is_on_the_path(trial: Trial) -> None:
    trial.must_place("my-secret-order")
    if b"my-secret-order" in b"".join(trial.stranger.frames_of_orders()):
        raise Readable("the order's name stands in the captured frames")
