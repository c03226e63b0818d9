"""State machines as tables: (phase, signal) → phase. A pair that is not in the table is an error and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Generic, TypeVar

from lockgate.kernel.errors import Conflict

Phase = TypeVar("Phase", bound=Enum)
Signal = TypeVar("Signal", bound=Enum)


class IllegalSignal(Conflict):
    """The signal has no meaning in this phase."""


class Machine(Generic[Phase, Signal]):
    """A named table of transitions."""

    def __init__(self, name: str, table: Mapping[Phase, Mapping[Signal, Phase]]) -> None:
        self.name = name
        self._table = {phase: dict(row) for phase, row in table.items()}

    def after(self, phase: Phase, signal: Signal) -> Phase:
        """The phase that `signal` leads to from `phase`.

        Raises:
            IllegalSignal: the pair is not in the table.
        """
        row = self._table.get(phase, {})
        if signal not in row:
            known = ", ".join(sorted(one.value for one in row)) or "nothing: it is final"
            raise IllegalSignal(f"{self.name} is {phase.value}: it cannot take {signal.value!r}. It can take {known}.")
        return row[signal]

    def accepts(self, phase: Phase, signal: Signal) -> bool:
        return signal in self._table.get(phase, {})

    def final(self, phase: Phase) -> bool:
        return not self._table.get(phase)

    def transitions(self) -> Iterator[tuple[Phase, Signal, Phase]]:
        """Every row of the table, in its order: what diagrams and tests are made of."""
        for phase, row in self._table.items():
            for signal, target in row.items():
                yield phase, signal, target
