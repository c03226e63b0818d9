"""What a subscriber reports is evidence: its units are the plan's."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest

from lockgate.boundary.pointers import Pointer
from lockgate.boundary.reports import Report
from lockgate.boundary.routes import Revision, RouteTable
from lockgate.client import Subscriber
from lockgate.client.answering import Answering, Observed
from lockgate.client.reporting import Observing, Reporting
from lockgate.domain.rollouts import JudgePolicy, Phase, Rollout
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.embedded.failures import RuntimeFailure
from lockgate.embedded.model import Model
from lockgate.embedded.reporter import SUBSCRIBER, Reporter
from lockgate.embedded.sending import Sent
from lockgate.kernel.errors import Invalid, InvalidInput
from lockgate.stages.deliver.judge import JudgeState
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.records import MemoryRecords
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.publish_routes import route_table
from lockgate.usecases.take_report import HOME, Teller, take_report
from lockgate.usecases.world import World
from tests.journeys.one_traffic import MODEL, Scripted, Traffic, acknowledge, begun
from tests.samples.followed import House
from tests.unit.client.following import until

ROW = {"index": 1, "distance": 1.0}


def ask(answering: Answering, index: int, key: str | None) -> None:
    with suppress(RuntimeFailure):  # now and then it raises, by the script
        answering.predict({**ROW, "index": index}, key, {})


class Fleet:
    """A canary of version 2 under way at a fifth of the units, and programs that report."""

    def __init__(self, unit: str = "header:x-user-id") -> None:
        self.clock = VirtualClock()
        self.world = World(MemoryState(), MemoryArtifacts(), self.clock)
        self.rollout = begun(self.world, JudgePolicy(metrics=("errors",), requests_per_unit=3), unit).id
        self.judges = Judges()
        self.reports: list[Report] = []
        self.turn()

    def turn(self) -> None:
        acknowledge(self.world)
        advance_rollouts(self.world, self.judges)

    @property
    def now(self) -> Rollout:
        with self.world.state.read() as tx:
            return rollout_by(tx, self.rollout)

    @property
    def table(self) -> RouteTable:
        with self.world.state.read() as tx:
            return route_table(tx)

    def program(self, host: str, traffic: Traffic | None = None) -> tuple[Answering, Observing, Reporter]:
        route = self.table.route(MODEL)
        assert route is not None
        pointer = Pointer(f"{MODEL}@production", self.table.revision, route, (), 0.0)
        models = {one: cast("Model", Scripted(traffic or Traffic(), one, self.clock)) for one in (1, 2)}
        reporter = Reporter("https://x", "t", MODEL, kind=SUBSCRIBER, host=host, every=3600.0, clock=self.clock, send=self._take)
        observing = Observing(reporter)
        return Answering(pointer, models, host, observing), observing, reporter

    def _take(self, body: bytes, _patience: float) -> Sent:
        told = msgspec.json.decode(body, type=Report)
        take_report(self.world, MemoryRecords(), Teller(HOME, lambda _model: True), told)
        self.reports.append(told)
        return Sent.TAKEN


def test_under_a_plan_by_request_each_is_drawn_anew_and_is_evidence() -> None:
    fleet = Fleet(unit="request")
    answering, observing, reporter = fleet.program("host-1")
    for number in range(100):
        ask(answering, number * 7, "one and the same")
    reporter.label(observing.ids[0], 1)
    reporter.close()
    fleet.turn()
    (told,) = fleet.reports
    assert {cell.version for cell in told.block.cells} == {1, 2}
    assert sum(cell.completed for cell in told.block.cells) == 100
    assert [cell.units for cell in told.block.cells] == [()] * 2
    assert [label.revision for label in told.block.feedback] == [answering.pointer.revision]
    with fleet.world.state.read() as tx:
        assert rollout_by(tx, fleet.rollout).rows > 0


@pytest.mark.parametrize(("unit", "key"), [("request", None), ("header:x-user-id", None), ("header:x-user-id", "user")])
def test_programs_alone_prove_a_harmful_candidate_by_each_unit(unit: str, key: str | None) -> None:
    """Of hosts some hundreds are needed where the host is the unit, and as many keys where keys are."""
    fleet = Fleet(unit)
    for number in range(800):
        answering, _, reporter = fleet.program(f"host-{number}", Traffic(failing=0.9))
        for index in range(5):
            ask(answering, number * 5 + index, key and f"{key}-{number}-{index}")
        reporter.close()
        if number % 20 == 0:
            fleet.turn()
        if fleet.now.ended_at:
            break
    assert (fleet.now.phase, fleet.now.verdict) == (Phase.ABORTED, JudgeVerdict.HARM)
    assert fleet.now.outcome is not None
    assert fleet.now.outcome.metrics == ("errors",)


def test_while_nothing_is_heard_of_the_channel_nobody_meets_a_canary_and_nothing_is_evidence() -> None:
    fleet = Fleet(unit="request")
    met, observing, reporter = fleet.program("host-1")
    alone = Answering(met.pointer, met.models, "host-1", observing, lambda: True)
    for index in range(50):
        ask(alone, index, None)
    reporter.close()
    (told,) = fleet.reports
    assert told.block.cells == ()
    assert {cell.version for cell in told.block.aside} == {1}


def test_records_tell_the_columns_of_an_array_by_the_models_inputs(tmp_path: Path) -> None:
    house, told = House(tmp_path / "home"), list[Observed]()
    house.publish(1, 1)
    subscriber = Subscriber(house.channel, house.folder, keys=house.key, folder=tmp_path / "kept", observer=told.append)
    with subscriber as model:
        model.predict(np.array([[4.0], [5.0]], dtype=np.float32))
    assert [one.columns for one in told] == [{"x": [4.0, 5.0]}]


def test_hosts_without_keys_are_units_and_the_router_is_not_blamed() -> None:
    """A busy host counts once: a few thousand requests of sixty hosts are sixty units."""
    fleet = Fleet()
    for number in range(60):
        answering, _, reporter = fleet.program(f"host-{number}", Traffic(failing=0.0))
        for index in range(400 if number % 20 == 0 else 20):
            ask(answering, index, None)
        reporter.close()
        fleet.turn()
    with fleet.world.state.read() as tx:
        rollout = rollout_by(tx, fleet.rollout)
        state = fleet.judges.state(tx, rollout)
    assert (rollout.phase, rollout.verdict) == (Phase.PROGRESSING, JudgeVerdict.WAIT)
    met = {cell.version for report in fleet.reports for cell in report.block.cells}
    assert met == {1, 2}
    units = [len({unit.key for unit in cell.units}) for report in fleet.reports for cell in report.block.cells]
    assert units == [1] * 60
    assert isinstance(state, JudgeState)
    assert state.requests >= 60 * 20
    assert 0 < state.exposed_units < 30


def test_rows_that_only_the_candidate_refuses_are_its_failure_and_rows_that_both_refuse_nobodys() -> None:
    fleet = Fleet()
    answering, _, reporter = fleet.program("host-1")
    answering.models[2] = cast("Model", _Picky(Traffic(failing=0.0), 2, fleet.clock))
    for number in range(40):
        answering.predict({**ROW, "index": 0, "distance": 5.0}, f"user-{number}", {})
        with pytest.raises(InvalidInput):
            answering.predict({**ROW, "distance": -1.0}, f"user-{number}", {})
    reporter.close()
    counted = {cell.version: (cell.completed, cell.failures) for cell in fleet.reports[0].block.cells}
    assert counted[2][1] == {"signature": counted[2][0]}
    assert counted[1][0] + counted[2][0] == 40


class _Picky(Scripted):
    def predict(self, rows: dict[str, float]) -> float:  # type: ignore[override]
        if rows["distance"] > 2:
            raise InvalidInput("the row", [])
        return super().predict(rows)


def test_an_answer_that_came_too_late_counts_as_a_failure() -> None:
    fleet = Fleet()
    answering, observing, reporter = fleet.program("host-1")

    def slowly(one: Observed) -> None:
        observing(replace(one, seconds=11.0))

    slow = Answering(answering.pointer, answering.models, "host-1", slowly)
    slow.predict(ROW, "user-1", {})
    reporter.close()
    (cell,) = fleet.reports[0].block.cells
    assert (cell.failures, cell.latency) == ({"timeout": 1}, {})
    assert observing.ids == ()


def test_a_subscriber_tells_how_it_stands_from_its_start(tmp_path: Path) -> None:
    house = House(tmp_path / "home")
    house.publish(3, 1)
    told: list[Report] = []

    def send(body: bytes, _patience: float) -> Sent:
        told.append(msgspec.json.decode(body, type=Report))
        return Sent.TAKEN

    subscriber = Subscriber(house.channel, house.folder, keys=house.key, folder=tmp_path / "kept", host="till/7 ü")
    with Reporting(subscriber, "https://x.example", "t", every=3600.0, send=send) as model:
        until(lambda: told, "the first report")
        assert model.predict({"x": 2.0}) == 2.0
        answer = model.answer({"x": 2.0}, "key")
        assert (answer.version, answer.scores, len(answer.prediction_ids)) == (1, 2.0, 1)
    first, last = told
    assert first.standing is not None
    assert (first.standing.channel, first.standing.host, first.block.worker) == (house.channel, "till-7--", "subscriber/till-7--")
    assert (first.standing.running, first.standing.ready, first.standing.revision) == (1, (1,), Revision(0, 3))
    assert [cell.completed for cell in last.block.cells] == [2]
    assert [record.inputs for record in last.records] == [{"x": [2.0]}] * 2


def test_a_token_must_not_travel_in_the_clear(tmp_path: Path) -> None:
    house = House(tmp_path / "home")
    subscriber = Subscriber(house.channel, house.folder, keys=house.key, folder=tmp_path / "kept")
    with pytest.raises(Invalid, match="unencrypted"):
        Reporting(subscriber, "http://lockgate.example", "t")
