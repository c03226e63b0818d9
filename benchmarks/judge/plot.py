"""Draw the delays as SVG: `plot.py FILE < figures.json`. Runs in its own environment and imports nothing of the project."""

from __future__ import annotations

import json
import sys
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]

mpl.use("svg")
from matplotlib import pyplot as plt

_COLOURS = ("#1f6f8b", "#8a8f98", "#d9a05b", "#b0713a")  # the judge, the test, the tools
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lockgate",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e6ea",
    "legend.frameon": False,
}


def main() -> None:
    given = json.load(sys.stdin)
    mpl.rcParams.update(_STYLE)
    _delays(given).savefig(sys.argv[1], bbox_inches="tight", metadata={"Date": None})


def _delays(given: dict[str, Any]) -> Any:
    """For each harm a group of lines, one for each rule: a dot at the median, a line to the 90th percentile."""
    rules, harms, never = given["rules"], given["harms"], given["never"]
    drawn, axis = plt.subplots(figsize=(9, 0.24 * len(harms) * (len(rules) + 1) + 1.4))
    for group, found in enumerate(harms.values()):
        for line, rule in enumerate(rules):
            place, (median, late), colour = -(group * (len(rules) + 1) + line), found[rule], _COLOURS[line]
            label = rule if not group else None
            if median == never:
                axis.annotate("not found in half of the rollouts", (6e4, place), va="center", fontsize=8, color=colour)
                axis.plot([], [], color=colour, marker="o", label=label)
                continue
            end = median if late == never else late
            axis.plot([median, end], [place, place], color=colour, linewidth=3, solid_capstyle="round")
            axis.plot([median], [place], color=colour, marker="o", linestyle="", label=label)
            text = f"{median:,} · {'–' if late == never else f'{late:,}'}"
            axis.annotate(text, (end, place), textcoords="offset points", xytext=(8, 0), va="center", fontsize=8)
    axis.set_yticks([-(group * (len(rules) + 1) + (len(rules) - 1) / 2) for group in range(len(harms))], list(harms))
    axis.set_xscale("log")
    axis.set_xlim(30, 2e6)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("requests until found: median · 90th percentile (log)")
    axis.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, fontsize=8)
    drawn.tight_layout()
    return drawn


if __name__ == "__main__":
    main()
