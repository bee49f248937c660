"""What somebody shows to say who he is: a name (eras 0 to 2), a token (3, 4), a certificate."""

from dataclasses import dataclass
from pathlib import Path

from era5_sidecar.certificates import Authority
from lab.stage import Stage
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
        return _issued(stage, caller, Authority.load(certificates_of(stage)))
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
    return _issued(stage, service, Authority.new(), "impostor")


def certificates_of(stage: Stage) -> Path:
    """Where the shop's own lie."""
    return stage.directory / "certificates"


def _bad_certificates(stage: Stage) -> dict[str, Credential]:
    ours = Authority.load(certificates_of(stage))
    folder = certificates_of(stage)
    ours.issue("orders", life_s=-10, begin_s=-20).write(folder, "expired")
    ours.issue("orders", life_s=60, begin_s=30).write(folder, "early")
    return {
        "none": NOBODY,
        "another authority's": impostor(stage, "orders"),
        "expired": Credential(certificate=str(folder / "expired.pem")),
        "of tomorrow": Credential(certificate=str(folder / "early.pem")),
        "of nobody we know": credential_of(stage, "nobody"),
        "of the service itself": credential_of(stage, "inventory"),
    }


def _issued(stage: Stage, service: str, authority: Authority, name: str = "") -> Credential:
    folder = certificates_of(stage)
    name = name or service
    if not (folder / f"{name}.pem").exists():
        authority.issue(service).write(folder, name)
    return Credential(certificate=str(folder / f"{name}.pem"))
