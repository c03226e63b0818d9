"""Requests told apart by a declared value: whose evidence is counted where, whoever answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature, Tensor
from lockgate.boundary.observations import Cell
from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable, Rule, Segmentation, Shadow
from lockgate.kernel.errors import Invalid
from lockgate.serving.capture.figures import Figures, exposition
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.tally import Tally
from lockgate.serving.control.tables import decode
from lockgate.serving.gateway.attempt import Attempt, Outcome, fall_back, prepare
from lockgate.serving.gateway.package import Engine, Package, package_of
from lockgate.serving.gateway.plan import Packages, Plan, RoutePlan, make_plan
from lockgate.serving.gateway.shadows import Pair, Shadows
from lockgate.serving.isolation import shadow as isolation
from lockgate.serving.protocol.requests import parse
from lockgate.testing.clock import VirtualClock
from tests.unit.serving.capture import block_of, told

REVISION = Revision(1, 1)
TIERS = Segmentation("header:X-Tier", ("gold", "lead"))
WEEKEND = Segmentation("field:weekend", ("true", "7"))


class Line:
    """A shadow's process with room for all."""

    def __init__(self) -> None:
        self.offered: list[str] = []

    def offer(self, request_id: str, rows: int, packed: bytes) -> bool:
        assert rows == 1
        assert packed
        self.offered.append(request_id)
        return True


def package(digest: str, engine: Engine) -> Package:
    signature = Signature((Tensor("weekend", "FP32", (-1, 1)),), (Tensor("score", "FP32", (-1, 1)),), "score")
    lineage = Lineage("run-1", None, dirty=False, author="anna", data={}, params={})
    return package_of(digest, Manifest("m", "onnx", (), signature, Golden({}, [], 0.0), lineage), engine)


class Stage:
    """A route with a canary that everybody meets who has a user, as one worker counts it."""

    def __init__(self, segments: Segmentation | None, **declared: Any) -> None:
        arms = Arm(2, "b", Role.CANARY, 1.0), Arm(1, "a", Role.CHAMPION, 0.0)
        route = Route("m", arms, "salt", "header:x-user", "r", segments=segments, **declared)
        packages = Packages({one: package(one, Engine()) for one in "ab"}, {"s": package("s", Engine(shadow=Line()))})
        self.ledger = Ledger("w", "i", Figures(), 0.0)
        self.plan: RoutePlan = make_plan(RouteTable(REVISION, (route,)), packages, Plan(), self._tally).routes["m"]

    def _tally(self, route: Route, arm: Arm | Shadow, *, assigned: bool, segment: str = "") -> Tally:
        return self.ledger.tally(REVISION, route, arm, assigned=assigned, segment=segment)

    def ask(self, body: bytes = b'{"instances": [{"weekend": 1.0}]}', **headers: str) -> Attempt:
        attempt = prepare(self.plan, None, lambda name: headers.get(name.replace("-", "_")), parse(body))
        assert isinstance(attempt, Attempt)
        return attempt

    def answer(self, attempt: Attempt) -> None:
        self.ledger.succeed(self.ledger.admit(attempt.tally, attempt.assignment.key), 0.01, 1.0)

    def cells(self) -> list[Cell]:
        return list(block_of(told(self.ledger)).cells)


def segment(stage: Stage, body: bytes) -> str:
    return stage.ask(body).assignment.segment


def test_no_cell_spans_two_segments_and_the_figures_know_of_none() -> None:
    stage = Stage(TIERS)
    for number, tier in enumerate(("gold", "lead", "tin", "gold", "", "Gold")):
        stage.answer(stage.ask(x_user=f"u{number}", x_tier=tier))
    stage.answer(stage.ask(x_user="u9"))
    cells = stage.cells()
    assert {(cell.version, cell.segment): cell.completed for cell in cells} == {(2, "gold"): 2, (2, "lead"): 1, (2, ""): 4}
    assert 'lockgate_requests_total{model="m",version="2"} 7' in exposition(stage.ledger.figures)


def test_a_route_that_declares_no_segments_has_one_cell_for_each_arm() -> None:
    stage = Stage(None)
    for tier in ("gold", "lead"):
        stage.answer(stage.ask(x_user=tier, x_tier=tier))
    assert [(cell.segment, cell.completed) for cell in stage.cells()] == [("", 2)]


def test_a_field_says_the_segment_if_it_has_one_value_in_all_rows_spelled_as_json_spells_it() -> None:
    """As rules read it: the same spelling, the same silence where rows differ."""
    stage = Stage(WEEKEND)
    assert segment(stage, b'{"instances": [{"weekend": 7}, {"weekend": 7}]}') == "7"
    assert segment(stage, b'{"instances": [{"weekend": 7}, {"weekend": 8}]}') == ""
    assert segment(stage, b'{"instances": [{"weekend": 8}]}') == ""
    flags = b'{"inputs": [{"name": "weekend", "shape": [2, 1], "datatype": "FP32", "data": [7, 7]}]}'
    assert segment(stage, flags) == "7"


def test_what_is_no_evidence_is_in_no_segments_cell() -> None:
    """Without its unit, by a rule, by its number, in another one's place."""
    stage = Stage(TIERS, rules=(Rule(2, ("yes",), header="x-preview"),))
    stage.answer(stage.ask(x_tier="gold"))
    stage.answer(stage.ask(x_tier="gold", x_user="u", x_preview="yes"))
    named = prepare(stage.plan, 2, lambda _: "gold", parse(b'{"instances": [{"weekend": 1.0}]}'))
    assert isinstance(named, Attempt)
    stage.answer(named)
    failed = stage.ask(x_tier="gold", x_user="u")
    stage.ledger.fail(stage.ledger.admit(failed.tally, 1), "error", 1.0)
    instead = fall_back(failed)
    assert instead is not None
    stage.answer(instead)
    (cell,) = stage.cells()
    assert (cell.version, cell.segment, cell.completed, cell.failures) == (2, "gold", 1, {"error": 1})


def test_a_shadows_answers_are_told_in_the_segment_of_the_request_whoever_answered_it() -> None:
    stage = Stage(TIERS, shadows=(Shadow(3, "s"),))
    shadows = Shadows(stage.ledger, VirtualClock(), _forget)
    first = stage.ask(x_tier="gold", x_user="u")
    instead = fall_back(stage.ask(x_tier="lead", x_user="u"))
    assert instead is not None
    for attempt in (first, instead, stage.ask(x_tier="gold"), stage.ask(x_user="u")):
        shadows.offer(attempt, Outcome(0.001, (), [0.4]), "id")
    shadows.took([isolation.Outcome(str(number), 0.002, (0.4,), None, "") for number in (1, 2, 3, 4)])
    assert {cell.segment: (cell.shadow, cell.agreed) for cell in stage.cells()} == {
        "gold": (True, 2),
        "lead": (True, 1),
        "": (True, 1),
    }


def _forget(pair: Pair, at: float, scores: Sequence[float], failure: str | None) -> None:
    """Records are no part of this."""


def test_a_stand_in_of_an_earlier_table_counts_by_what_that_table_declared() -> None:
    """The new champion is not loaded, and has no share: what comes without a unit is answered by the one before."""
    before = Plan(routes={"m": Stage(None).plan})
    alone = Stage(TIERS)
    arms = Arm(3, "b", Role.CANARY, 1.0), Arm(4, "not there", Role.CHAMPION, 0.0)
    route = Route("m", arms, unit="header:x-user", segments=TIERS)
    packages = Packages({"b": package("b", Engine())}, {})
    plan = make_plan(RouteTable(Revision(1, 2), (route,)), packages, before, alone._tally).routes["m"]
    attempt = prepare(plan, None, {"x-tier": "gold"}.get, parse(b'{"instances": [{"weekend": 1.0}]}'))
    assert isinstance(attempt, Attempt)
    assert (attempt.arm.version, attempt.assignment.judged, attempt.tally.segment) == (1, True, "")


@pytest.mark.parametrize(
    ("segments", "complaint"),
    [
        ({"by": "cookie:tier", "values": ["gold"]}, "segments by 'cookie:tier' found, header:NAME or field:NAME expected"),
        ({"by": "header:", "values": ["gold"]}, "segments by 'header:' found"),
        ({"by": "header:tier", "values": []}, "0 segments found, 1 to 64 expected"),
        ({"by": "header:tier", "values": [str(n) for n in range(65)]}, "65 segments found, 1 to 64 expected"),
        ({"by": "header:tier", "values": ["gold", ""]}, 'segment "" found, a value expected'),
        ({"by": "header:tier", "values": ["a", "b", "a"]}, "segments a, b, a found, each at most once expected"),
        ({"by": "header:tier"}, "missing required field `values`"),
        ({"by": "header:tier", "values": ["gold"], "default": "lead"}, "unknown field `default`"),
    ],
)
def test_segments_that_mean_nothing_are_refused_with_their_place(segments: dict[str, object], complaint: str) -> None:
    table = {"routes": [{"model": "m", "arms": [], "segments": segments}]}
    with pytest.raises(Invalid) as refused:
        decode(msgspec.json.encode(table))
    assert complaint in refused.value.message
    assert "$.routes[0].segments" in refused.value.message


def test_segments_survive_the_way_from_the_control_plane_to_the_data_plane() -> None:
    table = RouteTable(REVISION, (Route("m", (), segments=Segmentation("field:tier", tuple(map(str, range(64))))),))
    assert decode(msgspec.json.encode(table)) == table
