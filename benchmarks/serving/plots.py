"""Draw the figures as SVG: `plots.py FOLDER NAME < figures.json`. Runs in its own environment and imports nothing of the project.

Colour says who it is, never how good: Lockgate, the limit, peers. Every line has its number beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]

mpl.use("svg")
from matplotlib import pyplot as plt

_CONNECTIONS = 16
_OWN, _LIMIT, _PEER = "#1f6f8b", "#8a8f98", "#d9a05b"
_FORMS = {"JSON, columns": _OWN, "JSON, rows": "#7a5195", "binary": "#2e8540"}
_Shown = Callable[[dict[str, Any]], tuple[float, float, float, str]]  # a figure → low, high, dot, text
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
    given, folder, prefix = json.load(sys.stdin), Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    mpl.rcParams.update(_STYLE)
    for name, draw in (("peers", _peers), ("latency", _latency), ("growth", _growth)):
        drawn = draw(given)
        if drawn is not None:
            drawn.savefig(folder / f"{prefix}-{name}.svg", bbox_inches="tight", metadata={"Date": None})
            print(f"{prefix}-{name}.svg")


def _peers(given: dict[str, Any]) -> Any:
    """Requests a second at 16 connections, the quickest on top: the median, and the lowest and highest round."""
    label = f"requests a second, {_CONNECTIONS} connections (log; line: lowest to highest round)"
    return _ranges(given, label, lambda one: (one["rate"][1], one["rate"][2], one["rate"][0], f"{one['rate'][0]:,.0f}"), up=True)


def _latency(given: dict[str, Any]) -> Any:
    """From the median to the 99th percentile at 16 connections."""

    def shown(one: dict[str, Any]) -> tuple[float, float, float, str]:
        low, high = 1e3 * one["p50"], 1e3 * one["p99"]
        return low, high, low, f"{low:,.1f} · {high:,.1f}"

    return _ranges(given, f"milliseconds, p50 · p99, {_CONNECTIONS} connections (log)", shown, up=False)


def _ranges(
    given: dict[str, Any], label: str, shown: Callable[[dict[str, Any]], tuple[float, float, float, str]], *, up: bool
) -> Any:
    """A panel for each model, a line for each contestant: low to high with a dot and a text. Who is missing is named below."""
    panels = _panels(given)
    if not panels:
        return None
    lines = max(len(measured) + len(missing) for _, measured, missing in panels)
    drawn, axes = plt.subplots(1, len(panels), figsize=(5.4 * len(panels), 0.32 * lines + 1.2), squeeze=False)
    for axis, (title, measured, missing) in zip(axes[0], panels, strict=True):
        chosen = sorted(measured, key=lambda one: shown(one)[2], reverse=not up)
        for place, one in enumerate(chosen, len(missing)):
            low, high, dot, text = shown(one)
            axis.plot([low, high], [place, place], color=one["colour"], linewidth=3, solid_capstyle="round")
            axis.plot([dot], [place], color=one["colour"], marker="o", markersize=7)
            axis.annotate(text, (high, place), textcoords="offset points", xytext=(8, 0), va="center", fontsize=8)
        axis.set_yticks(range(len(chosen) + len(missing)), [*missing, *(one["title"] for one in chosen)])
        axis.set_ylim(-0.7, len(chosen) + len(missing) - 0.3)
        axis.set_xscale("log")
        axis.set_xlim(min(shown(one)[0] for one in chosen) / 1.5, max(shown(one)[1] for one in chosen) * 5)
        axis.grid(visible=False, axis="y")
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_xlabel(label)
    drawn.tight_layout()
    return drawn


def _growth(given: dict[str, Any]) -> Any:
    """Four panels for each model: rows a second and p50 by rows in a request, rate and memory by models loaded."""
    models = [name for name in given["models"] if any(one["model"] == name for one in given["growth"])]
    if not models:
        return None
    drawn, axes = plt.subplots(len(models), 4, figsize=(15, 3.1 * len(models)), squeeze=False)
    for line, model in zip(axes, models, strict=True):
        of = [one for one in given["growth"] if one["model"] == model]
        rows, loaded = ([one for one in of if one["growing"] == growing] for growing in ("rows", "models"))
        _against_rows(line[0], rows, "rows a second", lambda one: one["rows_rate"][0])
        _against_rows(line[1], rows, "p50, ms", lambda one: 1e3 * one["p50"])
        _against_models(line[2], loaded, "requests a second", lambda one: one["rows_rate"][0])
        _against_models(line[3], loaded, "memory, MB", lambda one: one["memory"] / (1 << 20))
        line[0].set_title(given["models"][model], loc="left", fontsize=10)
    axes[0][0].legend(fontsize=8)
    drawn.tight_layout()
    return drawn


def _against_rows(axis: Any, steps: list[dict[str, Any]], label: str, value: Any) -> None:
    for server, form in dict.fromkeys((one["server"], one["form"]) for one in steps):
        chosen = sorted((one for one in steps if (one["server"], one["form"]) == (server, form)), key=lambda one: one["size"])
        bare = server == "bare"
        name, colour = ("bare handler", _LIMIT) if bare else (f"Lockgate, {form}", _FORMS[form])
        sizes, values = [one["size"] for one in chosen], [value(one) for one in chosen]
        axis.plot(sizes, values, marker="o", markersize=4, color=colour, linestyle="--" if bare else "-", label=name)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("rows in one request")
    axis.set_ylabel(label)


def _against_models(axis: Any, steps: list[dict[str, Any]], label: str, value: Any) -> None:
    chosen = sorted(steps, key=lambda one: one["size"])
    axis.plot([one["size"] for one in chosen], [value(one) for one in chosen], marker="o", markersize=4, color=_OWN)
    for one in chosen:
        axis.annotate(f"{value(one):,.0f}", (one["size"], value(one)), textcoords="offset points", xytext=(0, 6), fontsize=8)
    axis.set_xscale("log")
    axis.set_ylim(bottom=0)
    axis.margins(y=0.2)
    axis.set_xlabel("models loaded")
    axis.set_ylabel(label)


def _panels(given: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]], list[str]]]:
    """Title, figures and names of the missing, for each model."""
    entrants = {one["name"]: one for one in given["entrants"]}
    panels = []
    for model, title in given["models"].items():
        chosen = [one for one in given["figures"] if one["model"] == model and one["connections"] == _CONNECTIONS]
        named = [{**one, "title": entrants[one["contestant"]]["title"], "colour": _colour(entrants, one)} for one in chosen]
        absent = [f"not measured: {entrants[one['contestant']]['title']}" for one in given["missing"] if one["model"] == model]
        if named:
            panels.append((title, named, absent))
    return panels


def _colour(entrants: dict[str, Any], one: dict[str, Any]) -> str:
    if one["contestant"] == "bare":
        return _LIMIT
    return _PEER if entrants[one["contestant"]]["peer"] else _OWN


if __name__ == "__main__":
    main()
