"""Shadows: paired with the answer that was given, never waited for, shed before they cost anybody anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature, Tensor
from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable, Shadow
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.gateway.attempt import Attempt, prepare
from lockgate.serving.gateway.attempt import Outcome as Answered
from lockgate.serving.gateway.package import Engine, Package, package_of
from lockgate.serving.gateway.plan import Packages, Plan, make_plan
from lockgate.serving.gateway.shadows import FLOOR, Allowance, Pair, Shadows
from lockgate.serving.isolation.shadow import Outcome
from lockgate.serving.protocol.problems import Answer
from lockgate.serving.protocol.requests import parse
from lockgate.testing.clock import VirtualClock

REVISION = Revision(1, 1)
BODY = b'{"instances": [{"distance": 4.0}]}'


class Line:
    """A shadow's process, as far as the gateway sees it."""

    def __init__(self, room: int) -> None:
        self.offered: list[str] = []
        self.room = room

    def offer(self, request_id: str, rows: int, packed: bytes) -> bool:
        assert (rows, bool(packed)) == (1, True)
        if len(self.offered) >= self.room:
            return False
        self.offered.append(request_id)
        return True


def package(digest: str, engine: Engine, column: str = "distance") -> Package:
    signature = Signature((Tensor(column, "FP32", (-1, 1)),), (Tensor("score", "FP32", (-1, 1)),), "score")
    lineage = Lineage("run-1", None, dirty=False, author="anna", data={}, params={})
    return package_of(digest, Manifest("m", "onnx", (), signature, Golden({}, [], 0.0), lineage), engine)


class Stage:
    def __init__(self, told: Shadow, *, room: int = 1000, column: str = "distance") -> None:
        self.clock, self.line, self.kept = VirtualClock(), Line(room), list[tuple[Any, ...]]()
        self.ledger = Ledger("worker-1", "gw-1", Figures(), 0.0)
        self.shadows = Shadows(self.ledger, self.clock, self._keep)
        route = Route("m", (Arm(1, "a", Role.CHAMPION, 1.0),), shadows=(told,), timeout=2.0)
        packages = Packages({"a": package("a", Engine())}, {"s": package("s", Engine(shadow=self.line), column)})
        table = RouteTable(REVISION, (route,))

        def new_tally(route: Route, arm: Arm | Shadow, *, assigned: bool, segment: str = "") -> Any:
            return self.ledger.tally(REVISION, route, arm, assigned=assigned, segment=segment)

        self.plan = make_plan(table, packages, Plan(), new_tally).routes["m"]

    def _keep(self, pair: Pair, at: float, scores: Sequence[float], failure: str | None) -> None:
        self.kept.append((pair.prediction_id, list(scores), failure))

    def answered(self, score: float = 0.4, times: int = 1) -> None:
        """Requests that the champion answered."""
        for number in range(times):
            attempt = prepare(self.plan, None, lambda _: None, parse(BODY))
            assert not isinstance(attempt, Answer)
            self.offer(attempt, score, f"id-{number}")

    def offer(self, attempt: Attempt, score: float, prediction_id: str) -> None:
        self.shadows.offer(attempt, Answered(0.001, (), [score]), prediction_id)

    def took(self, request_id: str, *scores: float, failure: str | None = None, message: str = "") -> None:
        self.shadows.took([Outcome(request_id, 0.002, scores, failure, message)])

    def cell(self) -> Any:
        cut = self.ledger.cut(1.0)
        assert cut is not None
        closed = self.ledger.close(cut)
        self.ledger.show(closed)
        self.ledger.settle(closed)
        return next((cell for cell in closed.block.cells if cell.shadow), None)

    @property
    def shed(self) -> int:
        return self.ledger.figures.totals.get("shadows_shed", 0)


def test_answers_are_paired_and_agreement_is_counted() -> None:
    stage = Stage(Shadow(2, "s", threshold=0.5))
    stage.answered(0.4, times=3)
    first, second, third = stage.line.offered
    stage.took(second, 0.45)
    stage.took(first, 0.6)
    stage.took(third, failure="error", message="it raised")
    cell = stage.cell()
    assert (cell.version, cell.completed, cell.agreed, cell.disagreed, cell.failures) == (2, 3, 1, 1, {"error": 1})
    assert stage.kept == [("id-1", [0.45], None), ("id-0", [0.6], None), ("id-2", [], "error: it raised")]


def test_without_a_threshold_scores_agree_when_they_are_close() -> None:
    stage = Stage(Shadow(2, "s", tolerance=0.01))
    stage.answered(0.4, times=2)
    first, second = stage.line.offered
    stage.took(first, 0.405)
    stage.took(second, 0.42)
    cell = stage.cell()
    assert (cell.agreed, cell.disagreed) == (1, 1)


def test_what_finds_no_room_is_shed_counted_and_no_failure() -> None:
    stage = Stage(Shadow(2, "s"), room=3)
    stage.answered(times=5)
    assert len(stage.line.offered) == 3
    assert stage.shed == 2
    for number in stage.line.offered:
        stage.took(number, 0.4)
    assert stage.cell().completed == 3


def test_the_share_is_of_units_and_grows_without_a_flip() -> None:
    small, large = Stage(Shadow(2, "s", share=0.2)), Stage(Shadow(2, "s", share=0.6))
    asked: dict[int, list[bool]] = {}
    for stage in (small, large):
        for key in range(0, 2**64, 2**57):
            attempt = prepare(stage.plan, None, lambda _: None, parse(BODY))
            assert not isinstance(attempt, Answer)
            attempt.assignment = attempt.assignment._replace(key=key)
            before = len(stage.line.offered)
            stage.offer(attempt, 0.4, "id")
            asked.setdefault(key, []).append(len(stage.line.offered) > before)
    assert sum(before for before, _ in asked.values()) == pytest.approx(0.2 * len(asked), abs=1)
    assert sum(after for _, after in asked.values()) == pytest.approx(0.6 * len(asked), abs=1)
    assert all(after for before, after in asked.values() if before)


def test_what_only_the_shadow_refuses_is_its_failure() -> None:
    stage = Stage(Shadow(2, "s"), column="distance_km")
    stage.answered()
    assert stage.line.offered == []
    assert stage.cell().failures == {"signature": 1}


def test_at_saturation_shadows_get_a_twentieth_of_the_loop_and_below_it_what_is_to_spare() -> None:
    def asked(busy_of_others: float, *, crowded: bool = False, elsewhere: float = 0.0) -> int:
        allowance, total, cost = Allowance(), 0, 0.0001
        for _ in range(40):  # a quarter of a second each
            taken = sum(allowance.take() for _ in range(5000))
            allowance.spent(taken * cost)
            for _ in range(taken):
                allowance.computed(elsewhere)
            allowance.refill(min(1.0, busy_of_others + taken * cost / 0.25), 0.25, crowded=crowded)
            total += taken
        return total

    assert asked(1.0) * 0.0001 / 10 == pytest.approx(FLOOR, rel=0.2)
    assert asked(0.5) * 0.0001 / 10 == pytest.approx(0.4, rel=0.2)
    assert asked(0.5, crowded=True) * 0.0001 / 10 == pytest.approx(FLOOR, rel=0.2), "others keep the machine busy"
    with_what_it_computes = asked(0.5, crowded=True, elsewhere=0.0009) * 0.001 / 10
    assert with_what_it_computes == pytest.approx(FLOOR, rel=0.5)  # the first guess of an offer's cost was too low
    assert asked(0.5, elsewhere=0.0009) == asked(0.5), "while there is room it may compute elsewhere"


def test_what_offers_of_one_batch_took_together_is_no_debt_for_hours() -> None:
    allowance = Allowance()
    allowance.refill(1.0, 0.25, crowded=True)
    for _ in range(32):
        allowance.computed(1.0)  # each tells of the whole run
    for _ in range(10):
        allowance.refill(0.1, 0.25)
    assert allowance.take()


def test_callers_who_came_together_are_answered_before_a_shadow_is_asked() -> None:
    stage = Stage(Shadow(2, "s"))
    attempt = prepare(stage.plan, None, lambda _: None, parse(BODY))
    assert isinstance(attempt, Attempt)

    async def both() -> tuple[int, int]:
        stage.shadows.answered(attempt, Answered(0.001, (), [0.4]), "id")
        at_once = len(stage.line.offered)
        await asyncio.sleep(0.02)
        return at_once, len(stage.line.offered)

    assert asyncio.run(both()) == (0, 1)
