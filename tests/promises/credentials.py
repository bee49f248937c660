"""What somebody shows to say who he is: a name (eras 0 to 2), a token (3, 4), a certificate."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from era5_sidecar.certificates import Authority, Pair
from lab.stage import Stage
from tests.promises import mesh
from tests.promises.tokens import bad_tokens, mint, secret_in


@dataclass(frozen=True)
class Credential:
    """`certificate`: a file in PEM, with the key beside it; "" for who has none, or no TLS."""

    token: str = ""
    certificate: str = ""


NOBODY = Credential()


def credential_of(stage: Stage, caller: str) -> Credential:
    """What that service shows to inventory, as whoever runs the shop would give it to it."""
    if stage.era.has_sidecars:
        return _written(stage, caller, lambda: _issued(stage, caller))
    if stage.era.speaks_http:
        return Credential(mint(secret_in(stage.secret), caller, "inventory"))
    return Credential(caller)


def bad_credentials(stage: Stage) -> dict[str, Credential]:
    """What is wrong with it -> what is shown."""
    if stage.era.has_sidecars:
        return _bad_certificates(stage)
    if stage.era.speaks_http:
        tokens = bad_tokens(secret_in(stage.secret))
        return {what: Credential(token) for what, token in tokens.items()}
    return {"none, where there are none": Credential("orders")}


def impostor(stage: Stage, service: str) -> Credential:
    """A certificate that says so, signed by somebody whom nobody here believes."""
    return _written(stage, "impostor", lambda: Authority.new().issue(service))


def certificates_of(stage: Stage) -> Path:
    """Where the shop's own lie."""
    return stage.directory / "certificates"


def _bad_certificates(stage: Stage) -> dict[str, Credential]:
    ours = _ours(stage)
    return {
        "none": NOBODY,
        "another authority's": impostor(stage, "orders"),
        "expired": _written(stage, "expired", lambda: ours.issue("orders", -10, -20)),
        "of tomorrow": _written(stage, "early", lambda: ours.issue("orders", 60, 30)),
        "of nobody we know": _written(stage, "nobody", lambda: ours.issue("nobody")),
        "of the service itself": credential_of(stage, "inventory"),
    }


def _issued(stage: Stage, service: str) -> Pair:
    if stage.era.has_control_plane:
        return mesh.joined(stage, service, f"{service}-of-a-trial")
    return _ours(stage).issue(service)


def _ours(stage: Stage) -> Authority:
    if stage.era.has_control_plane:
        return mesh.stolen_authority(stage)
    return Authority.load(certificates_of(stage))


def _written(stage: Stage, name: str, make: Callable[[], Pair]) -> Credential:
    """Made once."""
    folder = certificates_of(stage)
    if not (folder / f"{name}.pem").exists():
        folder.mkdir(exist_ok=True)
        make().write(folder, name)
    return Credential(certificate=str(folder / f"{name}.pem"))
