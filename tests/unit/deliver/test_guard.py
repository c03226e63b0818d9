"""The guard after a promotion: what it counts, that its journal says all, how often it is wrong, and what it finds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import exp, log
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.holds import Events, Hold, HoldRow
from lockgate.domain.rollouts import JudgePolicy, Margin
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.guard import Guard, begin, close, fold, follow, look, take
from lockgate.stages.deliver.hold_evidence import harm_told, news, together, with_figures
from lockgate.stats.combine import log_mean
from lockgate.stats.detector import shiryaev_roberts
from lockgate.stats.odds import HIGHER, log_e_not_worse, log_growth, null_share
from lockgate.testing import builders as a
from lockgate.testing.clock import START

POLICY = JudgePolicy(alpha=0.1, metrics=("errors", "latency", "labels"), label_event=LabelEvent("missed", 0.5))
ERRORS = replace(POLICY, metrics=("errors",))
WEIGHT = 0.95


def hold(unit: str = "request", judge: JudgePolicy = POLICY, **fields: Any) -> Hold:
    return a.hold(**{"unit": unit, "judge": judge, "until": START + timedelta(hours=2), **fields})


def seen(weight: float = WEIGHT, promoted: ArmObservation | None = None, before: ArmObservation | None = None) -> Observation:
    return Observation(weight, promoted or ArmObservation(), before or ArmObservation())


# What counts


def test_of_requests_every_event_counts_and_successes_do_not() -> None:
    promoted = ArmObservation(100, 3, timed=100, exceeded=(50, 5, 1))
    before = ArmObservation(10, 1, timed=10, exceeded=(4, 0, 0))
    assert news(begin(hold()), [seen(promoted=promoted, before=before)]) == (
        Events(WEIGHT, {"errors": (4, 3), "latency.p50": (54, 50), "latency.p95": (5, 5), "latency.p99": (1, 1)}),
    )
    assert news(begin(hold()), [seen(promoted=ArmObservation(1000), before=ArmObservation(50))]) == ()


def test_of_a_sticky_unit_only_the_first_event_of_each_kind_counts() -> None:
    guard = begin(hold("header:x-user"))
    first = news(guard, [seen(promoted=ArmObservation(units=((1, 1), (1, 1), (2, 0), (1, 3))))])
    assert first == (Events(WEIGHT, {"errors": (1, 1), "latency.p50": (1, 1)}, ((1, 1), (1, 2))),)
    take(guard, first)
    assert news(guard, [seen(promoted=ArmObservation(units=((1, 3),)), before=ArmObservation(units=((1, 1),)))]) == ()
    assert news(guard, [seen(before=ArmObservation(units=((2, 1),)))]) == (Events(WEIGHT, {"errors": (1, 0)}, ((2, 1),)),)


@pytest.mark.parametrize("unit", ["request", "header:x-user"])
def test_a_label_counts_once_for_its_unit_by_the_weight_of_its_prediction(unit: str) -> None:
    guard = begin(hold(unit))
    early = seen(0.5, promoted=ArmObservation(labels=((1, 1), (2, 0))), before=ArmObservation(labels=((3, 1),)))
    late = seen(WEIGHT, promoted=ArmObservation(labels=((1, 1), (2, 1))))
    found = news(guard, [early, late])
    assert found == (Events(0.5, {"labels": (2, 1)}, (), (1, 3)), Events(WEIGHT, {"labels": (1, 1)}, (), (2,)))
    take(guard, found)
    assert news(guard, [early, late]) == ()


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_traffic_with_one_arm_compares_nothing(weight: float) -> None:
    assert news(begin(hold()), [seen(weight, promoted=ArmObservation(5, 5))]) == ()


def test_what_is_not_judged_is_not_counted() -> None:
    observed = seen(promoted=ArmObservation(5, 2, timed=5, exceeded=(3, 1, 1), labels=((1, 1),)))
    assert news(begin(hold(judge=ERRORS)), [observed]) == (Events(WEIGHT, {"errors": (2, 2)}),)


# The journal


def observations() -> st.SearchStrategy[list[Observation]]:
    arm = st.builds(
        ArmObservation,
        completed=st.just(20),
        failed=st.integers(0, 5),
        timed=st.just(20),
        exceeded=st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 1)),
        units=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 15)), max_size=9).map(tuple),
        labels=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1)), max_size=9).map(tuple),
    )
    return st.lists(st.builds(Observation, st.sampled_from([0.5, WEIGHT]), arm, arm), min_size=1, max_size=3)


@pytest.mark.parametrize("unit", ["request", "header:x-user"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_folding_the_journal_gives_the_same_guard_bit_for_bit(unit: str, data: st.DataObject) -> None:
    """Also when the last row's minute is not over, whose row grows from tick to tick."""
    here = hold(unit)
    guard = begin(here)
    rows: list[HoldRow] = []
    says = []
    for _ in range(data.draw(st.integers(1, 6))):
        ticks = [news_of(guard, data.draw(observations()), first=tick == 0) for tick in range(data.draw(st.integers(1, 3)))]
        events: tuple[Events, ...] = ()
        for one in ticks:
            events = together(events, one)
        rows.append(HoldRow(here.id, len(rows), START, events, JudgeVerdict.WAIT))
        says.append(look(guard))
    again = begin(here)
    for row, said in zip(rows, says, strict=True):
        follow(again, row)
        assert look(again) == said
    assert look(fold(here, rows)) == says[-1]
    assert (again.memory, again.counts, again.arrivals) == (guard.memory, guard.counts, guard.arrivals)


def news_of(guard: Guard, seen: list[Observation], *, first: bool) -> tuple[Events, ...]:
    """As a tick does it: the first of a minute closes the minute before."""
    events = news(guard, seen)
    if first and guard.counts:
        close(guard)
    take(guard, events)
    return events


# How often it is wrong. Vectorised over runs by the guard's own parts; the first test holds them against the guard itself.


def detector_paths(events: np.ndarray, own: np.ndarray, blocks: int, weight: float = WEIGHT, ratio: float = 1.5) -> np.ndarray:
    """The logarithm of the guard's value after each block; events and own of shape (blocks, runs)."""
    logs = np.full((events.shape[1], len(HIGHER)), log(blocks))
    path = []
    for every, its in zip(events, own, strict=True):
        logs = np.where(every[:, None] > 0, shiryaev_roberts(logs, log_growth(weight, every, its, ratio)), logs)
        path.append(log_mean(logs) - log(blocks))
    return np.array(path)


def bound(blocks: int, alpha: float) -> float:
    return replace(begin(hold(judge=replace(ERRORS, alpha=alpha))), blocks=blocks).bound


def drawn(random: np.random.Generator, blocks: int, runs: int, ratio: float, mean: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    events = random.poisson(mean, (blocks, runs))
    return events, random.binomial(events, null_share(WEIGHT, ratio))


def test_the_simulation_is_the_guard() -> None:
    here = hold(judge=ERRORS)
    guard = begin(here)
    events, own = drawn(np.random.default_rng(1), 30, 1, 2.0, mean=1.0)
    path = detector_paths(events, own, guard.blocks)
    for seq, (every, its) in enumerate(zip(events[:, 0].tolist(), own[:, 0].tolist(), strict=True)):
        if every:
            follow(guard, HoldRow(here.id, seq, START, (Events(WEIGHT, {"errors": (every, its)}),), JudgeVerdict.WAIT))
        assert look(guard).evidence["harm"] == pytest.approx(path[seq, 0])


def test_within_its_time_a_harmless_version_is_sent_home_with_probability_alpha_at_most() -> None:
    """At the edge of the null: errors at 1.5 × those of the held-back version, looked at after every minute."""
    blocks, alpha, runs = 120, 0.1, 4000
    path = detector_paths(*drawn(np.random.default_rng(2), blocks, runs, 1.5), blocks)
    false = np.mean(path.max(axis=0) >= bound(blocks, alpha))
    assert 0.002 < false <= alpha, "and the bound is not idle"


def test_without_an_end_the_average_run_length_keeps_its_promise() -> None:
    blocks, alpha, runs = 10, 0.2, 1000
    path = detector_paths(*drawn(np.random.default_rng(3), 1000, runs, 1.5, mean=3.0), blocks)
    alarmed = path >= bound(blocks, alpha)
    lengths = np.where(alarmed.any(axis=0), alarmed.argmax(axis=0) + 1, len(path))
    assert lengths.mean() >= blocks * (2 / alpha - 1)


def test_harm_that_begins_late_is_found_though_it_was_good_before() -> None:
    """A test that began with the hold would have lost its capital by then: it finds next to nothing."""
    random, alpha, runs = np.random.default_rng(4), 0.1, 200
    good, bad = drawn(random, 400, runs, 0.7), drawn(random, 200, runs, 4.0)
    events, own = (np.concatenate(pair) for pair in zip(good, bad, strict=True))
    path = detector_paths(events, own, len(events))
    test = log_mean(np.cumsum(log_growth(WEIGHT, events, own, 1.5), axis=0))
    assert not (path[:400] >= bound(len(path), alpha)).any()
    assert np.mean((path >= bound(len(path), alpha)).any(axis=0)) > 0.95
    assert np.mean((test >= log(1 / alpha)).any(axis=0)) < 0.1


def test_harm_from_the_beginning_costs_no_more_than_twice_what_a_test_asks() -> None:
    guard = begin(hold(judge=ERRORS))
    events = {"errors": (400, 392)}
    take(guard, (Events(WEIGHT, events),))
    capital = exp(float(log_mean(log_growth(WEIGHT, 400, 392, 1.5))))
    assert (look(guard).verdict is JudgeVerdict.HARM) is (capital * (1 + 1 / guard.blocks) >= 2 / ERRORS.alpha)
    assert look(guard).evidence["harm"] == pytest.approx(log(capital * (1 + 1 / guard.blocks)))


def test_a_version_that_puts_off_its_users_first_failures_is_not_accused_of_the_late_ones() -> None:
    """The held-back version's users have all failed by then. A detector that began anew every minute would raise an alarm."""
    rows = []
    for minute in range(60):
        other = 500 * (exp(-0.1 * minute) - exp(-0.1 * (minute + 1)))
        own = 9500 * (exp(-0.02 * minute) - exp(-0.02 * (minute + 1)))
        counts = {"errors": (round(own) + round(other), round(own))}
        rows.append(HoldRow("hold-1", minute, START, (Events(WEIGHT, counts),), JudgeVerdict.WAIT))
    says = {unit: look(fold(hold(unit, ERRORS), rows)).verdict for unit in ("header:x-user", "request")}
    assert says == {"header:x-user": JudgeVerdict.WAIT, "request": JudgeVerdict.HARM}


def test_that_the_rollout_chose_its_moment_makes_no_false_alarm_of_users_who_stay_where_they_were() -> None:
    """The salt stays, so the arm of who comes again is known. A promotion happens when the canary's users were the good ones;
    in the hold that speaks for the promoted version. Users who differ a lot, who fail alike with both versions.
    """
    random, users, runs, alpha = np.random.default_rng(5), 600, 3000, 0.1
    prone = random.beta(0.3, 1.2, users)  # each user's chance to fail, in the rollout and again in the hold
    place = random.random((runs, users))
    before, after = random.random((runs, users)) < prone, random.random((runs, users)) < prone
    canary = place < 0.5
    proof = log_e_not_worse_each(before.sum(axis=1), (before & canary).sum(axis=1))
    promoted = proof >= log(1 / 0.05)
    own = (after & (place < WEIGHT)).sum(axis=1)
    alarms = log_mean(log_growth(WEIGHT, after.sum(axis=1), own, 1.0)) >= log(1 / alpha)  # even at a ratio of 1
    assert promoted.sum() > 100
    assert alarms.mean() <= alpha
    assert alarms[promoted].mean() <= alarms.mean() + 0.02


def log_e_not_worse_each(events: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Of each run, against "the canary's rate is at least 1.5 times the baseline's" at a weight of one half."""
    pairs = {(every, its) for every, its in zip(events.tolist(), own.tolist(), strict=True)}
    known = {(every, its): float(log_e_not_worse([0.5], [every], [its], [1.5])[0]) for every, its in pairs}
    return np.array([known[pair] for pair in zip(events.tolist(), own.tolist(), strict=True)])


# What it finds


def test_harm_names_its_metric_with_the_figures_of_both_versions() -> None:
    here = hold("header:x-user")
    guard = begin(here)
    missed = ArmObservation(completed=1900, labels=tuple((key, int(key < 400)) for key in range(1900)))
    kept = ArmObservation(completed=100, labels=tuple((key, int(key < 5003)) for key in range(5000, 5100)))
    observed = [seen(promoted=missed, before=kept)]
    take(guard, news(guard, observed))
    said = look(guard)
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("labels",))
    assert harm_told(with_figures(here, observed), said.metrics) == (
        "harm after the promotion of version 2: labels 21.05 % (400 of 1900) against 3.00 % (3 of 100) of version 1"
    )


def test_what_is_within_the_margin_is_no_harm_and_what_is_beyond_it_is() -> None:
    def says(ratio: float) -> JudgeVerdict:
        judge = replace(ERRORS, margins={"errors": Margin(ratio, 0.005)})
        guard = begin(hold(judge=judge))
        take(guard, (Events(0.5, {"errors": (900, 540)}),))  # 1.5 times as many
        return look(guard).verdict

    assert (says(1.6), says(1.1)) == (JudgeVerdict.WAIT, JudgeVerdict.HARM)


def test_latency_is_told_by_quantile() -> None:
    here = hold(judge=replace(POLICY, metrics=("latency",)))
    guard = begin(here)
    slow = ArmObservation(completed=1900, timed=1900, exceeded=(1000, 400, 200))
    quick = ArmObservation(completed=100, timed=100, exceeded=(50, 2, 0))
    observed = [seen(promoted=slow, before=quick)]
    take(guard, news(guard, observed))
    assert look(guard).metrics == ("latency",)
    told = harm_told(with_figures(here, observed), ("latency",))
    assert "latency.p95 21.05 % (400 of 1900) against 2.00 % (2 of 100)" in told


def test_nothing_seen_is_no_verdict() -> None:
    said = look(begin(hold()))
    assert (said.verdict, said.metrics) == (JudgeVerdict.WAIT, ())
    assert list(said.evidence.values()) == pytest.approx([0.0] * 4)
