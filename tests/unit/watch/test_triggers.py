"""The brakes of retraining: each holds when it should, and says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.findings import TriggerDecision
from lockgate.stages.watch.spec import RetrainSpec
from lockgate.stages.watch.triggers import History, Retraining, decide
from lockgate.testing.clock import START

SPEC = RetrainSpec.model_validate({"cooldown": "1d", "min_new_labels": 100, "budget": "3 per week"})
DAY = timedelta(days=1)


def ago(days: float, finding: str = "other", *, succeeded: bool | None = True) -> Retraining:
    return Retraining(finding, START - days * DAY, succeeded)


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        (History(new_labels=99), "99 new labels, 100 needed"),
        (History((ago(0.5),), new_labels=100), "cooldown of 1d until 2026-01-05T21:00:00+00:00"),
        (History((ago(2), ago(3), ago(4)), new_labels=100), "3 of 3 retrainings in 7 days, 0:00:00 are spent"),
        (History(open_job="job-1", new_labels=100), "job-1 is not over"),
        (History(underway="version 4 is progressing", new_labels=100), "version 4 is progressing"),
        (History(failures=3, new_labels=100), "the last 3 runs made no version; a run that makes one closes the circuit"),
    ],
)
def test_a_brake_holds_and_says_why(history: History, reason: str) -> None:
    (choice,) = decide("finding-1", ["retrain"], SPEC, history, START)
    assert (choice.decision, choice.reason) == (TriggerDecision.SUPPRESSED, reason)


@pytest.mark.parametrize(
    "history",
    [
        History(new_labels=100),
        History((ago(1),), new_labels=100),
        History((ago(2), ago(3), ago(7)), new_labels=100),
        History((ago(1, "finding-1", succeeded=False),), failures=1, new_labels=100),
    ],
)
def test_without_a_brake_it_fires(history: History) -> None:
    (choice,) = decide("finding-1", ["retrain"], SPEC, history, START)
    assert choice.decision is TriggerDecision.FIRED


@pytest.mark.parametrize("succeeded", [True, None])
def test_a_finding_that_has_its_retraining_is_not_asked_about_again(succeeded: bool | None) -> None:  # noqa: FBT001
    history = History((ago(5, "finding-1", succeeded=succeeded),), new_labels=1000)
    assert decide("finding-1", ["retrain"], SPEC, history, START) == ()


def test_telling_people_has_no_brakes_and_an_action_named_twice_is_one() -> None:
    choices = decide("finding-1", ["notify", "notify", "retrain"], SPEC, History(failures=9), START)
    assert [(one.action, one.decision.value) for one in choices] == [("notify", "fired"), ("retrain", "suppressed")]


def test_a_budget_of_nothing_suppresses_all() -> None:
    spec = SPEC.model_copy(update={"budget": replace(SPEC.budget, count=0)})
    (choice,) = decide("finding-1", ["retrain"], spec, History(new_labels=100), START)
    assert choice.reason == "0 of 0 retrainings in 7 days, 0:00:00 are spent"


@given(st.lists(st.booleans(), min_size=20, max_size=200), st.floats(0.05, 1))
def test_however_findings_come_there_is_one_retraining_in_a_cooldown_and_no_more_than_the_budget(
    asked: list[bool], step: float
) -> None:
    fired: list[Retraining] = []
    for i, finding in enumerate(asked):
        now = START + i * step * DAY
        history = History(tuple(reversed(fired)), new_labels=1000)
        for choice in decide(f"finding-{i}", ["retrain"], SPEC, history, now) if finding else ():
            assert choice.reason
            fired += [Retraining(f"finding-{i}", now, succeeded=True)] if choice.decision is TriggerDecision.FIRED else []
    times = [one.at for one in fired]
    assert all(later - earlier >= DAY for earlier, later in pairwise(times))
    assert all(later - earlier >= 7 * DAY for earlier, later in zip(times, times[3:], strict=False))
