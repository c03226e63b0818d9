"""`python -m benchmarks.judge [--plot]`: a table for each promise of delivery. Seeds are fixed; 95 % intervals in brackets.

--plot also draws docs/images/judge-delays.svg, with matplotlib in an environment of its own under .bench.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from time import perf_counter

import msgspec

from benchmarks.judge import detection, false_alarms, pairs, safety, segments, speed, split
from benchmarks.judge.figures import NEVER
from benchmarks.serving.environments import ROOT, python

_PLOT = Path(__file__).parent / "plot.py"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge")
    parser.add_argument("--plot", action="store_true", help="draw docs/images/judge-delays.svg")
    chosen, started = parser.parse_args(), perf_counter()
    false_alarms.main()
    found = detection.main()
    for part in (pairs, split, segments, safety, speed):
        part.main()
    if chosen.plot:
        _draw(found)
    print(f"\n{perf_counter() - started:.0f} s")


def _draw(found: dict[str, dict[str, tuple[int, int]]]) -> None:
    """Raises Absent where the environment cannot be made."""
    target = ROOT / "docs" / "images" / "judge-delays.svg"
    given = msgspec.json.encode({"rules": detection.DRAWN, "harms": found, "never": int(NEVER)})
    subprocess.run([str(python(ROOT / ".bench", "plots")), str(_PLOT), str(target)], input=given, check=True)
    print(f"\nwritten: {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
