"""Units that come again are drawn anew every day: each (unit, day) counts once, for its day, however late it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from lockgate.boundary.observations import Cell, Feedback, UnitOutcome
from lockgate.boundary.routes import LabelEvent, Revision
from lockgate.boundary.selector import choose, unit_key
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.holds import Events, Hold, HoldRow
from lockgate.domain.rollouts import JudgePolicy, RampStep
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.guard import begin, close, fold, follow, look, take
from lockgate.stages.deliver.hold_back import DAY, renewed, window_at, window_of
from lockgate.stages.deliver.hold_evidence import news, windows
from lockgate.stats.combine import log_mean
from lockgate.stats.detector import shiryaev_roberts
from lockgate.stats.odds import log_growth
from lockgate.testing import builders as a
from lockgate.testing.clock import START

POLICY = JudgePolicy(alpha=0.1, metrics=("errors", "labels"), label_event=LabelEvent("missed", 0.5))
ERRORS = replace(POLICY, metrics=("errors",))
WEIGHT = 0.95
EVERY_DAY = (
    RampStep(0, 2, 0.5, START - timedelta(hours=2)),
    RampStep(0, 3, WEIGHT, START),
    RampStep(0, 4, WEIGHT, START + timedelta(days=1)),
    RampStep(0, 5, WEIGHT, START + timedelta(days=3)),
)


def hold(judge: JudgePolicy = POLICY, **fields: Any) -> Hold:
    return a.hold(**{"unit": "header:x-user", "judge": judge, "window": DAY, "ramp": EVERY_DAY, "full": True, **fields})


# Which day is it?


def test_the_salt_changes_at_the_days_of_the_hold_and_with_it_who_is_held_back() -> None:
    here = hold(ramp=EVERY_DAY[:2])
    assert renewed(here, START + timedelta(days=1, seconds=-1)) is None
    second = renewed(here, START + timedelta(days=1))
    assert second is not None
    assert (second.salt, second.day) == ("salt-1.1", 1)
    assert renewed(second, START + timedelta(days=1, hours=23)) is None
    late = renewed(second, START + timedelta(days=5, hours=1))
    assert late is not None
    assert (late.salt, late.day) == ("salt-1.5", 5), "a controller that was away goes on with the day that it is"
    assert renewed(late, here.until) is None, "and not after the end"

    def held_back(salt: str) -> set[int]:
        return {user for user in range(4000) if choose(unit_key(salt, f"user {user}"), (WEIGHT, 1 - WEIGHT))}

    first, other = held_back(here.salt), held_back(second.salt)
    assert len(first & other) < 0.2 * len(first)


def test_without_windows_nothing_is_drawn_anew() -> None:
    here = hold(unit="request", window=None)
    assert renewed(here, START + timedelta(days=3)) is None
    assert window_at(here, START + timedelta(days=3)) == 0


def test_a_prediction_belongs_to_the_day_whose_salt_assigned_it() -> None:
    here = hold()
    assert [window_of(here, Revision(0, n)) for n in range(1, 8)] == [None, None, 0, 1, 3, 3, 3]


def test_what_comes_late_counts_for_its_day_and_the_rollout_s_units_for_the_first() -> None:
    def label(n: int, version: int, key: int) -> Feedback:
        return Feedback(f"p{key}", a.MODEL, version, Revision(0, n), key, 0.1, 1.0, 0.0, 0.0)

    cells = [Cell(a.MODEL, 2, Revision(0, n), 1, {"error": 1}, {}, units=(UnitOutcome(n, 1),)) for n in (3, 5)]
    seen = windows(hold(), cells, [label(2, 2, 12), label(3, 1, 13), label(5, 2, 15)])
    assert [(one.number, one.arriving) for one in seen] == [(0, False), (3, True)]
    events = [one for window in seen for one in news(begin(hold()), window.observations, window.number, arriving=window.arriving)]
    told = [(one.day, one.weight, one.counts, one.arrived) for one in events]
    assert told == [
        (0, 0.5, {"labels": (1, 1)}, (0, 0)),
        (0, WEIGHT, {"errors": (1, 1), "labels": (1, 0)}, (0, 0)),
        (3, WEIGHT, {"errors": (1, 1), "labels": (1, 1)}, (1, 1)),
    ]


# The detector


def test_each_day_is_a_step_whatever_the_order_in_which_it_is_told() -> None:
    """The formula, by hand."""
    guard = begin(hold(ERRORS))
    assert guard.blocks == 7
    by_day = {0: (40, 39), 2: (60, 60), 3: (25, 20)}
    for day in (2, 0, 3):
        half = (by_day[day][0] // 2, by_day[day][1] // 2)
        rest = (by_day[day][0] - half[0], by_day[day][1] - half[1])
        take(guard, (Events(WEIGHT, {"errors": half}, day=day),))
        close(guard)
        take(guard, (Events(WEIGHT, {"errors": rest}, day=day),))
    logs: Any = np.full(8, np.log(7))
    for day in sorted(by_day):
        logs = shiryaev_roberts(logs, log_growth(WEIGHT, *by_day[day], 1.5))
    assert look(guard).evidence["harm"] == pytest.approx(float(log_mean(logs)) - np.log(7))


def test_a_unit_counts_once_in_a_day_and_again_on_the_next() -> None:
    """Its key is another one then."""
    guard = begin(hold(ERRORS))
    today, tomorrow = (Observation(WEIGHT, ArmObservation(1, 1, units=((key, 1),)), ArmObservation()) for key in (7, 8))
    first = news(guard, [today, today], 1)
    take(guard, first)
    again, next_day = news(guard, [today], 1), news(guard, [tomorrow], 2)
    assert [one.counts for one in (*first, *again, *next_day)] == [{"errors": (1, 1)}, {"errors": (1, 1)}]


OLD = {
    "request": [-0.48583732497528215, -0.24889431970953302, -0.3354868192195094],
    "header:x-user": [0.05487083075513191, 0.3106381723028398, 0.3364428429153956],
}


@pytest.mark.parametrize("unit", sorted(OLD))
def test_a_hold_that_began_before_there_were_windows_says_what_it_said(unit: str) -> None:
    """Bit for bit: these values were kept when a sticky unit had one window, and objectives were not looked at."""
    policy = JudgePolicy(
        alpha=0.1, metrics=("errors", "latency", "labels"), label_event=LabelEvent("missed", 0.5), objectives={"errors": 0.02}
    )
    rows = (
        (Events(0.5, {"labels": (40, 22)}), Events(WEIGHT, {"errors": (30, 29), "latency.p95": (12, 11)})),
        (Events(WEIGHT, {"errors": (25, 25), "labels": (7, 7)}),),
        (Events(WEIGHT, {"latency.p50": (400, 380), "latency.p99": (3, 3)}),),
    )
    here = a.hold(unit=unit, judge=policy, until=START + timedelta(hours=2))
    guard, said = begin(here), []
    for seq, events in enumerate(rows):
        follow(guard, HoldRow(here.id, seq, START, events, JudgeVerdict.WAIT))
        said.append(look(guard).evidence)
    assert [one["harm"] for one in said] == OLD[unit]
    assert set(said[0]) == {"harm/errors", "harm/latency", "harm/labels", "harm"}


# How often it is wrong: users who come every day and are prone to fail alike on all of them


def alarms(runs: int, *, drawn: bool, ratio: float, alpha: float, days: int = 7, users: int = 300) -> float:
    """drawn: whether each day has a salt of its own. ratio: how many times as often users fail with the promoted version."""
    random = np.random.default_rng(11)
    logs, alarmed = np.full((runs, 8), np.log(days)), np.zeros(runs, dtype=bool)
    prone = np.where(random.random((runs, users)) < 0.1, 0.6, 0.03)
    own = random.random((runs, users)) < WEIGHT
    for _ in range(days):
        own = random.random((runs, users)) < WEIGHT if drawn else own
        happened = random.random((runs, users)) < np.where(own, np.minimum(prone * ratio, 1.0), prone)
        for shown in (0.5, 1.0):
            seen = happened & (np.arange(users) < shown * users)
            value = shiryaev_roberts(logs, log_growth(WEIGHT, seen.sum(axis=1), (seen & own).sum(axis=1), 1.2))
            alarmed |= log_mean(value) - np.log(days) >= np.log(2 / alpha)
        logs = value
    return float(alarmed.mean())


def test_users_who_are_alike_every_day_make_no_false_alarm_because_they_are_drawn_anew() -> None:
    alpha = 0.1
    assert alarms(1500, drawn=True, ratio=1.0, alpha=alpha) <= alpha
    assert 0.002 < alarms(1500, drawn=True, ratio=1.2, alpha=alpha) <= alpha
    assert alarms(1500, drawn=False, ratio=1.2, alpha=alpha) > alpha, "the same users held back all week would"


def test_harm_that_begins_on_the_third_day_is_found_though_it_was_good_before() -> None:
    """A test over all days would have to win back what it lost."""
    here, random = hold(ERRORS), np.random.default_rng(2)
    found, late = 0, 0
    for _ in range(40):
        rows = []
        for day in range(7):
            own, other = random.poisson(9500 * (0.02 if day < 3 else 0.12)), random.poisson(500 * 0.03)
            rows.append(
                HoldRow(here.id, day, START, (Events(WEIGHT, {"errors": (own + other, own)}, day=day),), JudgeVerdict.WAIT)
            )
        found += look(fold(here, rows)).verdict is JudgeVerdict.HARM
        late += look(fold(here, rows[:3])).verdict is JudgeVerdict.HARM
    assert (found >= 38, late) == (True, 0)
