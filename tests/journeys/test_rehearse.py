"""Rehearsals as a whole: the same seed gives the same report, time runs out, and traffic is taken from what a home recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lockgate.boundary.histogram import bucket
from lockgate.boundary.records import Record
from lockgate.boundary.routes import LabelEvent, Revision
from lockgate.domain.contests import Contest, Goal
from lockgate.domain.models import Stage
from lockgate.domain.rollouts import Agreement, JudgePolicy, Loss, Phase, Plan, Strategy
from lockgate.kernel.errors import Invalid, InvalidInput, NotFound
from lockgate.ports.state import JOURNAL, LABELS, ROLLOUTS, VERSIONS
from lockgate.stages.deliver.rehearsal import SCENARIOS, End, Latency, Scenario, Traffic
from lockgate.testing import builders as make
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import START, VirtualClock
from lockgate.testing.records import MemoryRecords
from lockgate.testing.state import MemoryState
from lockgate.usecases.assume_traffic import Asked, assume_traffic
from lockgate.usecases.read_traffic import Recorded, read_traffic
from lockgate.usecases.rehearse import Bounds, Rehearsed, rehearse, scenarios_of
from lockgate.usecases.world import World

CANARY = Plan(Strategy.CANARY, (0.1, 0.5), judge=JudgePolicy(metrics=("errors",)))
QUICK = Traffic(20, 0.01, Latency.lognormal(0.01, 0.04), hours=0.1)
SOME = tuple(one for one in SCENARIOS if one.name in ("errors-x5", "outage", "no-traffic"))
T0 = START.timestamp()


# The report


def rehearsed(seed: int = 0, scenarios: tuple[Scenario, ...] = SOME, runs: int = 4) -> Rehearsed:
    return rehearse(CANARY, QUICK, scenarios, Bounds(runs, seed), VirtualClock())


def test_the_same_seed_gives_the_same_report_and_another_another() -> None:
    assert rehearsed(7) == rehearsed(7)
    assert rehearsed(7).summaries != rehearsed(8).summaries


def test_a_scenario_is_drawn_alike_whatever_stands_beside_it() -> None:
    alone = rehearsed(scenarios=(SOME[1],))
    assert alone.summaries == tuple(one for one in rehearsed().summaries if one.scenario == SOME[1].name)


def test_each_scenario_has_its_figures_and_its_sentence() -> None:
    done = rehearsed()
    assert [one.scenario for one in done.summaries] == [one.name for one in SOME]
    assert all(said.startswith(one.scenario) for one, said in zip(done.summaries, done.sentences, strict=True))
    outage = done.summaries[1]
    assert (outage.runs, outage.ends[End.STOPPED].runs) == (4, 4)
    assert done.cut is False


def test_what_waits_until_the_hours_are_over_is_run_a_tenth_as_often() -> None:
    assert [one.runs for one in rehearsed(runs=11).summaries] == [11, 11, 2]


def test_when_time_is_over_what_is_done_is_told() -> None:
    clock = VirtualClock()
    seen = []

    def on_progress(done: int, of: int) -> None:
        seen.append((done, of))
        clock.advance(10)

    done = rehearse(CANARY, QUICK, SOME[:2], Bounds(runs=50, seconds=25), clock, on_progress)
    assert done.cut is True
    assert [one.runs for one in done.summaries] == [2, 1]
    assert seen == [(1, 100), (2, 100), (3, 100)]


def test_scenarios_that_the_plan_does_not_judge_are_left_out_unless_they_are_named() -> None:
    names = [one.name for one in scenarios_of(CANARY)]
    assert "latency-x2" not in names
    assert "errors-x2" in names
    assert [one.name for one in scenarios_of(CANARY, ["latency-x2"])] == ["latency-x2"]


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (Strategy.REPLACE, "nothing to judge"),
        (Strategy.BLUE_GREEN, "nothing to judge"),
        (Strategy.ONLINE, "its checkpoints are judged on lessons"),
    ],
)
def test_a_strategy_that_leaves_nothing_to_draw_is_refused(strategy: Strategy, said: str) -> None:
    with pytest.raises(Invalid, match=said) as raised:
        rehearse(Plan(strategy), QUICK, SOME, Bounds(), VirtualClock())
    assert raised.value.hint


SHADOW = Plan(Strategy.SHADOW, judge=JudgePolicy(metrics=("agreement", "errors"), agreement=Agreement(0.9, threshold=0.5)))
CONTEST = Plan(Strategy.BANDIT, contest=Contest(goal=Goal(LabelEvent("true", 0.0), most=True)))


def test_each_strategy_has_scenarios_of_its_own() -> None:
    assert "labels-x1.25" not in [one.name for one in scenarios_of(SHADOW)]
    assert scenarios_of(CONTEST)[0].name == "alike"
    with pytest.raises(Invalid, match="scenario alike found, which strategy shadow does not know") as raised:
        scenarios_of(SHADOW, ["alike"])
    assert raised.value.hint
    assert "differs-x2" in raised.value.hint


@pytest.mark.parametrize("plan", [SHADOW, CONTEST])
def test_shadows_and_contests_are_rehearsed_alike_by_the_same_seed(plan: Plan) -> None:
    traffic = replace(assume_traffic(plan, Asked(hours=0.01)), requests_per_second=50.0)
    found = [rehearse(plan, traffic, scenarios_of(plan)[:3], Bounds(2, 3), VirtualClock()) for _ in range(2)]
    assert found[0] == found[1]
    assert len(found[0].sentences) == 3


def test_a_plan_that_is_judged_by_its_loss_is_refused_at_once() -> None:
    plan = replace(SHADOW, judge=JudgePolicy(metrics=("errors", "loss"), loss=Loss("brier")))
    with pytest.raises(Invalid, match="metrics that name loss found: a rehearsal draws events") as raised:
        rehearse(plan, assume_traffic(plan, Asked()), scenarios_of(plan)[:1], Bounds(1, 1), VirtualClock())
    assert raised.value.hint == "Leave loss out of judge: metrics for the rehearsal; labels, with an event, can be rehearsed"


def test_what_is_assumed_of_a_shadow_and_of_a_contest() -> None:
    shadow, contest = assume_traffic(SHADOW, Asked()), assume_traffic(CONTEST, Asked())
    assert (shadow.errors, shadow.labels) == (0.0, None)
    assert shadow.differing == pytest.approx(0.05)
    assert (contest.errors, contest.differing) == (0.01, None)
    assert contest.labels is not None
    assert assume_traffic(SHADOW, Asked(differing=0.01)).differing == 0.01
    with pytest.raises(Invalid, match="strategy canary compares no pairs"):
        assume_traffic(CANARY, Asked(differing=0.01))
    with pytest.raises(Invalid, match="the plan judges the fewest errors"):
        assume_traffic(Plan(Strategy.AB, contest=Contest()), Asked(label_delay=60.0))


def test_a_plan_whose_judge_could_never_say_anything_is_refused() -> None:
    with pytest.raises(InvalidInput, match="steps"):
        rehearse(replace(CANARY, steps=(0.5, 0.1)), QUICK, SOME, Bounds(), VirtualClock())


# What is assumed

LABELS_JUDGED = replace(CANARY, judge=JudgePolicy(metrics=("errors", "labels"), label_event=LabelEvent("missed", 0.5)))
STICKY = replace(CANARY, unit="header:x-user")


def test_what_was_said_of_the_traffic_stands_and_the_rest_is_assumed() -> None:
    assert assume_traffic(CANARY, Asked()).figures() == {
        "requests_per_second": 20.0,
        "hours": 24.0,
        "errors": 0.01,
        "units": None,
        "label_event_rate": None,
        "label_delay": None,
        "label_coverage": None,
        "differing": None,
        "latency_p50": pytest.approx(0.01, rel=0.01),
        "latency_p99": pytest.approx(0.04, rel=0.01),
    }
    said = assume_traffic(STICKY, Asked(requests_per_second=3.0, hours=1.0, errors=0.0, latency=1.0, units=7))
    assert (said.requests_per_second, said.hours, said.errors, len(said.activity)) == (3.0, 1.0, 0.0, 7)
    assert said.latency.quantile(0.5) == pytest.approx(1.0, rel=0.01)


def test_a_run_lasts_a_day_after_the_first_label() -> None:
    assert assume_traffic(LABELS_JUDGED, Asked()).hours == 48
    assert assume_traffic(LABELS_JUDGED, Asked(label_delay=3600.0)).hours == 25


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(units=5), "each request is a unit"),
        (Asked(label_events=0.1), "the plan judges errors"),
        (Asked(label_delay=60.0), "the plan judges errors"),
        (Asked(requests_per_second=1e9, hours=1e9), "at most 1e\\+12 expected"),
    ],
)
def test_what_does_not_fit_the_plan_is_refused(asked: Asked, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        assume_traffic(CANARY, asked)


# What was recorded


@pytest.fixture
def world(state: MemoryState, artifacts: MemoryArtifacts, clock: VirtualClock) -> World:
    """A home with version 2 in Production, on which 1,200 requests were recorded in 10 minutes, an hour ago."""
    with state.write() as tx:
        tx.put(VERSIONS, make.version(2, stage=Stage.PRODUCTION))
    clock.advance(4200)
    return World(state, artifacts, clock)


def record(index: int, **fields: object) -> Record:
    whole = Record((f"id-{index}",), make.MODEL, 2, Revision(0, 3), T0 + index / 2, {"carrier": [f"c{index % 40}"]}, (0.3,))
    return Record(**{name: fields.get(name, getattr(whole, name)) for name in whole.__struct_fields__})  # type: ignore[arg-type]


def recorded(number: int = 1200) -> Iterator[Record]:
    for index in range(number):
        failed = index % 50 == 0
        yield record(index, failure="error: no" if failed else None, scores=() if failed else (0.3,))


def read(world: World, plan: Plan = CANARY, asked: Asked | None = None, records: list[Record] | None = None) -> Recorded:
    source = MemoryRecords(limit=100)
    source.append(recorded() if records is None else records)
    return read_traffic(world, source, make.MODEL, plan, asked or Asked())


def test_volume_and_failures_are_those_of_the_records(world: World) -> None:
    found = read(world)
    assert found.traffic.requests_per_second == pytest.approx(2.0, rel=0.01)
    assert found.traffic.errors == pytest.approx(0.02)
    assert found.traffic.latency.quantile(0.5) == pytest.approx(0.01, rel=0.01)
    assert any("1200 of them in" in said for said in found.told)
    assert any("is assumed" in said for said in found.told)


def test_what_nobody_asked_of_the_version_does_not_count(world: World) -> None:
    strange = [
        record(1, model="another"),
        record(2, shadow=True),
        record(3, version=0, revision=Revision(), failure="shed: full"),
        record(4, revision=Revision()),
        record(1199, version=1, failure="error: the other arm"),
    ]
    found = read(world, records=[*recorded(), *strange])
    assert found.traffic.errors == pytest.approx(0.02)
    assert found.told[0].endswith("1201 of them in 10 min")


def test_what_is_said_stands_in_place_of_what_is_recorded(world: World) -> None:
    found = read(world, asked=Asked(requests_per_second=50.0, errors=0.1, latency=0.5, hours=3.0))
    assert (found.traffic.requests_per_second, found.traffic.errors, found.traffic.hours) == (50.0, 0.1, 3.0)
    assert found.traffic.latency.quantile(0.5) == pytest.approx(0.5, rel=0.01)
    assert found.told == ()


def test_a_field_that_tells_the_unit_is_counted(world: World) -> None:
    found = read(world, replace(CANARY, unit="field:carrier"))
    assert len(found.traffic.activity) == 40
    assert sum(found.traffic.activity) == 1200


def journal(world: World, **fields: object) -> None:
    with world.state.write() as tx:
        tx.put(ROLLOUTS, make.rollout(**{"baseline": 1, "version": 2, "phase": Phase.PROMOTED, "rows": 2, **fields}))
        for seq, (canary, baseline) in enumerate([({bucket(0.2): 400}, {bucket(1.0): 4000}), ({bucket(0.2): 300}, {})]):
            arms = (
                make.arm_observation(latency=canary, units=((1, 0), (2, 0))),
                make.arm_observation(latency=baseline, units=((3, 0),)),
            )
            seen = make.observation(canary=arms[0], baseline=arms[1])
            tx.put(JOURNAL, make.journal_row(rollout="rollout-1", seq=seq, observations=(seen,)))


def test_latencies_and_units_of_a_header_are_those_of_a_rollout(world: World) -> None:
    journal(world)
    found = read(world, replace(CANARY, unit="header:x-user-id"))
    assert found.traffic.latency.quantile(0.5) == pytest.approx(0.2, rel=0.05)
    assert found.traffic.activity == (2.0, 2.0, 2.0)
    assert any("latency of 700 answers" in said for said in found.told)


def test_as_a_champion_it_was_measured_as_the_baseline(world: World) -> None:
    journal(world, baseline=2, version=3, phase=Phase.ABORTED)
    assert read(world).traffic.latency.quantile(0.5) == pytest.approx(1.0, rel=0.05)


def test_units_that_nobody_has_recorded_must_be_said(world: World) -> None:
    journal(world)
    sticky = replace(CANARY, unit="header:x-other")
    with pytest.raises(NotFound, match="0 units told by header:x-other") as raised:
        read(world, sticky)
    assert "--units N" in (raised.value.hint or "")
    assert len(read(world, sticky, Asked(units=9)).traffic.activity) == 9


def labels(world: World, number: int, *, delay: float = 600.0) -> None:
    """Of each second request; of every tenth of these the event."""
    with world.state.write() as tx:
        for index in range(number):
            at = T0 + index
            truth = float(index % 10 == 0)
            fields = {"prediction_id": f"p-{index}", "version": 2, "key": index, "answered_at": at, "at": at + delay}
            tx.put(LABELS, make.label(**fields, score=0.1, label=truth))


def test_labels_have_their_rate_their_delay_and_their_coverage(world: World) -> None:
    labels(world, 600)
    found = read(world, LABELS_JUDGED).traffic.labels
    assert found is not None
    assert found.event_rate == pytest.approx(0.1)
    assert found.delay == 600.0
    assert found.coverage == pytest.approx(0.5, rel=0.05)


def test_answers_whose_labels_are_not_due_do_not_lower_the_coverage(world: World, clock: VirtualClock) -> None:
    labels(world, 300, delay=3900.0)  # now is 4,200 s after the first answer: those of the first 300 s are due
    found = read(world, LABELS_JUDGED).traffic.labels
    assert found is not None
    assert found.coverage == pytest.approx(0.5, rel=0.05)


def test_too_few_labels_must_be_said(world: World) -> None:
    labels(world, 10)
    with pytest.raises(NotFound, match="labels of 10 requests found, 200 expected") as raised:
        read(world, LABELS_JUDGED)
    assert "--label-events" in (raised.value.hint or "")
    said = read(world, LABELS_JUDGED, Asked(label_events=0.3, label_delay=60.0)).traffic.labels
    assert said is not None
    assert (said.event_rate, said.delay) == (0.3, 60.0)


def test_without_enough_records_it_says_what_to_do(world: World) -> None:
    with pytest.raises(NotFound, match="999 records of flight-delay version 2 found, 1000 expected") as raised:
        read(world, records=list(recorded(999)))
    assert "--traffic synthetic" in (raised.value.hint or "")


def test_without_a_version_in_production_it_says_what_to_do(state: MemoryState, artifacts: MemoryArtifacts) -> None:
    with pytest.raises(NotFound, match="no version of flight-delay is in Production") as raised:
        read(World(state, artifacts, VirtualClock()))
    assert "--traffic synthetic" in (raised.value.hint or "")
