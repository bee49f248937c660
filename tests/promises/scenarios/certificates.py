"""Certificates that end, and whose signature is believed: nobody at the shop must notice."""

import socket
import ssl
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.promises import mesh
from tests.promises.failures import Obeys, StaysDown
from tests.promises.trial import Trial

LIFE = "mesh.certificate_life_s"
LIFE_S = 2  # the shortest that is accepted
LIVES = 3
ROTATED_S = 20.0
PATIENCE_S = 5.0


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
