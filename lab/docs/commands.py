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


COMMANDS: tuple[Command, ...] = ()
