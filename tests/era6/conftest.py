"""Without the libraries of the extra `mesh` nothing here can even be imported: then it is skipped.

Envoy, name spaces and root are looked for by those tests alone that need them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


def missing() -> str:
    """Why nothing here can be run; empty if it can."""
    import era6_control_plane  # noqa: F401  (first: it tells gRPC to be quiet)

    try:
        import envoy.service.discovery.v3.ads_pb2_grpc  # noqa: F401
        import grpc  # noqa: F401
    except ImportError as error:
        return f"{error}; era 6 needs: pip install 'seven-eras[mesh]'"
    return ""


class LeftOut(pytest.Module):
    """A file that is not imported."""

    def collect(self) -> Iterator[pytest.Item]:
        pytest.skip(missing(), allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> LeftOut | None:
    return LeftOut.from_parent(parent, path=module_path) if missing() else None
