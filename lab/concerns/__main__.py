"""python -m lab.concerns FILE ...: each line of code with the concern that the table gives it."""

import sys

from lab.concerns.attribution import attribute, described
from lab.concerns.table import load
from lab.find import ROOT


def main(paths: list[str]) -> None:
    """Print the files; raises KeyError for one that is not in the table."""
    for path in paths:
        for number, concern, line in described(attribute(ROOT / path, load().files[path])):
            print(f"{number:4} {concern or '???':26.26} {line}")


if __name__ == "__main__":
    main(sys.argv[1:])
