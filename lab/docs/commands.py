"""The commands whose output the pages show."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """typed: what the reader types; arguments: the same to this Python; steady: always alike."""

    name: str
    typed: str
    arguments: tuple[str, ...]
    is_steady: bool = False
    exit_code: int = 0
    timeout_s: float = 90.0


def _python(name: str, typed: str, is_steady: bool = False, exit_code: int = 0) -> Command:
    arguments = tuple(typed.removeprefix("python ").split())
    return Command(name, typed, arguments, is_steady, exit_code)


def _eras(name: str, typed: str, is_steady: bool = False, exit_code: int = 0) -> Command:
    arguments = ("-m", "lab", *typed.removeprefix("eras ").split())
    return Command(name, typed, arguments, is_steady, exit_code)


COMMANDS = (
    _python("era0-silence", "python -m lab.docs.silence", is_steady=True),
    _eras("era0-story", "eras demo 0"),
    _eras("era1-trace", "eras trace 1 --loss 0.3 --delay-s 0.02 --seed 9"),
    _python("era1-sweep", "python -m era1_raw_network.sweep"),
    _eras("era2-trace", "eras trace 2 --there deliver,deliver,drop --delay-s 0.02"),
    _eras("era2-diff", "eras diff 1 2 --stat", is_steady=True),
    _eras("era3-story", "eras demo 3"),
    _eras("era3-diff", "eras diff 2 3 --stat", is_steady=True),
    _python("era3-refusals", "python -m lab.docs.refusals 3"),
    _eras("era4-story", "eras demo 4"),
    _eras("era4-diff", "eras diff 3 4 --stat", is_steady=True),
    _eras("era5-story", "eras demo 5"),
    _eras("era5-diff", "eras diff 4 5 --stat", is_steady=True),
    _python("era5-reloads", "python -m lab.docs.reloads"),
    _python("era5-upgrades", "python -m lab.docs.upgrades 4 5"),
    _eras("era6-story", "eras demo 6"),
    _eras("era6-services", "eras diff 5 6 orders.py", is_steady=True),
    _python("era6-numbers", "python -m lab.docs.upgrades number 3 4 5 6"),
    _python("era6-wishes", "python -m lab.docs.wishes"),
    _python("era6-ruler", "python -m lab.docs.ruler"),
    _eras("doctor", "eras doctor"),
)
