"""Put a finished run into the documentation: `python -m benchmarks.serving.publish [RESULTS]`.

The tables go between two marks of docs/explanation/serving-figures.md, the plots into docs/images. What stands around the
marks is written by hand and stays.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.serving.drawing import draw
from benchmarks.serving.environments import ROOT
from benchmarks.serving.report import markdown
from benchmarks.serving.results import read

PAGE = ROOT / "docs" / "explanation" / "serving-figures.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".bench" / "serving.json"
    if not path.exists():
        raise SystemExit(f"{path} is missing. Measure first: make bench-serve")
    results = read(path)
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks the marks {BEGIN} and {END}")
    drawn = draw(results, ROOT / "docs" / "images", "serving", path.parent)
    PAGE.write_text(f"{before}{BEGIN}\n\n{markdown(results)}\n{END}{after}")
    print(f"written: {PAGE.relative_to(ROOT)}, {', '.join(str(one.relative_to(ROOT)) for one in drawn)}")


if __name__ == "__main__":
    main()
