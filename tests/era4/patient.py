"""Era 4 with an inventory that waits for its store as long as it must: for test_releases.py.

`python -m tests.era4.patient inventory --name ...`, of the release that is found first.
"""

import sys

from era0_naive import role
from era4_framework import inventory

if __name__ == "__main__":
    inventory.BUSY_TIMEOUT_S = 8.0
    role.run("era4_framework", sys.argv[1:])
