"""What one can say to a running shop, a line each: at the prompt of `eras up`, and in a story.

    place o-1 sku-0001 2      cancel o-1      show o-1      catalogue      (a customer's)
    load 5                    load more 100            load stop           (many customers')
    loss 0.2                  delay_s 0.05    there drop deliver           (the wire's)
    inventory-2 delay_s 0.2                                                (one instance's path)
    kill inventory            restart inventory            cut     heal    (fate's)

A line that ends with & does not wait for its answer.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from lab.contract import NoOutcome
from lab.load import MOST_CUSTOMERS, Load
from lab.mesh_commands import MeshCommands
from lab.stage import NoWay, Stage
from lab.telling import told, told_counts, told_stores
from lab.vocabulary import CUT, HELP, KNOBS, BadCommand, operation_of
from lab.wire.process import WireProcess

MOST_AWAITED = 10_000  # orders


@dataclass(frozen=True)
class Answer:
    """What came of a line: `outcome` is a customer's, or what became of him, else empty."""

    text: str
    outcome: str = ""


class Conductor:
    """Obeys lines on one stage."""

    def __init__(self, stage: Stage, patience_s: float) -> None:
        """`patience_s`: how long a customer waits for an answer."""
        self._stage = stage
        self._patience_s = patience_s
        self._load: Load | None = None
        self._loads = 0
        self._mesh = MeshCommands(stage, patience_s)
        self._verbs: dict[str, Callable[[str], object]] = {
            "kill": stage.kill,
            "crash": stage.crash,
            "restart": stage.restart,
            "pause": stage.pause,
            "resume": stage.resume,
            "terminate": stage.terminate,
            "move": stage.move,
            "upgrade": stage.upgrade,
        }
        self._waiting: list[tuple[str, threading.Thread, list[Answer]]] = []

    def obey(self, line: str) -> Answer:
        """Do what the line says. Raises BadCommand, KnobError, RoleFailed."""
        words = line.split()
        match words:
            case ["place" | "cancel" | "show" | "catalogue", *_, "&"]:
                return self._later(line, operation_of(words[:-1]))
            case ["place" | "cancel" | "show" | "catalogue", *_]:
                return self._ask(operation_of(words))
            case ["load", "stop"]:
                return Answer(self._stop_load())
            case ["load", "more", number]:
                return Answer(self._more_load(number))
            case ["load", number]:
                self._start_load(number)
            case [knob, value] if knob in KNOBS:
                self._turn(self._stage.wire, knob, value)
            case [instance, *rest] if instance in self._stage.instances and rest:
                self._to_path(instance, rest)
            case ["there" | "back" as direction, *fates] if fates:
                self._stage.wire.script(direction, fates)
            case ["cut"]:
                self._stage.wire.partition()
            case ["heal"]:
                self._stage.wire.heal()
            case ["reload", role]:
                return Answer(self._reload(role))
            case [verb, role] if verb in self._verbs:
                return Answer(self._to_role(verb, role))
            case ["policy", role, key, value]:
                return Answer(self._change_policy(role, key, value))
            case ["add", *version] if len(version) < 2:
                return Answer(self._add("".join(version)))
            case ["mesh" | "served" | "spans" | "ask", *_]:
                return Answer(self._mesh.obey(words))
            case ["stats"]:
                return Answer(told_counts(self._stage.wire.stats()))
            case ["stores"]:
                return Answer("\n".join(told_stores(self._stage)))
            case _:
                raise BadCommand(f"{line!r} is no command; accepted:\n{HELP}")
        return Answer("")

    def join(self) -> list[tuple[str, Answer]]:
        """Wait for the customers who were not waited for: each line with its answer.

        Customers who order without end are stopped; what came of them is the last answer.
        """
        for _, thread, _ in self._waiting:
            thread.join()
        answers = [(line, answer) for line, _, said in self._waiting for answer in said]
        self._waiting = []
        if self._load:
            answers.append(("load stop", Answer(self._stop_load())))
        return answers

    def _ask(self, operation: dict[str, Any]) -> Answer:
        try:
            with closing(self._stage.customer()) as customer:  # whoever stays takes up a place
                outcome = customer.ask(operation, timeout_s=self._patience_s)
        except NoOutcome as silence:
            return Answer(str(silence).partition(" to b'")[0], type(silence).__name__)
        return Answer(told(outcome), outcome["outcome"])

    def _later(self, line: str, operation: dict[str, Any]) -> Answer:
        said: list[Answer] = []
        thread = threading.Thread(target=lambda: said.append(self._ask(operation)), daemon=True)
        thread.start()
        self._waiting.append((line, thread, said))
        return Answer("")

    def _start_load(self, number: str) -> None:
        if self._load:
            raise BadCommand("there is a load already; accepted: load stop, and then another")
        if not number.isdecimal() or not 1 <= int(number) <= MOST_CUSTOMERS:
            wanted = f"a number of customers from 1 to {MOST_CUSTOMERS}, or stop"
            raise BadCommand(f"load is {number!r}; accepted: {wanted}")
        self._loads += 1
        self._mesh.forget()
        self._load = Load(self._stage, int(number), f"load-{self._loads}", self._patience_s)
        self._stage.before_end(self._load.stop)

    def _more_load(self, number: str) -> str:
        if not self._load:
            raise BadCommand("there is no load of which to see more; accepted: load N")
        if not number.isdecimal() or not 1 <= int(number) <= MOST_AWAITED:
            wanted = f"a number of orders from 1 to {MOST_AWAITED}"
            raise BadCommand(f"load more is {number!r}; accepted: {wanted}")
        return self._load.more(int(number))

    def _stop_load(self) -> str:
        if not self._load:
            raise BadCommand("there is no load to stop; accepted: load N")
        report, self._load = self._load.stop(), None
        return report

    def _to_path(self, instance: str, words: list[str]) -> None:
        try:
            wire = self._stage.wire_of(instance)
        except ValueError as wrong:
            raise BadCommand(str(wrong)) from wrong
        match words:
            case ["cut"]:
                wire.partition()
            case ["heal"]:
                wire.heal()
            case [knob, value] if knob in KNOBS:
                self._turn(wire, knob, value)
            case _:
                told = " ".join([instance, *words])
                raise BadCommand(f"{told!r}; accepted: {instance} KNOB VALUE, or cut, or heal")

    def _turn(self, wire: WireProcess, knob: str, value: str) -> None:
        kind: Callable[[str], Any] = KNOBS[knob]
        if knob == CUT:
            raise BadCommand(f"{CUT} is turned with cut and heal")
        try:
            number = kind(value)
        except ValueError:
            wanted = "a whole number" if kind is int else "a number"
            raise BadCommand(f"{knob} is {value!r}; accepted: {wanted}") from None
        wire.set(**{knob: number})

    def _to_role(self, verb: str, role: str) -> str:
        try:
            came_of_it = self._verbs[verb](role)
        except ValueError as wrong:
            raise BadCommand(str(wrong)) from wrong
        if verb == "terminate":
            return f"ended with exit code {came_of_it}"
        return f"now at {self._stage.address(role)}" if verb == "move" else ""

    def _change_policy(self, role: str, key: str, value: str) -> str:
        """`value` as JSON has it; what is none is a text. What the sidecar makes of it is told."""
        try:
            read = json.loads(value)
        except ValueError:
            read = value
        try:
            hearing = self._stage.hear(role)
            self._stage.change_policy(role, key, read)
        except (NoWay, ValueError) as wrong:
            raise BadCommand(str(wrong)) from wrong
        verdict = hearing.verdict() if hearing else ""
        return f"{role} has been told: {key} = {value}" + (f"; {verdict}" if verdict else "")

    def _reload(self, role: str) -> str:
        try:
            hearing = self._stage.hear(role)
            self._stage.reload(role)
        except ValueError as wrong:
            raise BadCommand(str(wrong)) from wrong
        return hearing.verdict() if hearing else ""

    def _add(self, version: str) -> str:
        try:
            name = self._stage.add(version=version)
        except ValueError as wrong:
            raise BadCommand(str(wrong)) from wrong
        return f"{name} at {self._stage.address(name)}"
