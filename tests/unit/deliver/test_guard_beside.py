"""What a hold looks at beside the two versions' rates: limits, segments of the traffic, and whether the router is at fault."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.holds import Events, Hold, HoldRow
from lockgate.domain.rollouts import JudgePolicy, Segments
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver import hold_memory
from lockgate.stages.deliver.guard import Guard, Look, begin, close, fold, follow, games, look, take
from lockgate.stages.deliver.hold_back import DAY
from lockgate.stages.deliver.hold_evidence import fault_told, harm_told, news, rates, together, with_figures
from lockgate.stages.deliver.judge.margins import harm_shares
from lockgate.testing import builders as a
from lockgate.testing.clock import START

WEIGHT = 0.95
CARRIERS = Segments("field:carrier", ("AA", "UA"), min_units=200)
POLICY = JudgePolicy(
    alpha=0.1,
    metrics=("errors", "latency", "labels"),
    label_event=LabelEvent("missed", 0.5),
    objectives={"errors": 0.05, "labels": 0.3},
    segments=CARRIERS,
    requests_per_unit=3,
)
LIMITED = JudgePolicy(alpha=0.1, metrics=("errors",), objectives={"errors": 0.02}, requests_per_unit=3)
STICKY = "header:x-user"


def hold(unit: str = "request", judge: JudgePolicy = POLICY, **fields: Any) -> Hold:
    window = None if unit == "request" else DAY
    return a.hold(**{"unit": unit, "judge": judge, "until": START + timedelta(days=2), "window": window, "full": True, **fields})


def seen(promoted: ArmObservation | None = None, before: ArmObservation | None = None, **fields: Any) -> Observation:
    return Observation(WEIGHT, promoted or ArmObservation(), before or ArmObservation(), **fields)


def after(here: Hold, *minutes: list[Observation], window: int = 1) -> tuple[Guard, Hold]:
    guard = begin(here)
    for seq, observed in enumerate(minutes):
        follow(guard, HoldRow(here.id, seq, START, news(guard, observed, window), JudgeVerdict.WAIT))
        here = with_figures(here, observed)
    return guard, here


def test_the_parts_of_the_sum_are_those_of_the_judge() -> None:
    assert [game.name for game in games(POLICY)] == list(harm_shares(POLICY))


# Limits


def test_of_requests_every_one_is_held_against_the_limit() -> None:
    """Both versions fail alike, so the comparison is silent."""
    both = [seen(ArmObservation(1900, 95), ArmObservation(100, 5))]
    guard, here = after(hold(judge=LIMITED), *[both] * 3)
    said = look(guard)
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("objective.errors",))
    assert harm_told(here, said.metrics) == (
        "harm after the promotion of version 2: errors 5.00 % (285 of 5700), at most 2% expected"
    )
    assert look(after(hold(judge=replace(LIMITED, objectives={})), *[both] * 3)[0]).verdict is JudgeVerdict.WAIT


def test_the_held_back_version_breaks_no_limit() -> None:
    guard, _ = after(hold(judge=LIMITED), [seen(before=ArmObservation(5000, 2500))])
    assert look(guard).evidence["harm/objective.errors"] == pytest.approx(0.0)


def test_of_a_sticky_unit_its_first_requests_of_the_day_are_one_outcome() -> None:
    guard = begin(hold(STICKY, LIMITED))
    first = news(guard, [seen(ArmObservation(units=((1, 0), (1, 1), (2, 0))))], 1)
    take(guard, first)
    second = news(guard, [seen(ArmObservation(units=((1, 0), (2, 0), (2, 0), (2, 1), (3, 1))))], 1)
    trials = [one.outcomes.trials for one in (*first, *second)]
    assert trials == [{}, {"errors": (2, 1)}], "user 2 failed after its window was closed, user 3 has not had its requests"
    take(guard, second)
    assert news(guard, [seen(ArmObservation(units=((1, 1), (2, 1))))], 1) == ()


def test_what_a_unit_met_of_the_other_version_is_no_part_of_its_outcome() -> None:
    guard = begin(hold(STICKY, LIMITED))
    mixed = seen(ArmObservation(units=((1, 0), (1, 0))), ArmObservation(units=((1, 1), (2, 1), (2, 1), (2, 1))))
    assert [one.outcomes.trials for one in news(guard, [mixed], 1)] == [{}]


def test_labels_are_held_against_their_limit_too() -> None:
    policy = replace(LIMITED, metrics=("labels",), label_event=LabelEvent("missed", 0.5), objectives={"labels": 0.1})
    labels = tuple((key, int(key % 4 == 0)) for key in range(600))
    others = tuple((key, int(key % 4 == 0)) for key in range(1000, 1032))
    requests, _ = after(hold(judge=policy), [seen(ArmObservation(labels=labels), ArmObservation(labels=others))])
    assert look(requests).metrics == ("objective.labels",)
    units = begin(hold(STICKY, policy))
    thrice = tuple((key, int(key % 4 == 0 and time == 1)) for key in range(200) for time in range(3))
    (told,) = news(units, [seen(ArmObservation(labels=thrice))], 1)
    assert told.outcomes.trials == {"labels": (200, 50)}


def test_at_its_limit_a_version_is_sent_home_with_probability_alpha_at_most() -> None:
    """Over a hold of 60 minutes; the limit's own part alone."""
    here, random, false = hold(judge=LIMITED, until=START + timedelta(minutes=58)), np.random.default_rng(4), 0
    for _ in range(40):
        guard, alarmed = begin(here), False
        for seq, failed in enumerate(random.binomial(150, 0.02, 60).tolist()):
            events = Events(WEIGHT, outcomes=replace(Events(WEIGHT).outcomes, trials={"errors": (150, failed)}))
            follow(guard, HoldRow(here.id, seq, START, (events,), JudgeVerdict.WAIT))
            alarmed |= look(guard).evidence["harm/objective.errors"] >= guard.bound
        false += alarmed
    assert false <= 4 + 6, "α, and three standard deviations of forty runs"


# Segments


def test_harm_to_a_few_is_found_among_the_many_and_named() -> None:
    quiet = seen(ArmObservation(9500, 95), ArmObservation(500, 5))
    few = seen(ArmObservation(950, 190), ArmObservation(50, 1), segment="UA")
    guard, here = after(hold(judge=replace(POLICY, metrics=("errors",), objectives={})), *[[quiet, few]] * 3)
    said = look(guard)
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("segment.carrier=UA",))
    assert rates(here)["segment.carrier=UA/errors"] == ((570, 2850), (3, 150))
    assert "segment.carrier=UA/errors 20.00 % (570 of 2850) against 2.00 % (3 of 150) of version 1" in harm_told(
        here, said.metrics
    )
    without = replace(POLICY, metrics=("errors",), objectives={}, segments=None)
    assert look(after(hold(judge=without), *[[quiet, few]] * 3)[0]).verdict is JudgeVerdict.WAIT


def test_a_segment_with_few_units_is_not_named() -> None:
    judge = replace(POLICY, metrics=("errors",), objectives={}, segments=replace(CARRIERS, min_units=100_000))
    few = seen(ArmObservation(950, 190), ArmObservation(50, 1), segment="UA")
    quiet = seen(ArmObservation(9500, 95), ArmObservation(500, 5))
    guard, here = after(hold(judge=judge), *[[quiet, few]] * 3)
    assert look(guard).metrics == ("segments",)
    assert harm_told(here, ("segments",)).endswith("to segments with few units")


def test_a_unit_is_an_event_in_each_segment_in_which_it_fails_and_one_in_all() -> None:
    guard = begin(hold(STICKY, replace(POLICY, metrics=("errors",), objectives={})))
    failing = ArmObservation(units=((1, 1),))
    told = news(guard, [seen(failing, segment=segment) for segment in ("AA", "UA", "")], 1)
    assert sorted((one.segment, one.counts, one.inside.counts) for one in told if one.counts or one.inside.counts) == [
        ("AA", {"errors": (1, 1)}, {"errors": (1, 1)}),
        ("UA", {}, {"errors": (1, 1)}),
    ]
    take(guard, told)
    assert [one.arrived for one in news(guard, [seen(failing, segment="UA")], 1)] == []


# The router


def test_too_few_units_with_the_held_back_version_are_a_router_s_fault() -> None:
    guard, _ = after(hold(judge=LIMITED), *[[seen(ArmObservation(1000), ArmObservation(10))]] * 4)
    assert look(guard).verdict is JudgeVerdict.ROUTER_FAULT
    assert fault_told(guard) == "4000 of 4040 met the promoted version where 3838 were expected: nothing can be compared"


def test_units_by_their_shares_are_none() -> None:
    random = np.random.default_rng(6)
    faults = 0
    for _ in range(40):
        guard = begin(hold(judge=replace(LIMITED, router_alpha=0.05)))
        for seq, own in enumerate(random.binomial(200, WEIGHT, 20).tolist()):
            observed = [seen(ArmObservation(own), ArmObservation(200 - own))]
            follow(guard, HoldRow("hold-1", seq, START, news(guard, observed), JudgeVerdict.WAIT))
            if look(guard).verdict is JudgeVerdict.ROUTER_FAULT:
                faults += 1
                break
    assert faults <= 40 * 0.05 + 4


def test_units_that_are_in_somebody_s_hands_are_waited_for() -> None:
    """The minute's last request tells what may be in flight still: an answer may take 15 s."""
    slow = [
        news(begin(hold(judge=LIMITED)), [seen(ArmObservation(1000), ArmObservation(10), until=at)]) for at in (1000.0, 1010.0)
    ]
    minute = together(*slow)
    assert [one.until for one in minute] == [1010.0]
    guard = begin(hold(judge=LIMITED))
    follow(guard, HoldRow("hold-1", 0, START, minute, JudgeVerdict.WAIT))
    assert look(guard).verdict is JudgeVerdict.WAIT
    later = news(guard, [seen(ArmObservation(1), until=1030.0)])
    follow(guard, HoldRow("hold-1", 1, START, later, JudgeVerdict.WAIT))
    assert look(guard).verdict is JudgeVerdict.ROUTER_FAULT


def test_a_sticky_unit_is_new_once_a_day_and_not_on_the_first() -> None:
    guard = begin(hold(STICKY, replace(LIMITED, objectives={})))
    observed = [seen(ArmObservation(units=((1, 0), (1, 0), (2, 0))), ArmObservation(units=((3, 0),)))]
    assert news(guard, observed, 0, arriving=False) == ()
    first = news(guard, observed, 1)
    assert [one.arrived for one in first] == [(3, 2)]
    take(guard, first)
    assert news(guard, observed, 1) == ()


def test_no_more_units_of_a_day_are_followed_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.stages.deliver.hold_news.MOST_FOLLOWED", 5)
    guard = begin(hold(STICKY, LIMITED))
    for _ in range(2):
        take(guard, news(guard, [seen(ArmObservation(units=tuple((key, 0) for key in range(4))))], 1))
        take(guard, news(guard, [seen(ArmObservation(units=tuple((key, 0) for key in range(10, 14))))], 1))
    assert (guard.memory.requests.begun, sum(units for units, _ in guard.arriving.values())) == ({1: 4}, 4)
    assert hold_memory.MOST_FOLLOWED > 5


def test_a_tick_for_which_the_day_has_no_room_is_followed_by_neither_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is what comes after it that day: who comes again may depend on what they met. Who is followed already goes on."""
    monkeypatch.setattr("lockgate.stages.deliver.hold_news.MOST_FOLLOWED", 5)
    guard = begin(hold(STICKY, replace(LIMITED, requests_per_unit=2)))
    take(guard, news(guard, [seen(ArmObservation(units=((1, 0), (2, 0))), ArmObservation(units=((3, 0),)))], 1))
    many = [
        seen(ArmObservation(units=((1, 1), (4, 0), (5, 0)))),
        seen(ArmObservation(units=((4, 0),)), ArmObservation(units=((6, 0),)), segment="UA"),
    ]
    told = news(guard, many, 1)
    assert [(one.arrived, one.outcomes.trials) for one in told] == [((0, 0), {"errors": (1, 1)}), ((0, 0), {})]
    take(guard, told)
    again = [seen(ArmObservation(units=((2, 0), (7, 0))), ArmObservation(units=((8, 0),)))]
    assert [(one.arrived, one.outcomes.trials) for one in news(guard, again, 1)] == [((0, 0), {"errors": (1, 0)})]
    tomorrow = [seen(ArmObservation(units=((20, 0), (21, 0))), ArmObservation(units=((22, 0),)))]
    assert [one.arrived for one in news(guard, tomorrow, 2)] == [(3, 2)], "the next day has room of its own"


@pytest.mark.parametrize("per_tick", [130, 700, 1500])
def test_units_by_their_shares_are_no_fault_when_a_day_has_more_than_are_followed(
    monkeypatch: pytest.MonkeyPatch, per_tick: int
) -> None:
    monkeypatch.setattr("lockgate.stages.deliver.hold_news.MOST_FOLLOWED", 2000)
    guard, random, key, seq = begin(hold(STICKY, JudgePolicy(metrics=("errors",)))), np.random.default_rng(7), 0, 0
    for window in range(1, 7):
        for _ in range(4000 // per_tick):
            own = random.random(per_tick) < WEIGHT
            keys, key = np.arange(key, key + per_tick), key + per_tick
            arms = [ArmObservation(units=tuple((one, 0) for one in keys[mine].tolist())) for mine in (own, ~own)]
            follow(guard, HoldRow("hold-1", seq, START, news(guard, [seen(*arms)], window), JudgeVerdict.WAIT))
            seq += 1
        assert look(guard).verdict is JudgeVerdict.WAIT
    assert sum(guard.memory.requests.begun.values()) == 6 * (2000 // per_tick * per_tick)


def test_that_a_day_is_closed_is_kept_in_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.stages.deliver.hold_news.MOST_FOLLOWED", 5)
    judge = replace(POLICY, metrics=("errors", "labels"), segments=CARRIERS)
    here = hold(STICKY, judge)
    guard, minute = begin(here), tuple[Events, ...]()
    for keys in (range(3), range(10, 14), range(20, 22)):  # the first are followed, the next ones do not fit in
        arm = ArmObservation(units=tuple((key, 0) for key in keys), labels=tuple((key, 0) for key in keys))
        new = news(guard, [seen(arm, segment="UA"), seen(before=replace(arm, units=((100 + keys[0], 0),)))], 1)
        take(guard, new)
        minute = together(minute, new)
    row = HoldRow(here.id, 0, START, minute, JudgeVerdict.WAIT)
    assert fold(here, [row]).memory == guard.memory
    assert (guard.memory.requests.closed, guard.memory.labels.closed) == ({1}, {1})
    assert (guard.memory.requests.begun, guard.memory.labels.begun) == ({1: 4}, {1: 3})


# The journal


def test_a_minute_s_last_arrival_is_the_same_when_it_is_folded() -> None:
    """Who came again after it arrived before."""
    here = hold(STICKY, LIMITED)
    guard = begin(here)
    first = news(guard, [seen(ArmObservation(units=((1, 0), (2, 0))), until=1000.0)], 1)
    take(guard, first)
    later = news(guard, [seen(ArmObservation(units=((1, 1),)), until=1050.0)], 1)
    take(guard, later)
    row = HoldRow(here.id, 0, START, together(first, later), JudgeVerdict.WAIT)
    assert (guard.until, fold(here, [row]).until) == (1000.0, 1000.0)


def observed_in(window: int) -> st.SearchStrategy[list[Observation]]:
    """Windows have keys of their own."""
    key = st.integers(100 * window, 100 * window + 20)
    arm = st.builds(
        ArmObservation,
        completed=st.just(20),
        failed=st.integers(0, 5),
        timed=st.just(20),
        exceeded=st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 1)),
        units=st.lists(st.tuples(key, st.integers(0, 15)), max_size=9).map(tuple),
        labels=st.lists(st.tuples(key, st.integers(0, 1)), max_size=9).map(tuple),
    )
    segments = st.sampled_from(["", "AA", "UA"])
    made = st.builds(Observation, st.sampled_from([0.5, WEIGHT]), arm, arm, segment=segments, until=st.floats(0, 100))
    return st.lists(made, min_size=1, max_size=3)


@pytest.mark.parametrize("unit", ["request", STICKY])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_folding_the_journal_gives_the_same_guard_bit_for_bit(unit: str, data: st.DataObject) -> None:
    """Also what it remembers of its units, so that one that begins anew takes the same of what comes next."""
    here = hold(unit)
    guard = begin(here)
    rows: list[HoldRow] = []
    says: list[Look] = []
    for minute in range(data.draw(st.integers(1, 3))):
        events: tuple[Events, ...] = ()
        for tick in range(data.draw(st.integers(1, 3))):
            window = data.draw(st.integers(0, 1))
            new = news(guard, data.draw(observed_in(window)), window)
            if minute and not tick:
                close(guard)
            take(guard, new)
            events = together(events, new)
        rows.append(HoldRow(here.id, minute, START, events, JudgeVerdict.WAIT))
        says.append(look(guard))
    again = begin(here)
    for row, said in zip(rows, says, strict=True):
        follow(again, row)
        assert look(again) == said
    assert again.memory == fold(here, rows).memory == guard.memory
    coming = data.draw(observed_in(1))
    assert news(again, coming, 1) == news(guard, coming, 1)
