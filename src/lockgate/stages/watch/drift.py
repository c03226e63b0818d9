"""Has the world moved away from what the model learned? Windows of so many rows, counted in the reference's bins.

A feature is found to drift when three things hold together: its difference is significant among all features at once (false
discovery rate), it is large enough to matter (effect), and it persists over consecutive windows. Each alone cries wolf: the first
on any large sample, the second on any small one, the third on a rainy day. A window that is not full says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from lockgate.stages.watch.reference import Bins, Column, Reference, spread_of
from lockgate.stages.watch.spec import DriftSpec
from lockgate.stats.drift import Counts, benjamini_hochberg, homogeneity, p_values, psi, psi_by_chance

PREDICTIONS = "(predictions)"  # the scores, judged beside the features


class Window(msgspec.Struct, frozen=True):
    """Rows that were counted, by feature (and PREDICTIONS) in the reference's bins."""

    rows: int = 0
    counts: dict[str, list[int]] = {}


class Effect(msgspec.Struct, frozen=True):
    """How far a feature is from the reference: `psi` in nats, less what chance makes of it; `drifted` = significant and large."""

    psi: float
    p: float
    drifted: bool


class DriftState(msgspec.Struct, frozen=True):
    """What is remembered between ticks: the window being filled, and how the features fared in those before.

    streaks: by feature, consecutive windows that drifted (positive) or did not (negative); only of features that ever drifted.
    reported: features whose drift is a finding already; they count again after as many quiet windows as a finding takes.
    last: the effects in the last full window.
    """

    open: Window = Window()
    judged: int = 0
    streaks: dict[str, int] = {}
    reported: tuple[str, ...] = ()
    last: dict[str, Effect] = {}


class Drifted(NamedTuple):
    """Features whose drift became a finding with this window, largest effect first."""

    window: int
    features: tuple[str, ...]
    effects: dict[str, Effect]


def observe(
    state: DriftState,
    reference: Reference,
    spec: DriftSpec,
    columns: Mapping[str, Column | None],
    scores: Sequence[float],
) -> tuple[DriftState, tuple[Drifted, ...]]:
    """Count the rows, judge each window that they fill.

    A feature that the rows do not carry counts as missing. One whose column is None is redacted: nothing can be said of it in the
    windows that these rows take part in, and what was said before does not stand.
    """
    places = _places(reference, spec, columns, scores)
    found: list[Drifted] = []
    start = 0
    while start < len(scores):
        rows = min(max(spec.window - state.open.rows, 1), len(scores) - start)  # the window may have been made shorter
        window = _count(state.open, reference, {name: place[start : start + rows] for name, place in places.items()}, rows)
        state = msgspec.structs.replace(state, open=window)
        start += rows
        if window.rows >= spec.window:
            state, drifted = _close(state, reference, spec)
            found.extend(drifted)
    return state, tuple(found)


def judge(reference: Reference, window: Window, spec: DriftSpec) -> dict[str, Effect]:
    """The effect of each feature in this window; nothing where the window is not full."""
    if window.rows < spec.window or not window.counts:
        return {}
    names = [name for name, counts in window.counts.items() if sum(counts) == window.rows]  # others were not seen all the time
    bins = [_bins(reference, name) for name in names]
    expected, found = _padded([one.counts for one in bins]), _padded([window.counts[name] for name in names])
    inflation, concentration, runs = np.array([spread_of(one.runs, window.rows) for one in bins]).T
    p = p_values(homogeneity(expected, found), inflation, concentration, runs)
    effect = np.maximum(psi(expected, found) - psi_by_chance(expected, found, inflation), 0.0)
    drifted = benjamini_hochberg(p, spec.alpha) & (effect >= spec.min_effect)
    return {name: Effect(float(effect[i]), float(p[i]), bool(drifted[i])) for i, name in enumerate(names)}


def status(state: DriftState, spec: DriftSpec) -> dict[str, Any]:
    """What can be said now, for people: DRIFT, QUIET, or INCONCLUSIVE while no window was full."""
    verdict = "INCONCLUSIVE" if not state.judged else "DRIFT" if state.reported else "QUIET"
    return {
        "verdict": verdict,
        "detail": f"{state.open.rows} of {spec.window} rows in the current window, {state.judged} judged",
        "windows": state.judged,
        "drifting": list(state.reported),
    }


def _places(
    reference: Reference, spec: DriftSpec, columns: Mapping[str, Column | None], scores: Sequence[float]
) -> dict[str, Counts]:
    missing = [None] * len(scores)
    found = ((name, columns.get(name, missing)) for name in watched(reference, spec))
    places = {name: reference.features[name].place(column) for name, column in found if column is not None}
    return places | {PREDICTIONS: reference.scores.place(scores)}


def watched(reference: Reference, spec: DriftSpec) -> list[str]:
    return [name for name in reference.features if spec.features == "all" or name in spec.features]


def _count(window: Window, reference: Reference, places: Mapping[str, Counts], rows: int) -> Window:
    counts = {}
    for name, place in places.items():
        fresh = np.bincount(place, minlength=len(_bins(reference, name).counts))
        before = window.counts.get(name)
        counts[name] = (fresh if before is None else fresh + np.asarray(before)).tolist()
    return Window(window.rows + rows, counts)


def _close(state: DriftState, reference: Reference, spec: DriftSpec) -> tuple[DriftState, tuple[Drifted, ...]]:
    """The state after its full window, and what became a finding with it."""
    effects = judge(reference, state.open, spec)
    streaks = _streaks(state.streaks, effects)
    calm = {name for name, streak in streaks.items() if streak <= -spec.persistence}
    known = {name for name in state.reported if name in effects and name not in calm}
    fresh = [name for name, streak in streaks.items() if streak >= spec.persistence and name not in known]
    fresh.sort(key=lambda name: -effects[name].psi)
    after = DriftState(
        judged=state.judged + 1,
        streaks={name: streak for name, streak in streaks.items() if name not in calm},
        reported=(*(name for name in state.reported if name in known), *fresh),
        last=effects,
    )
    return after, (Drifted(after.judged, tuple(fresh), effects),) if fresh else ()


def _streaks(before: Mapping[str, int], effects: Mapping[str, Effect]) -> dict[str, int]:
    streaks = {}
    for name, effect in effects.items():
        streak = before.get(name, 0)
        if effect.drifted:
            streaks[name] = max(streak, 0) + 1
        elif streak:
            streaks[name] = min(streak, 0) - 1
    return streaks


def _bins(reference: Reference, name: str) -> Bins:
    return reference.scores if name == PREDICTIONS else reference.features[name]


def _padded(rows: Sequence[Sequence[int]]) -> Counts:
    table = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table
