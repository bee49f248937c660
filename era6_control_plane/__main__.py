"""Without a role the era tells its story; with one it runs it. `--help` lists them."""

import sys

from era0_naive import role

if __name__ == "__main__":
    role.run("era6_control_plane", sys.argv[1:])
