"""Where the machine cannot make hosts, tests of real interfaces are skipped with its reason."""

import pytest

from lab.wire.namespaces import available


@pytest.fixture(scope="session")
def real_interfaces():
    """Call it where real interfaces are needed."""

    def require():
        if reason := available():
            pytest.skip(reason)

    return require
