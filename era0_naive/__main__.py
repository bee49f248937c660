"""`python -m era0_naive` tells the story; `python -m era0_naive ROLE ...` runs one service."""

import sys

from era0_naive import role

if __name__ == "__main__":
    role.run("era0_naive", sys.argv[1:])
