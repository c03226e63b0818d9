"""Does the model still do as well as when it was made? The rate of the judged event among delayed labels, against held-out ones.

Labels come late, and those that come early are not like the others (a flight on time lands before a late one). So predictions
are counted in cohorts by the time of the answer, and a cohort counts once it is *due*: older than `labels.delay`. Of the due
cohorts the newest that hold `performance.window` labels are judged, together with how many of their answers have a label at all
(coverage).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np

from lockgate.boundary.routes import LabelEvent, is_true
from lockgate.domain.findings import Label
from lockgate.stages.watch.reference import Performance, area_under_curve, spread_of
from lockgate.stages.watch.spec import PerformanceSpec
from lockgate.stats.binomial import lower_bound, upper_bound

LOOKS = 4  # at each window of labels: alpha is shared among them (a union bound), so peeking costs no certainty
_MAX_COHORTS = 256
_COHORTS_IN_DELAY = 8
_LEAST_WIDTH = 0.25  # seconds
_SCORE_BINS = 50


class Cohort(msgspec.Struct, frozen=True):
    """Predictions answered in one stretch of time. `brier` is a sum; `true` and `false` count labels by bin of the score; all
    three say nothing where the event reads labels as numbers.
    """

    answered: int = 0
    labelled: int = 0
    events: int = 0
    brier: float = 0.0
    true: dict[int, int] = {}
    false: dict[int, int] = {}

    def __add__(self, other: Cohort) -> Cohort:
        return Cohort(
            self.answered + other.answered,
            self.labelled + other.labelled,
            self.events + other.events,
            self.brier + other.brier,
            _sum(self.true, other.true),
            _sum(self.false, other.false),
        )


class PerformanceState(msgspec.Struct, frozen=True):
    """What is remembered between ticks. Cohort i holds answers at [i · width, (i + 1) · width) Unix seconds.

    newest: the prediction id of the last label that was taken in.
    judged_until: Unix seconds; the end of the last cohort that the last look took in.
    dropped: a drop was found and the rate has not come back since; drops: how many were found.
    last: the figures of the last look.
    """

    width: float
    cohorts: dict[int, Cohort] = {}
    newest: str | None = None
    judged_until: float = 0.0
    dropped: bool = False
    drops: int = 0
    last: dict[str, Any] = {}


class Drop(NamedTuple):
    number: int  # the first, second, … drop of this version
    detail: str
    measured: dict[str, Any]


def begin(delay: float) -> PerformanceState:
    """`delay` in seconds: after it, labels are due."""
    return PerformanceState(width=max(delay / _COHORTS_IN_DELAY, _LEAST_WIDTH))


def answered(state: PerformanceState, answers: Mapping[float, int]) -> PerformanceState:
    """Rows answered, by Unix seconds."""
    fresh: dict[int, int] = {}
    for at, rows in answers.items():
        index = int(at // state.width)
        fresh[index] = fresh.get(index, 0) + rows
    return _with(state, ((index, Cohort(answered=rows)) for index, rows in fresh.items()))


def labelled(state: PerformanceState, event: LabelEvent, labels: Iterable[Label]) -> PerformanceState:
    """Labels in the order in which they came; each may be given once."""
    known = list(labels)
    if not known:
        return state
    state = msgspec.structs.replace(state, newest=known[-1].prediction_id)
    groups: dict[int, list[Label]] = {}
    for label in known:
        groups.setdefault(int(label.answered_at // state.width), []).append(label)
    return _with(state, ((index, _cohort(event, group)) for index, group in groups.items()))


def assess(
    state: PerformanceState,
    baseline: Performance,
    spec: PerformanceSpec,
    due_before: float,
) -> tuple[PerformanceState, Drop | None]:
    """Look, if there are enough newly due labels for a look. A drop is found once; it is found again only after a recovery.

    `due_before`: answers before these Unix seconds should have their labels by now.
    """
    window, oldest, until = _window(state, spec, due_before)
    fresh = sum(c.labelled for i, c in state.cohorts.items() if state.judged_until <= i * state.width < until)
    if baseline.event is None or not baseline.labels or window.labelled < spec.window or fresh < max(spec.window // LOOKS, 1):
        return state, None
    measured = _measure(window, baseline, spec) | {"from": _time(oldest * state.width), "until": _time(until)}
    dropped = measured["verdict"] == "DROP" or (state.dropped and measured["rate"] > measured["limit"])
    found = dropped and not state.dropped
    state = msgspec.structs.replace(
        state,
        cohorts={i: cohort for i, cohort in state.cohorts.items() if i >= oldest},
        judged_until=until,
        dropped=dropped,
        drops=state.drops + found,
        last=measured,
    )
    return state, Drop(state.drops, _sentence(measured, baseline), measured) if found else None


def status(state: PerformanceState, baseline: Performance, spec: PerformanceSpec, due_before: float) -> dict[str, Any]:
    """What can be said now, for people: DROP, HOLDS, or INCONCLUSIVE with what is missing."""
    if baseline.event is None or not baseline.labels:
        return {"verdict": "INCONCLUSIVE", "detail": "the reference knows no label event: declare one under judge.labels"}
    if state.last:
        return {**state.last, "detail": _sentence(state.last, baseline)}
    due = _window(state, spec, due_before)[0].labelled
    waiting = sum(cohort.labelled for cohort in state.cohorts.values()) - due
    return {
        "verdict": "INCONCLUSIVE",
        "detail": f"{due} of {spec.window} due labels; {waiting} came for answers that are not yet due",
    }


def _window(state: PerformanceState, spec: PerformanceSpec, due_before: float) -> tuple[Cohort, int, float]:
    """The newest due cohorts with enough labels, together; the first one's index; the end of the last in Unix seconds."""
    taken, oldest, until = Cohort(), 0, state.judged_until
    for index in sorted(state.cohorts, reverse=True):
        end = (index + 1) * state.width
        if end > due_before:
            continue
        until = max(until, end)
        taken, oldest = taken + state.cohorts[index], index
        if taken.labelled >= spec.window:
            break
    return taken, oldest, until


def _measure(window: Cohort, baseline: Performance, spec: PerformanceSpec) -> dict[str, Any]:
    """Both rates are estimates, so each has its bound, at half of what one look may err.

    Neighbouring labels resemble each other, so a number of them is worth less than as many independent ones.
    """
    inflation = spread_of(baseline.runs, window.labelled).inflation
    alpha, worth = spec.alpha / LOOKS / 2, 1 / inflation
    held_out = upper_bound(baseline.events * worth, baseline.labels * worth, alpha)
    lower, upper = (bound(window.events * worth, window.labelled * worth, alpha) for bound in (lower_bound, upper_bound))
    limit = spec.max_event_ratio * baseline.rate
    dropped = lower > min(1.0, spec.max_event_ratio * held_out)
    return {
        "verdict": "DROP" if dropped else "HOLDS" if upper <= limit else "INCONCLUSIVE",
        "labels": window.labelled,
        "events": window.events,
        "rate": window.events / window.labelled,
        "lower": lower,
        "upper": upper,
        "baseline_rate": baseline.rate,
        "baseline_upper": held_out,
        "inflation": inflation,
        "limit": limit,
        "confidence": 1 - spec.alpha,
        "coverage": min(1.0, window.labelled / window.answered) if window.answered else None,
        **_scores(window, baseline),
    }


def _scores(window: Cohort, baseline: Performance) -> dict[str, Any]:
    if baseline.brier is None:
        return {}
    true, false = (np.array([counts.get(i, 0) for i in range(_SCORE_BINS)]) for counts in (window.true, window.false))
    return {
        "brier": window.brier / window.labelled,
        "baseline_brier": baseline.brier,
        "auc": area_under_curve(true, false),
        "baseline_auc": baseline.auc,
    }


def _sentence(measured: Mapping[str, Any], baseline: Performance) -> str:
    event = baseline.event.words if baseline.event else "event"
    covered = "unknown" if measured["coverage"] is None else f"{measured['coverage']:.0%}"
    return (
        f"{event}: {measured['events']} of {measured['labels']} labelled answers ({measured['rate']:.1%}, "
        f"{measured['lower']:.1%} to {measured['upper']:.1%}) against {measured['baseline_rate']:.1%} on held-out examples; "
        f"limit {measured['limit']:.1%}; coverage {covered}"
    )


def _cohort(event: LabelEvent, labels: Sequence[Label]) -> Cohort:
    events = sum(event.happened(label.score, label.label) for label in labels)
    if event.of_numbers:
        return Cohort(0, len(labels), events)
    true: Counter[int] = Counter()
    false: Counter[int] = Counter()
    for label in labels:
        (true if is_true(label.label) else false)[min(max(int(label.score * _SCORE_BINS), 0), _SCORE_BINS - 1)] += 1
    return Cohort(0, len(labels), events, sum((label.score - label.label) ** 2 for label in labels), dict(true), dict(false))


def _with(state: PerformanceState, more: Iterable[tuple[int, Cohort]]) -> PerformanceState:
    """The state with these added. Where there are too many cohorts, each becomes twice as long: memory stays bounded."""
    width, cohorts = state.width, _joined({}, state.cohorts.items())
    cohorts = _joined(cohorts, more)
    while len(cohorts) > _MAX_COHORTS:
        width, cohorts = width * 2, _joined({}, ((index // 2, cohort) for index, cohort in cohorts.items()))
    return msgspec.structs.replace(state, width=width, cohorts=cohorts)


def _joined(cohorts: dict[int, Cohort], more: Iterable[tuple[int, Cohort]]) -> dict[int, Cohort]:
    for index, cohort in more:
        before = cohorts.get(index)
        cohorts[index] = cohort if before is None else before + cohort
    return cohorts


def _sum(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    return {i: one.get(i, 0) + other.get(i, 0) for i in {**one, **other}}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
