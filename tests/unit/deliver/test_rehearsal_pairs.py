"""What a rehearsal draws of a shadow: pairs that differ as often as said, labels that wait as production lets them wait."""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest

from lockgate.boundary.observations import DISAGREED, FAILED
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.pairs import MOST_WAITING
from lockgate.domain.rollouts import Agreement, JudgePolicy, Plan, Strategy
from lockgate.stages.deliver.rehearsal import End, Fault, Labels, Latency, Run, Traffic, drive, uneven
from lockgate.stages.deliver.rehearsal.pairs import Asked

LATENCY = Latency.lognormal(0.01, 0.04)
AGREEMENT = JudgePolicy(metrics=("agreement", "errors"), agreement=Agreement(0.95, threshold=0.5))
LABELLED = JudgePolicy(metrics=("labels",), label_event=LabelEvent("wrong", 0.5))


def traffic(rate: float = 1000.0, *, delay: float = 1.0, coverage: float = 1.0, units: int = 0, hours: float = 1.0) -> Traffic:
    labels, activity = Labels(0.1, delay, coverage), uneven(units) if units else ()
    return Traffic(rate, 0.0, LATENCY, labels, activity, hours, differing=0.05)


def asked(fault: Fault, at: Traffic, *, sticky: bool = False) -> Asked:
    return Asked(at, fault, np.random.default_rng(1), sticky=sticky, labels=True)


@pytest.mark.parametrize("sticky", [False, True])
def test_pairs_fail_and_differ_as_often_as_they_should(*, sticky: bool) -> None:
    drawn = asked(Fault(errors=0.1), traffic(units=5000 if sticky else 0), sticky=sticky)
    [one] = drawn.during(0.0, 100.0, 0.5)
    rough = 0.3 if sticky else 0.05
    assert one.canary.completed / one.baseline.completed == pytest.approx(0.5, rel=rough)
    assert one.canary.failed / one.canary.completed == pytest.approx(0.1, rel=rough)
    assert one.pairs.agreed + one.pairs.disagreed + one.canary.failed == one.canary.completed
    assert one.pairs.disagreed / (one.pairs.agreed + one.pairs.disagreed) == pytest.approx(0.05, rel=rough)
    told = [bits for _, bits in one.canary.units]
    assert (bool(told), sum(bits == FAILED for bits in told), sum(bits == DISAGREED for bits in told)) == (
        sticky,
        sticky * one.canary.failed,
        sticky * one.pairs.disagreed,
    )


@pytest.mark.parametrize("sticky", [False, True])
@pytest.mark.parametrize(("ratio", "own"), [(1.0, 0.1), (1.2, 0.12)])
def test_labels_tell_of_the_same_answers_and_the_two_differ_in_as_many_as_said(ratio: float, own: float, *, sticky: bool) -> None:
    drawn = asked(Fault(labels_ratio=ratio), traffic(units=5000 if sticky else 0), sticky=sticky)
    drawn.during(0.0, 100.0, 1.0)
    came = drawn.during(100.0, 1.0, 1.0)[-1]
    shadow, champion = came.canary.labels, came.baseline.labels
    assert [key for key, _ in shadow] == [key for key, _ in champion]
    rough = 0.2 if sticky else 0.05
    assert np.mean([happened for _, happened in shadow]) == pytest.approx(own, rel=rough)
    assert np.mean([happened for _, happened in champion]) == pytest.approx(0.1, rel=rough)
    assert np.mean([one != other for one, other in zip(shadow, champion, strict=True)]) == pytest.approx(0.05, rel=rough)


def test_of_so_many_that_their_labels_cannot_be_waited_for_ever_smaller_shares_are_kept() -> None:
    drawn = asked(Fault(), traffic(delay=1000.0, coverage=0.5))
    for second in range(0, 1000, 50):
        drawn.during(float(second), 50.0, 1.0)
    came = drawn.during(1999.9, 0.1, 1.0)[-1]
    assert MOST_WAITING / 8 < len(came.canary.labels) <= MOST_WAITING


def test_labels_that_never_come_leave_it_waiting() -> None:
    plan = Plan(Strategy.SHADOW, judge=LABELLED)
    assert run(plan, traffic(20, hours=0.2), Fault(unlabelled=True)).end is End.WAITING


def run(plan: Plan, at: Traffic, fault: Fault, seed: int = 0) -> Run:
    done = drive(plan, at, fault, np.random.default_rng(seed))
    assert done is not None
    return done


def test_a_shadow_is_promoted_or_sent_home_as_often_as_the_judge_is_known_to_need() -> None:
    """judge.md: a metric is proven after 900 pairs where 3 % differ and 5 % may; found after 415 where 10 % do."""
    plan, at = Plan(Strategy.SHADOW, judge=AGREEMENT), traffic(20)
    alike = [run(plan, at, Fault(differing=0.01), seed) for seed in range(30)]
    apart = [run(plan, at, Fault(differing=0.1), seed) for seed in range(30)]
    assert {one.end for one in alike} == {End.PROMOTED}
    assert {one.end for one in apart} == {End.STOPPED}
    assert 300 < median(one.requests for one in apart) < 600
    assert all(one.exposed_requests == 0 for one in (*alike, *apart))


def test_labels_decide_after_about_as_many_as_the_judge_is_known_to_need() -> None:
    """judge.md: accuracy .90 → .88 where the two differ in 5 %: 1,460 labels, less where labels alone are judged."""
    done = [run(Plan(Strategy.SHADOW, judge=LABELLED), traffic(100), Fault(labels_ratio=1.2), seed) for seed in range(25)]
    assert {one.end for one in done} <= {End.STOPPED, End.PROMOTED}
    stopped = [one.units for one in done if one.end is End.STOPPED]
    assert len(stopped) >= 20
    assert 700 < median(stopped) < 1800
