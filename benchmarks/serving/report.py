"""The figures as Markdown: what a reader of the documentation sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median

from benchmarks.serving.figures import Figure, Growth, figures, growths
from benchmarks.serving.results import Results

_MEGA = 1 << 20
_QUIET = 0.05  # share of the core: above it, rates are another machine's


def markdown(results: Results) -> str:
    parts = [
        _conditions(results),
        _alone(results),
        *_comparisons(results),
        *_growth(results),
        _entrants(results),
        _missing(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _conditions(results: Results) -> str:
    machine = results.machine
    pinned = "one core serves, another sends" if machine["pinned"] else "**not pinned: server and load disturb each other**"
    busy = ", ".join(map(str, machine["load_before"]))
    return (
        f"Measured on {results.measured_on}: {machine['processor']}, {machine['cores']} cores, {pinned};"
        f" kernel {machine['kernel']}, Python {machine['python']}, wrk {machine['wrk']}."
        f" Medians of {results.repetitions} rounds of {results.seconds:g} s; in brackets the lowest and the highest round."
        f" Load averages before the start: {busy}. {_others(results)}"
    )


def _others(results: Results) -> str:
    """Whether the figures can be trusted: what else ran on the server's core."""
    found = [run.others for run in results.runs] + [step.others for step in results.growth]
    shares = [share for share in found if share is not None]
    if not shares:
        return "What other work the server's core did is not known."
    middle = median(shares)
    told = f"Other work took {middle:.0%} of the server's core in the median measurement, {max(shares):.0%} at most"
    return f"{told}." if middle < _QUIET else f"**{told}: the machine was not quiet, and the figures only show the form.**"


def _alone(results: Results) -> str:
    if not results.alone:
        return ""
    rows = [
        [results.models[model], f"{1e6 * times['scikit-learn']:,.0f} µs", f"{1e6 * times['onnxruntime']:,.0f} µs"]
        for model, times in results.alone.items()
    ]
    return "### One row without a server\n\n" + _table(["model", "scikit-learn", "onnxruntime"], rows)


def _comparisons(results: Results) -> Iterator[str]:
    titles = {one.name: one.title for one in results.entrants}
    found = figures(results)
    for model, title in results.models.items():
        for connections in sorted({one.connections for one in found if one.model == model}):
            chosen = [one for one in found if one.model == model and one.connections == connections]
            many = "connection" if connections == 1 else "connections"
            yield f"### {title.capitalize()}, {connections} {many}\n\n{_comparison(chosen, titles)}"


def _comparison(chosen: Iterable[Figure], titles: dict[str, str]) -> str:
    heads = ["", "req/s", "p50", "p99", "CPU per answer", "memory", "× bare", "× best peer", "failed"]
    rows = [
        [
            titles[one.contestant],
            f"{one.rate.middle:,.0f} ({one.rate.low:,.0f}–{one.rate.high:,.0f})",
            _time(one.p50),
            _time(one.p99),
            f"{1e6 * one.processor:,.0f} µs",
            f"{one.memory / _MEGA:,.0f} MB",
            _ratio(one.to_bare),
            _ratio(one.to_best),
            f"{one.failed:,}",
        ]
        for one in chosen
    ]
    return _table(heads, rows)


def _growth(results: Results) -> Iterator[str]:
    found = growths(results.growth)
    for growing, title in (("models", "Models loaded"), ("rows", "Rows in one request")):
        chosen = [one for one in found if one.growing == growing]
        if chosen:
            yield f"### {title}\n\n{_grown(chosen, results.models)}"
    if results.skipped:
        yield "Not asked: " + "; ".join(results.skipped) + "."


def _grown(chosen: Iterable[Growth], models: dict[str, str]) -> str:
    rows = [
        [
            models[one.model],
            "Lockgate" if one.server == "lockgate" else "bare handler",
            one.form,
            f"{one.size:,}",
            f"{one.rows_rate.middle:,.0f} ({one.rows_rate.low:,.0f}–{one.rows_rate.high:,.0f})",
            _time(one.p50),
            f"{1e6 * one.processor:,.0f} µs",
            f"{one.memory / _MEGA:,.0f} MB",
            f"{one.failed:,}",
        ]
        for one in chosen
    ]
    return _table(["model", "server", "form", "size", "rows/s", "p50", "CPU per answer", "memory", "failed"], rows)


def _entrants(results: Results) -> str:
    rows = [[one.title, f"{one.library} {one.version}", one.settings] for one in results.entrants]
    return "### Who took part\n\n" + _table(["", "version", "settings"], rows)


def _missing(results: Results) -> str:
    titles = {one.name: one.title for one in results.entrants}
    if not results.missing:
        return "Nobody was missing."
    return "### Not measured\n\n" + _table(
        ["", "model", "reason"], [[titles[one.contestant], results.models[one.model], one.reason] for one in results.missing]
    )


def _time(seconds: float) -> str:
    return f"{1e3 * seconds:,.2f} ms" if seconds < 0.1 else f"{1e3 * seconds:,.0f} ms"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    """Cells are numbers, titles and reasons; a reason may hold what a server wrote."""
    lines = [heads, ["---"] * len(heads), *([" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
