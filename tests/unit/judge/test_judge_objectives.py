"""A limit for the canary itself, whatever the baseline does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import JudgePolicy, Segments
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.explain import sentence
from lockgate.stages.deliver.judge import begin, observe, report
from lockgate.stages.deliver.judge.evidence import harm_evidence
from lockgate.stages.deliver.judge.margins import harm_shares
from lockgate.stats.absolute import log_e_above
from lockgate.stats.combine import log_mean, log_weighted_sum
from lockgate.stats.odds import log_growth
from tests.unit.judge.test_judge_guarantees import ALPHA, at_most, blocks
from tests.unit.judge.traffic import ERRORS, Users, requests, until_verdict

LIMITED = replace(ERRORS, objectives={"errors": 0.02})


@pytest.mark.parametrize("weight", [0.01, 0.1, 0.5])
def test_both_arms_failing_alike_break_the_objective_at_any_weight(weight: float) -> None:
    said, _ = until_verdict(begin(LIMITED, (weight,)), requests(weight, 0.2, 0.2, ticks=400))
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("objective.errors",))
    assert sentence(said).startswith("The canary does harm: errors ")
    assert sentence(said).endswith(", 2.00 % is the limit.")


def test_a_canary_below_the_limit_is_no_harm_by_it() -> None:
    said, state = until_verdict(begin(LIMITED, (0.5,)), requests(0.5, 0.005, 0.005, ticks=800))
    assert said.verdict is JudgeVerdict.SAFE
    assert harm_evidence(state)["objective.errors"] < 0


def test_a_canary_at_the_limit_is_called_harmful_with_at_most_alpha() -> None:
    weights = [0.05] * 40 + [0.25] * 40
    own, canary, baseline = blocks(weights, (0.05, 0.05), runs=2000, size=100, seed=4)
    relative = log_mean(log_growth(np.array(weights), canary + baseline, canary).cumsum(axis=1))
    objective = log_e_above(own.cumsum(axis=1), canary.cumsum(axis=1), 0.05)
    shares = harm_shares(replace(ERRORS, objectives={"errors": 0.05}))
    total = log_weighted_sum(np.stack([relative, objective], axis=-1), list(shares.values()))
    assert (total >= -np.log(ALPHA)).any(axis=1).mean() <= at_most(ALPHA, 2000)


def test_with_a_sticky_unit_the_limit_is_one_on_units() -> None:
    """A tenth of the users fails within the first two requests; one of them who fails a thousand times more changes nothing."""
    policy = replace(LIMITED, requests_per_unit=2)
    state = begin(policy, (0.5,), sticky=True)
    records = tuple((user, int(user % 10 == 0)) for user in range(400) for _ in range(2))
    state = observe(state, Observation(0.5, ArmObservation(800, 80, units=records), ArmObservation()))
    before = harm_evidence(state)["objective.errors"]
    assert before == pytest.approx(float(log_e_above(400, 40, 0.02)))
    again = ArmObservation(1000, 1000, units=((0, 1),) * 1000)
    assert harm_evidence(observe(state, Observation(0.5, again, ArmObservation())))["objective.errors"] == before


def test_sticky_users_at_the_limit_are_called_harmful_with_at_most_alpha() -> None:
    """Each user fails within two requests with the probability of the limit; looked at after every block."""
    limit, runs, harmed = 0.1, 200, 0
    policy = replace(ERRORS, objectives={"errors": limit}, requests_per_unit=2)
    risk = np.full(400, 1 - np.sqrt(1 - limit))
    for run in range(runs):
        users, state = Users(risk, risk, np.random.default_rng(run)), begin(policy, (0.5,), sticky=True)
        largest = -np.inf
        for _ in range(12):
            state = observe(state, users.tick(0.5, 100))
            tally = state.tallies["errors"]
            largest = max(largest, float(log_e_above(tally.canary_trials, tally.canary_events, limit)))
        harmed += largest >= -np.log(ALPHA)
    assert harmed / runs <= at_most(ALPHA, runs)


def test_labels_may_have_a_limit_of_their_own() -> None:
    policy = JudgePolicy(metrics=("errors", "labels"), objectives={"labels": 0.1})
    labels = [tuple((key, int(key % 2 == 0)) for key in range(start, start + 200)) for start in (0, 200)]
    state = observe(begin(policy, (0.5,)), Observation(0.5, *(ArmObservation(labels=arm) for arm in labels)))
    said = report(state, 0)
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("objective.labels",))


policies = st.builds(
    JudgePolicy,
    metrics=st.lists(st.sampled_from(("errors", "latency", "labels")), min_size=1, unique=True).map(tuple),
    objectives=st.dictionaries(st.sampled_from(("errors", "labels")), st.just(0.1)),
    segments=st.none() | st.integers(1, 5).map(lambda n: Segments("field:x", tuple(map(str, range(n))))),
)


@given(policies)
def test_the_shares_of_alpha_add_up_to_one_and_stand_to_each_other_as_declared(policy: JudgePolicy) -> None:
    shares = harm_shares(policy)
    assert sum(shares.values()) == pytest.approx(1.0)
    declared = {"errors": 0.4, "latency": 0.2, "labels": 0.2, "objective": 0.1, "segment": 0.1}
    groups: dict[str, float] = {}
    for name, share in shares.items():
        group = name.partition(".")[0]
        groups[group] = groups.get(group, 0.0) + share
    ratios = [share / declared[group] for group, share in groups.items()]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
