"""Secrets that came over a stream, as contexts of TLS: they never lie where others could read them.

Python takes certificates from files only. So they are files for a moment: in memory where the
system can (Linux), else in a folder that nobody else may enter.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from era4_framework.config_rules import ConfigError
from era5_sidecar.config import TlsConfig
from era5_sidecar.tls import Identity
from era6_control_plane.names import AUTHORITIES, OWN_CERTIFICATE
from era6_control_plane.told import AuthoritiesSaid, PairSaid

SHOWN = TlsConfig(f"sds:{OWN_CERTIFICATE}", f"sds:{OWN_CERTIFICATE}", f"sds:{AUTHORITIES}")


def identity(pair: PairSaid, authorities: AuthoritiesSaid) -> Identity:
    """What our proxy shows and believes. Raises ConfigError for what is no certificate, or no key
    to it.
    """
    with ExitStack() as stack:
        paths = [
            stack.enter_context(_file(content))
            for content in (pair.certificate, pair.key, authorities.certificates)
        ]
        try:
            return Identity(TlsConfig(*paths))
        except ConfigError as error:  # the paths mean nothing to whoever reads this
            raise ConfigError(error.key.replace("tls.", "secret "), "is none in PEM") from error


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    """A path under which this can be read for now."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("secret", os.MFD_CLOEXEC)
        try:
            os.write(number, content)
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)
        return
    with tempfile.TemporaryDirectory() as folder:  # 0700
        path = Path(folder) / "secret"
        path.touch(0o600)
        path.write_bytes(content)
        yield str(path)
