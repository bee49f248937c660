"""What an operator does to the whole mesh from one place: routes, faults, permissions, names."""

import http.client
import socket
import ssl
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from tests.promises import mesh
from tests.promises.failures import Disagrees, Obeys, StaysDown
from tests.promises.sidecars import outbound_of, proxies_of
from tests.promises.trial import Trial

SERVED_BY = "x-served-by"  # instance and version
ASKED = 100
CANARY = 20  # of a hundred
ROUTES = "services.inventory.routes"
MAY = "services.inventory.may"
LIFE = "mesh.certificate_life_s"
LIFE_S = 2  # the shortest that is accepted
LIVES = 3
ROTATED_S = 20.0
PATIENCE_S = 5.0


def a_canary_is_let_out(trial: Trial) -> None:
    """A new version: at first only who asks for it by a header, then a fifth of all, then all. No
    process is started again, and no customer refused.
    """
    stage = trial.stage
    stage.add("inventory-2", version="v2")
    before = proxies_of(stage, "orders")
    by_header = {"headers": {"x-canary": "yes"}, "to": {"v1": 0, "v2": 100}}
    with trial.crowd(1) as crowd:
        _want(trial, [by_header, {"to": {"v1": 100, "v2": 0}}])
        _must_be(_shares(trial, ASKED), v2=(0, 0))
        _must_be(_shares(trial, 20, {"x-canary": "yes"}), v2=(20, 20))
        _want(trial, [by_header, {"to": {"v1": 100 - CANARY, "v2": CANARY}}])
        _must_be(_shares(trial, ASKED), v2=(ASKED * 0.05, ASKED * 0.4))
        _want(trial, [{"to": {"v1": 0, "v2": 100}}])
        _must_be(_shares(trial, 20), v2=(20, 20))
        crowd.go_on(2)
    crowd.must_be_served()
    assert proxies_of(stage, "orders") == before


def a_fault_is_injected(trial: Trial) -> None:
    """To see whether the shop can bear it: reading the goods fails, or is slow; ordering is as it
    was. Then it is taken back.
    """
    path = "/catalogue"
    with trial.crowd(1) as crowd:
        crowd.go_on(2)
        _want(trial, [{"path": path, "fault": {"abort_status": 503}}])
        assert [_ask(trial, path)[0] for _ in range(3)] == [503] * 3
        _want(trial, [{"path": path, "fault": {"delay_s": 0.3}}])
        began = time.monotonic()
        assert _ask(trial, path)[0] == 200
        assert time.monotonic() - began >= 0.3, "nobody waited"
        _want(trial, [])
        began = time.monotonic()
        assert _ask(trial, path)[0] == 200
        assert time.monotonic() - began < 0.3, "it is still slow"
        crowd.go_on(2)
    crowd.must_be_served()


def a_permission_is_withdrawn(trial: Trial) -> None:
    """Orders has a true name, and nothing else speaks for it: what no rule allows is refused, to it
    as to everybody, from the moment at which the rule goes to that at which it is back.
    """
    trial.must_place("before")
    rules = mesh.intent_of(trial.stage)["services"]["inventory"]["may"]
    mesh.want(trial.stage, MAY, [rule for rule in rules if rule["method"] != "PUT"])
    if trial.place("meanwhile")["outcome"] == "placed":
        raise Obeys("orders reserved goods, and nothing allows it to")
    assert not trial.reservations_of("meanwhile")
    mesh.want(trial.stage, MAY, rules)
    trial.must_place("afterwards")
    trial.laws_hold()


def certificates_end_under_load(trial: Trial) -> None:
    """Each is good for two seconds. Nobody is refused; whoever holds on to a connection is sent
    away before what he has shown, or was shown, is out of date.
    """
    stage = trial.stage
    mesh.want(stage, LIFE, LIFE_S)
    for node in ("orders", *stage.instances):  # what they have is good for an hour
        stage.kill(f"{node}-agent")
        mesh.make_new(stage, node)
        stage.restart(f"{node}-agent")
    seen: set[int] = set()
    with trial.crowd(2) as crowd:
        trial.until(lambda: _served_until(trial) - time.time() <= LIFE_S, "a short-lived one")
        over = time.monotonic() + LIVES * LIFE_S
        while time.monotonic() < over:
            ends_at = _served_until(trial)
            assert time.time() < ends_at, "it serves one that has ended"
            seen.add(int(ends_at))
            crowd.go_on(2)
        _must_be_sent_away(trial)
        crowd.go_on(2)
    crowd.must_be_served()
    assert len(seen) >= LIVES, f"only {len(seen)} certificates in {LIVES} lives"


def the_authority_is_replaced(trial: Trial) -> None:
    """Whose signature everybody believes: another one takes its place, and nobody is refused."""
    stage = trial.stage
    old = stage.operator.status()["authorities"]["signing"]
    with trial.crowd(2) as crowd:
        crowd.go_on(4)
        stage.operator.ask("POST", "/authorities/rotate", {})

        def is_over() -> bool:
            crowd.go_on(2)
            now = stage.operator.status()["authorities"]
            return now["stage"] == "steady" and now["signing"] != old

        if not trial.sees(is_over, ROTATED_S):
            raise StaysDown(f"after {ROTATED_S:g} s: {stage.operator.status()['authorities']}")
        crowd.go_on(8)
    crowd.must_be_served()
    known = stage.operator.status()["authorities"]["authorities"]
    assert old not in known and len(known) == 1, known
    trial.laws_hold()


def _want(trial: Trial, routes: list[dict[str, object]]) -> None:
    if not mesh.want(trial.stage, ROUTES, routes)["is_settled"]:
        raise Disagrees(f"not everybody obeys {routes}")


def _shares(trial: Trial, times: int, headers: dict[str, str] | None = None) -> Counter[str]:
    """How often each version answered whoever asks through orders' sidecar."""
    with closing(_line(trial)) as line:
        told = [_answer(line, "DELETE", "/reservations/none", headers) for _ in range(times)]
    assert {status for status, _ in told} == {200}, Counter(told)
    return Counter(who.rpartition(" ")[2] for _, who in told)


def _must_be(shares: Counter[str], v2: tuple[float, float]) -> None:
    least, most = v2
    if not least <= shares["v2"] <= most:
        raise Disagrees(f"v2 served {shares['v2']} times, not {least:g} to {most:g}: {shares}")


def _ask(trial: Trial, path: str) -> tuple[int, str]:
    with closing(_line(trial)) as line:
        return _answer(line, "GET", path)


def _line(trial: Trial) -> http.client.HTTPConnection:
    place = urlsplit(outbound_of(trial.stage, "orders")).netloc
    return http.client.HTTPConnection(place, timeout=PATIENCE_S)


def _answer(
    line: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    line.request(method, path, headers={"Host": "inventory", **(headers or {})})
    answer = line.getresponse()
    answer.read()
    return answer.status, answer.getheader(SERVED_BY, "")


def _served_until(trial: Trial) -> float:
    """When the certificate ends that an instance shows to whoever comes now; seconds since 1970."""
    with _guarded(trial, None) as line:
        return mesh.ends_at(line.getpeercert(binary_form=True) or b"")


def _must_be_sent_away(trial: Trial) -> None:
    """One who has a certificate of two seconds, and asks again and again on one connection."""
    own = mesh.joined(trial.stage, "reports", "reports-1")
    ends_at = mesh.ends_at(ssl.PEM_cert_to_DER_cert(own.certificate.decode()))
    path = Path(trial.stage.directory) / "short.pem"
    own.write(path.parent, path.stem)
    with _guarded(trial, path) as line:
        line.settimeout(PATIENCE_S)
        while time.time() < ends_at + 0.5:
            try:
                line.sendall(b"GET /forbidden HTTP/1.1\r\nHost: inventory\r\n\r\n")
                if not line.recv(65536):
                    return
            except OSError:
                return
            time.sleep(0.05)
    raise Obeys("a connection outlived the certificate that was shown on it")


def _guarded(trial: Trial, shown: Path | None) -> ssl.SSLSocket:
    """A connection to the first instance's sidecar. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # we look at what is shown, and judge ourselves
    if shown:
        context.load_cert_chain(shown, shown.with_suffix(".key"))
    place = urlsplit(trial.stage.address(f"{trial.instance}-sidecar"))
    line = socket.create_connection((place.hostname or "", place.port or 0), PATIENCE_S)
    return context.wrap_socket(line)
