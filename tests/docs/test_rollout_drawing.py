"""The drawing in the docs is the table in the code."""

from __future__ import annotations

import re
from pathlib import Path

from lockgate.stages.deliver.rollout import MACHINE

DRAWING = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "rollout.md"


def test_every_transition_is_drawn_and_nothing_else() -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+): ([\w-]+)$", DRAWING.read_text(), re.MULTILINE)
    table = [(phase.value, target.value, signal.value) for phase, signal, target in MACHINE.transitions()]
    assert drawn == table
