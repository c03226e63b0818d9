"""`python -m benchmarks.serving`: measure, write a result file and a table, and draw. Figures are reported, never asserted."""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.serving import alone, machine
from benchmarks.serving.compare import Plan, compare
from benchmarks.serving.contestants import ALL
from benchmarks.serving.drawing import draw
from benchmarks.serving.environments import ROOT, Absent
from benchmarks.serving.growth import grow
from benchmarks.serving.models import NAMES, served
from benchmarks.serving.report import markdown
from benchmarks.serving.results import Results, entrant, write

_NAMES = tuple(contestant.name for contestant in ALL)


def parser() -> argparse.ArgumentParser:
    asked = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    asked.add_argument("--only", nargs="+", choices=_NAMES, default=_NAMES, metavar="NAME", help=f"of {', '.join(_NAMES)}")
    names = f"of {', '.join(NAMES)}; peers take those of numbers only"
    asked.add_argument("--models", nargs="+", choices=NAMES, default=["linear", "forest"], metavar="MODEL", help=names)
    asked.add_argument("--connections", nargs="+", type=int, default=[1, 16, 64])
    asked.add_argument("--seconds", type=float, default=3.0, help="of each measurement; whole ones (default: %(default)g)")
    asked.add_argument("--repetitions", type=int, default=5, help="rounds (default: %(default)s)")
    asked.add_argument("--no-growth", action="store_true", help="leave out models loaded and rows in a request")
    asked.add_argument("--growth-only", action="store_true", help="leave out the comparison")
    asked.add_argument("--name", default="serving", help="of the result files (default: %(default)s)")
    asked.add_argument("--cache", type=Path, default=ROOT / ".bench", help="environments, logs, results (default: .bench)")
    return asked


def main() -> None:
    """What was compared is kept before anything else is begun: a run takes hours."""
    given = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended; its servers too"))
    path = given.cache / f"{given.name}.json"
    results = _compared(given)
    write(results, path)
    if not given.no_growth:
        grown = grow([served(name) for name in given.models], given.seconds, given.repetitions, given.cache)
        results = msgspec.structs.replace(results, growth=grown.steps, skipped=grown.skipped)
        write(results, path)
    table = markdown(results)
    path.with_suffix(".md").write_text(table)
    print(f"\n{table}\nwritten: {path}, {path.with_suffix('.md')}")
    if any(one.peer for one in results.entrants) or results.growth:
        _draw(results, given.name, given.cache)


def _draw(results: Results, name: str, cache: Path) -> None:
    try:
        print("drawn: " + ", ".join(map(str, draw(results, cache, name, cache))))
    except Absent as absent:
        print(f"not drawn: {absent}")


def _compared(given: argparse.Namespace) -> Results:
    conditions = machine.description()
    models = tuple(served(name) for name in given.models)
    contestants = () if given.growth_only else tuple(one for one in ALL if one.name in given.only and any(map(one.takes, models)))
    compared = compare(Plan(models, contestants, tuple(given.connections), given.seconds, given.repetitions, given.cache))
    return Results(
        datetime.now(UTC).date().isoformat(),  # noqa: TID251 - the day of a real measurement
        conditions,
        given.seconds,
        given.repetitions,
        {model.name: model.title for model in models},
        tuple(map(entrant, contestants)),
        compared.runs,
        compared.missing,
        alone.measured(tuple(given.models)),
    )


if __name__ == "__main__":
    main()
