"""As every era: one role, or the story."""

import sys

from era0_naive import role

if __name__ == "__main__":
    role.run("tests.lab.web_era", sys.argv[1:])
