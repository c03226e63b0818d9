"""The routing plan: what the table says, with what can answer here."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable, Rule, Segmentation, Shadow
from lockgate.boundary.selector import choose, unit_key
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.tally import Tally
from lockgate.serving.gateway.assignment import assign, unit_of_rows
from lockgate.serving.gateway.plan import Packages, Plan, RoutePlan, make_plan
from lockgate.serving.protocol.requests import InferenceRequest, parse
from tests.unit.serving.standing import package

REQUEST = parse(b'{"instances": [{"user": "u"}]}')


def new_tally(route: Route, arm: Arm | Shadow, *, assigned: bool, segment: str = "") -> Tally:
    return Tally(route.model, arm.version, Revision(1, 1), judged=assigned, segment=segment)


def plan_of(
    *arms: Arm,
    ready: str,
    unit: str = "header:X-User",
    rollout: str | None = "r",
    before: Plan | None = None,
    orphaned: bool = False,
) -> Plan:
    table = RouteTable(Revision(1, 1), (Route("m", arms, "salt", unit, rollout),))
    return make_plan(table, Packages({one: package(one) for one in ready}, {}), before or Plan(), new_tally, orphaned=orphaned)


def answering(plan: Plan, user: str | None, request: InferenceRequest = REQUEST) -> tuple[int, bool] | None:
    """(version, whether it is evidence)."""
    assignment = assign(plan.routes["m"], lambda _: user, request)
    return (assignment.arm.version, assignment.judged) if assignment else None


CANARY, CHAMPION = Arm(2, "c", Role.CANARY, 0.4), Arm(1, "b", Role.CHAMPION, 0.6)
RETAINED, PINNED = Arm(0, "r", Role.RETAINED), Arm(3, "p", Role.PINNED)


@given(st.text(min_size=1), st.floats(0.0, 1.0))
def test_the_arm_is_the_selectors(user: str, weight: float) -> None:
    arms = Arm(2, "c", Role.CANARY, weight), Arm(1, "b", Role.CHAMPION, 1.0 - weight)
    expected = choose(unit_key("salt", user), (weight, 1.0 - weight))
    assert answering(plan_of(*arms, ready="cb"), user) == (arms[expected].version, True)


@given(st.text(min_size=1))
def test_an_arm_that_is_not_ready_is_stood_in_for_and_nothing_is_evidence(user: str) -> None:
    plan = plan_of(CANARY, CHAMPION, ready="b")
    assert answering(plan, user) == (1, False)
    assert not plan.ready
    assert answering(plan_of(CANARY, CHAMPION, ready="bc", orphaned=True), user) == (1, False)


@pytest.mark.parametrize("user", [None, ""])
def test_without_its_unit_a_request_goes_to_the_champion(user: str | None) -> None:
    assert answering(plan_of(CANARY, CHAMPION, ready="bc"), user) == (1, False)
    alone = Arm(1, "b", Role.CHAMPION, 1.0)
    assert answering(plan_of(alone, ready="b", rollout=None), user) == (1, True)  # there is nothing to be assigned to
    full = Arm(2, "c", Role.CANARY, 1.0), Arm(1, "b", Role.CHAMPION, 0.0)
    assert answering(plan_of(*full, ready="bc"), user) == (1, False)  # even where all others meet the canary


def test_what_stands_in_for_a_champion_is_the_one_before_it_then_the_retained_then_the_canary() -> None:
    before = plan_of(Arm(7, "o", Role.CHAMPION, 1.0), ready="o")
    arms = CANARY, CHAMPION, RETAINED, PINNED
    assert _champion(plan_of(*arms, ready="crp", before=before)) == 7
    assert _champion(plan_of(*arms, ready="crp")) == 0
    assert _champion(plan_of(*arms, ready="cp")) == 2
    assert _champion(plan_of(*arms, ready="p")) is None
    assert answering(plan_of(*arms, ready="p"), "u") is None


def _champion(plan: Plan) -> int | None:
    champion = plan.routes["m"].champion
    return champion.version if champion else None


def test_a_model_in_staging_only_answers_to_its_version_and_to_nothing_else() -> None:
    plan = plan_of(PINNED, ready="p", rollout=None)
    assert answering(plan, "u") is None
    assert set(plan.routes["m"].by_version) == {3}
    assert plan.ready


def test_the_unit_of_several_rows_is_their_common_value() -> None:
    def unit(body: bytes) -> str | None:
        return unit_of_rows(parse(body), "user")

    assert unit(b'{"instances": [{"user": "u"}, {"user": "u"}]}') == "u"
    assert unit(b'{"instances": [{"user": 7}]}') == "7"
    assert unit(b'{"instances": [{"user": "u"}, {"user": "v"}]}') is None
    assert unit(b'{"instances": [{"user": "u"}, {}]}') is None
    assert unit(b'{"instances": [{"user": null}]}') is None
    assert unit(b'{"instances": [{"user": ["u"]}]}') is None
    for number in (b"7.0", b"7e0", b"7"):
        assert unit(b'{"instances": [{"user": %s}]}' % number) == "7"
    assert unit(b'{"inputs": [{"name": "user", "shape": [1, 1], "datatype": "FP32", "data": [7.0]}]}') == "7"
    assert [unit(b'{"instances": [{"user": %s}]}' % one) for one in (b"7.5", b"-0.0", b"1e300")] == ["7.5", "0", "1e+300"]
    column = b'{"inputs": [{"name": "%s", "shape": [2, 1], "datatype": "BYTES", "data": ["u", "u"]}]}'
    assert unit(column % b"user") == "u"
    assert unit(column % b"other") is None


def test_one_revision_has_one_tally_for_each_arm_however_often_it_is_planned(tmp_path: Path) -> None:
    ledger = Ledger("w", "i", Figures(), 0.0)

    def tally(route: Route, arm: Arm | Shadow, *, assigned: bool, segment: str = "") -> Tally:
        return ledger.tally(table.revision, route, arm, assigned=assigned, segment=segment)

    segments = Segmentation("header:x-tier", ("gold", "lead"))
    table = RouteTable(Revision(1, 1), (Route("m", (CANARY, CHAMPION), "salt", "header:x", "r", segments=segments),))
    packages = Packages({"b": package("b"), "c": package("c")}, {})
    first = make_plan(table, packages, Plan(), tally)
    second = make_plan(table, packages, first, tally)
    assert _tallies(first) == _tallies(second)
    assert len(set(_tallies(first))) == 2 * 4
    table = RouteTable(Revision(1, 2), table.routes)
    assert not set(_tallies(first)) & set(_tallies(make_plan(table, packages, second, tally)))


def _tallies(plan: Plan) -> list[int]:
    routes: list[RoutePlan] = list(plan.routes.values())
    arms = [arm for route in routes for arm in route.by_version.values()]
    return [id(tally) for arm in arms for tally in (arm.tally, arm.aside, *arm.by_segment.values())]


def ruled(*rules: Rule, ready: str = "bc") -> Plan:
    arms = Arm(2, "c", Role.PINNED), Arm(1, "b", Role.CHAMPION, 1.0)
    table = RouteTable(Revision(1, 1), (Route("m", arms, rules=rules),))
    return make_plan(table, Packages({one: package(one) for one in ready}, {}), Plan(), new_tally)


@pytest.mark.parametrize(("declared", "sent"), [("1", "1"), ("1", "1.0"), ("1", "1e0"), ("1.0", "1.0"), ("1.0", '"1.0"')])
def test_a_whole_number_is_found_though_it_came_as_a_float_and_a_text_as_it_is(declared: str, sent: str) -> None:
    arms = Arm(2, "c", Role.PINNED), Arm(1, "b", Role.CHAMPION, 1.0)
    segments = Segmentation("field:t", (declared,))
    table = RouteTable(Revision(1, 1), (Route("m", arms, segments=segments, rules=(Rule(2, (declared,), field="t"),)),))
    plan = make_plan(table, Packages({one: package(one) for one in "bc"}, {}), Plan(), new_tally).routes["m"]
    found = assign(plan, lambda _: None, parse(b'{"instances": [{"t": %s}]}' % sent.encode()))
    other = assign(plan, lambda _: None, parse(b'{"instances": [{"t": 1.5}]}'))
    assert found is not None
    assert other is not None
    assert (found.arm.version, found.segment, other.arm.version, other.segment) == (2, declared, 1, "")


def test_a_rule_sends_what_matches_and_what_it_sends_is_no_evidence() -> None:
    plan = ruled(Rule(2, ("yes", "1"), header="X-Preview"), Rule(2, ("true",), field="frequent"))
    assert answering(plan, "yes") == (2, False)
    assert answering(plan, "no") == (1, True)
    frequent = parse(b'{"instances": [{"frequent": true}, {"frequent": true}]}')
    mixed = parse(b'{"instances": [{"frequent": true}, {"frequent": false}]}')
    assert answering(plan, None, frequent) == (2, False)
    assert answering(plan, None, mixed) == (1, True)


def test_the_first_rule_that_matches_wins_and_one_without_its_version_leads_to_the_champion() -> None:
    both = Rule(1, ("yes",), header="x-preview"), Rule(2, ("yes",), header="x-preview")
    assert answering(ruled(*both), "yes") == (1, False)
    assert answering(ruled(Rule(2, ("yes",), header="x-preview"), ready="b"), "yes") == (1, False)


def test_a_package_of_another_model_answers_for_none() -> None:
    """However it came into the table: what a signature vouches for is the model of that name."""
    table = RouteTable(Revision(1, 1), (Route("m", (Arm(1, "a", Role.CHAMPION, 1.0),), shadows=(Shadow(2, "a"),)),))
    mine, others = package("a"), package("a", "n")
    plan = make_plan(table, Packages({"a": others}, {"a": others}), Plan(), new_tally)
    assert (plan.routes["m"].champion, plan.routes["m"].shadows, plan.ready) == (None, (), False)
    plan = make_plan(table, Packages({"a": mine}, {"a": mine}), Plan(), new_tally)
    assert (plan.routes["m"].champion is not None, len(plan.routes["m"].shadows), plan.ready) == (True, 1, True)
    both = RouteTable(Revision(1, 1), (*table.routes, Route("n", (Arm(7, "a", Role.CHAMPION, 1.0),))))
    plan = make_plan(both, Packages({"a": others}, {}), Plan(), new_tally)
    assert (plan.routes["m"].champion, plan.routes["n"].champion is not None, plan.ready) == (None, True, False)
