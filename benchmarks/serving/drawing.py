"""Have the figures drawn: matplotlib lives in an environment of its own, and gets them as JSON."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from benchmarks.serving.environments import Absent, python
from benchmarks.serving.figures import figures, growths
from benchmarks.serving.results import Results

_PLOTS = Path(__file__).parent / "plots.py"


def draw(results: Results, folder: Path, name: str, cache: Path) -> list[Path]:
    """SVG files, named `NAME-….svg`.

    Raises:
        Absent: matplotlib cannot be installed here, or it failed; the figures are in the result file all the same.
    """
    given = {
        "models": results.models,
        "entrants": results.entrants,
        "figures": [one._asdict() for one in figures(results)],
        "missing": results.missing,
        "growth": [one._asdict() for one in growths(results.growth)],
    }
    command = [str(python(cache, "plots")), str(_PLOTS), str(folder), name]
    done = subprocess.run(command, input=msgspec.json.encode(given), capture_output=True, check=False)
    if done.returncode:
        raise Absent(f"the plots failed: {done.stderr.decode().strip()[-400:]}")
    return [folder / name for name in done.stdout.decode().split()]
