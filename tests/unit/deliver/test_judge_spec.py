"""What a project file says of the judge, and what it may not say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.rollouts import JudgePolicy, Predictions, Segments
from lockgate.stages.deliver.environment_spec import EnvironmentSpec
from lockgate.stages.deliver.judge import begin
from lockgate.stages.deliver.judge_spec import JudgeSpec
from lockgate.stages.deliver.production_spec import ProductionSpec
from lockgate.stages.fields import FROM_FILE

CANARY: dict[str, Any] = {"strategy": "canary", "steps": ["5%", "50%"]}


def policy(**said: Any) -> JudgePolicy:
    return JudgeSpec.model_validate(said, context=FROM_FILE).policy()


def refused(spec: type[EnvironmentSpec | JudgeSpec], said: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as error:
        spec.model_validate(said, context=FROM_FILE)
    return str(error.value)


def test_what_is_not_said_is_the_policys_default() -> None:
    assert policy() == JudgePolicy()


def test_every_key_means_what_it_says() -> None:
    said = policy(
        metrics=["errors", "labels"],
        labels={"event": "missed", "threshold": 0.5},
        objectives={"errors": "2%", "labels": "10%"},
        segments={"by": "field:carrier", "values": ["AA", 7, True], "min_units": 50},
        predictions={"alpha": 0.05, "ratio": 2},
        router_alpha=0.01,
    )
    assert said.objectives == {"errors": 0.02, "labels": 0.1}
    assert said.segments == Segments("field:carrier", ("AA", "7", "true"), 50)
    assert said.predictions == Predictions(0.05, 2.0)
    assert said.router_alpha == 0.01
    begin(said, (0.5,))


def test_a_regressor_is_judged_by_how_far_it_is_off() -> None:
    assert policy(labels={"event": "off", "threshold": 5}).label_event == LabelEvent("off", 5.0)
    assert policy(labels={"event": "missed", "threshold": -5}).label_event == LabelEvent("missed", -5.0)


def test_the_judge_waits_for_what_is_in_flight_as_long_as_an_answer_may_take() -> None:
    plans = [
        ProductionSpec.model_validate(CANARY | said, context=FROM_FILE).environment().plan for said in ({}, {"timeout": "2m"})
    ]
    assert [plan.judge.settled for plan in plans] == [JudgePolicy().settled, 125.0]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"objectives": {"errors": "0%"}}, "greater than 0"),
        ({"objectives": {"errors": "100%"}}, "less than 1"),
        ({"objectives": {"latency": "1%"}}, "'errors' or 'labels'"),
        ({"objectives": {"labels": "1%"}}, "labels found, which `metrics` does not name"),
        ({"segments": {"by": "request", "values": ["a"]}}, "header:NAME or field:NAME expected"),
        ({"segments": {"by": "carrier", "values": ["a"]}}, "header:NAME or field:NAME expected"),
        ({"segments": {"by": "field:carrier", "values": []}}, "at least 1 item"),
        ({"segments": {"by": "field:carrier", "values": ["a", "a"]}}, "each at most once expected"),
        ({"segments": {"by": "field:carrier", "values": [str(n) for n in range(65)]}}, "at most 64 items"),
        (
            {"segments": {"by": "field:carrier", "values": ["a"]}, "metrics": ["latency"]},
            "errors or labels among the metrics expected",
        ),
        ({"predictions": {"ratio": 0.5}}, "greater than or equal to 1"),
        ({"router_alpha": 1.0}, "less than 1"),
        ({"labels": {"event": "off", "threshold": -1}}, "event off: `threshold` of 0 or more expected"),
        ({"labels": {"event": "of", "threshold": 1}}, "'wrong' or 'off'"),
    ],
)
def test_what_makes_no_test_is_refused_with_what_was_expected(said: dict[str, Any], expected: str) -> None:
    assert expected in refused(JudgeSpec, said)


def test_predictions_are_compared_by_request_only() -> None:
    told = refused(EnvironmentSpec, CANARY | {"unit": "header:x-user", "judge": {"predictions": {}}})
    assert "unit request expected" in told
