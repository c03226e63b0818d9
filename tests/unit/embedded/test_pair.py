"""Two versions in one program: who meets which, who stands in, and what is told of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lockgate.boundary.reports import Report
from lockgate.boundary.routes import Arm, OnFailure, Revision, Role, Route
from lockgate.boundary.selector import choose, unit_key
from lockgate.embedded.failures import RuntimeFailure
from lockgate.embedded.package import Signature, Tensor
from lockgate.embedded.pair import Pair
from lockgate.embedded.reported import report_to
from lockgate.embedded.reporter import Reporter
from lockgate.embedded.sending import Sent
from lockgate.kernel.errors import Invalid, InvalidInput, LockgateError
from lockgate.testing.clock import VirtualClock

BOTH = (Arm(2, "2", Role.CANARY, 0.5), Arm(1, "1", Role.CHAMPION, 0.5))
ROUTE = Route("m", BOTH, salt="s", unit="header:x-user", rollout="r")


class Model:
    """Answers with its version; `error` is raised instead."""

    signature: Any = Signature((Tensor("x", "FP32", (-1,)),), (Tensor("y", "FP32", (-1,)),), "y")

    def __init__(self, version: int, error: LockgateError | None = None, name: str = "m") -> None:
        self.version, self.name, self.error = version, name, error

    def predict(self, rows: Any) -> Any:
        if self.error is not None:
            raise self.error
        return float(self.version) if isinstance(rows, dict) else [float(self.version)] * len(rows)


class Told:
    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.options: dict[str, Any] = {"every": 3600.0, "clock": VirtualClock(), "send": self._take, "host": "h"}
        self.reporter = Reporter("https://x", "t", "m", **self.options)

    def _take(self, body: bytes, _patience: float) -> Sent:
        self.reports.append(msgspec.json.decode(body, type=Report))
        return Sent.TAKEN

    def cells(self) -> dict[tuple[int, str], tuple[int, dict[str, int]]]:
        """By version, and whether it is evidence."""
        self.reporter.close()
        parts = {"cells": self.reports[0].block.cells, "aside": self.reports[0].block.aside}
        return {(one.version, name): (one.completed, one.failures) for name, part in parts.items() for one in part}


def met(pair: Pair) -> list[int]:
    return [pair.answer({"x": 1.0}, f"user-{number}").version for number in range(200)]


def test_a_key_meets_the_version_that_the_gateway_would_give_it() -> None:
    pair = Pair([Model(1), Model(2)], ROUTE, (0, 3))
    expected = [BOTH[choose(unit_key("s", f"user-{number}"), (0.5, 0.5))].version for number in range(200)]
    assert met(pair) == expected
    assert pair.predict({"x": 1.0}, headers={"X-User": "user-0"}) == float(expected[0])
    assert pair.predict({"x": 1.0}) == 1.0  # nobody meets a canary at random


def test_the_champion_stands_in_and_the_failure_is_the_candidates() -> None:
    told = Told()
    pair = Pair([Model(1), Model(2, RuntimeFailure("no", kind="crashed"))], ROUTE, (0, 3), told.reporter)
    answers = [pair.answer({"x": 1.0}, f"user-{number}") for number in range(200)]
    assert {one.version for one in answers} == {1}
    stood_in = sum(one.fallback for one in answers)
    assert told.cells() == {
        (1, "cells"): (200 - stood_in, {}),
        (2, "cells"): (stood_in, {"crashed": stood_in}),
        (1, "aside"): (stood_in, {}),
    }


def test_who_may_not_stand_in_does_not() -> None:
    told = Told()
    strict = msgspec.structs.replace(
        ROUTE, on_failure=OnFailure.ERROR, arms=(Arm(2, "2", Role.CANARY, 1.0), Arm(1, "1", Role.CHAMPION))
    )
    pair = Pair([Model(1), Model(2, Invalid("no score"))], strict, (0, 3), told.reporter)
    with pytest.raises(Invalid, match="no score"):
        pair.predict({"x": 1.0}, "user")
    assert told.cells() == {(2, "cells"): (1, {"output": 1})}


def test_what_both_refuse_is_told_of_nobody() -> None:
    told = Told()
    refusal = InvalidInput("the row", [])
    pair = Pair([Model(1, refusal), Model(2, refusal)], ROUTE, (0, 3), told.reporter)
    for number in range(20):
        with pytest.raises(InvalidInput):
            pair.predict({"x": 1.0}, f"user-{number}")
    told.reporter.close()
    assert told.reports == []


def test_another_route_holds_for_whoever_asks_from_then_on() -> None:
    pair = Pair([Model(1), Model(2)], ROUTE, (0, 3))
    assert set(met(pair)) == {1, 2}
    pair.follow({"model": "m", "arms": [{"version": 2, "role": "champion", "weight": 1.0}]}, (0, 4))
    assert set(met(pair)) == {2}
    pair.follow(Route("m", (Arm(7, "7", Role.CHAMPION, 1.0),)), (0, 5))  # which is not here: the one before stands in
    assert set(met(pair)) == {2}


def test_a_weight_of_the_programs_own_is_met_and_is_no_evidence() -> None:
    told = Told()
    pair = Pair.split(Model(1), Model(2), 0.25, "salt", told.reporter)
    share = met(pair).count(2)
    assert 30 < share < 70
    assert told.cells() == {(2, "aside"): (share, {}), (1, "aside"): (200 - share, {})}


def test_models_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(Invalid, match="m, n found"):
        Pair([Model(1), Model(2, name="n")], ROUTE, (0, 3))
    with pytest.raises(Invalid, match="names none of the versions that are here: 5"):
        Pair([Model(5)], ROUTE, (0, 3))


def test_a_model_alone_reports_what_it_answers_and_what_it_is() -> None:
    told = Told()
    reported = report_to(Model(3), "https://x", "t", redact=("x",), **told.options)
    answer = reported.answer([{"x": 1.0}, {"x": 2.0}])
    assert (answer.version, answer.scores, len(answer.prediction_ids)) == (3, [3.0, 3.0], 2)
    reported.label(answer.prediction_ids[1], 1)
    reported.model.error = RuntimeFailure("no")  # type: ignore[attr-defined]
    with pytest.raises(RuntimeFailure):
        reported.predict({"x": 1.0})
    reported.reporter.close()
    (report,) = told.reports
    (cell,) = report.block.aside
    assert (cell.version, cell.completed, cell.failures, cell.revision) == (3, 2, {"error": 1}, Revision())
    assert [record.inputs for record in report.records] == [{"x": None}] * 2
    assert report.standing is not None
    assert (report.standing.channel, report.standing.running) == ("m", 3)
    assert [label.prediction_id for label in report.block.feedback] == [answer.prediction_ids[1]]
