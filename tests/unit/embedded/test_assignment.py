"""Who meets which version, and as what it is counted: in a program as in the gateway, whatever the route says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.boundary.routes import (
    Arm,
    Bins,
    OnFailure,
    Part,
    Revision,
    Role,
    Route,
    RouteTable,
    Rule,
    Segmentation,
    Thresholds,
)
from lockgate.embedded.assignment import Assigner, asked
from lockgate.embedded.columns import columns_of
from lockgate.embedded.plain_routes import read_route
from lockgate.embedded.tallies import AnyRoute
from lockgate.kernel.errors import Invalid
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.gateway.assignment import assign
from lockgate.serving.gateway.plan import Packages, Plan, make_plan
from lockgate.serving.protocol.requests import parse
from tests.unit.serving.standing import package

REVISION = Revision(0, 9)
NAMES = ("header:X-User", "field:user", "field:hour")
VALUES = ("AA", "7", "true", "1.0")
SEGMENTS = Segmentation("field:carrier", ("AA", "UA"))

weights = st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])
values = st.lists(st.sampled_from(VALUES), min_size=1).map(tuple)
rules = st.one_of(
    st.builds(Rule, st.integers(1, 5), values, st.just("X-Beta")),
    st.builds(Rule, st.integers(1, 5), values, st.none(), st.just("hour")),
)


@st.composite
def routes(draw: st.DrawFn, *, parts: bool = True) -> Route:
    own = draw(weights)
    arms = [
        Arm(2, "2", draw(st.sampled_from([Role.CANARY, Role.CHAMPION])), own),
        Arm(1, "1", draw(st.sampled_from([Role.CHAMPION, Role.HELD_BACK])), 1.0 - own),
        *draw(st.lists(st.sampled_from([Arm(3, "3", Role.RETAINED), Arm(4, "4", Role.PINNED)]), unique=True)),
    ]
    made = Route(
        "m",
        tuple(arms),
        salt=draw(st.sampled_from(["s", "t"])),
        unit=draw(st.sampled_from(NAMES)),
        rollout=draw(st.sampled_from(["r", None])),
        thresholds=draw(st.sampled_from([None, Thresholds(3, (0.5, 0.9), (1.0, 2.0), (3.0, 4.0))])),
        rules=tuple(draw(st.lists(rules, max_size=2))),
        on_failure=draw(st.sampled_from(OnFailure)),
        segments=SEGMENTS,
        bins=draw(st.sampled_from([None, Bins(2, (0.5,))])),
    )
    if not parts:
        return made
    segments = draw(st.lists(st.sampled_from(SEGMENTS.values), unique=True))
    inner = tuple(Part(segment, draw(routes(parts=False))) for segment in segments)
    return msgspec.structs.replace(made, parts=inner)


def by_gateway(route: Route, ready: set[int], orphaned: bool, row: dict[str, Any], headers: dict[str, str]) -> Any:  # noqa: FBT001
    """(version, key, judged, segment, chosen, the tally's fields)."""
    ledger = Ledger("w", "i", Figures(), 0.0)

    def tally(*given: Any, **options: Any) -> Any:
        return ledger.tally(REVISION, *given, **options)

    packages = Packages({str(one): package(str(one)) for one in ready}, {})
    plan = make_plan(RouteTable(REVISION, (route,)), packages, Plan(), tally, orphaned=orphaned).routes["m"]
    told = {name.lower(): value for name, value in headers.items()}
    found = assign(plan, told.get, parse(msgspec.json.encode({"instances": [row]})))
    if found is None:
        return None
    one = found.arm.by_segment.get(found.segment, found.arm.tally) if found.judged else found.arm.aside
    counted = (one.judged, one.keyed, one.thresholds_id, one.limits, one.segment, one.scored, one.bins)
    return found.arm.version, found.key, found.judged, found.segment, found.chosen, counted


def by_program(route: AnyRoute, ready: set[int], orphaned: bool, row: dict[str, Any], headers: dict[str, str]) -> Any:  # noqa: FBT001
    found = Assigner(route, (0, 9), ready, orphaned).assign(asked(columns_of(row), headers))
    if found is None:
        return None
    tally = found.tally
    bins = Bins(tally.bins_id, tally.edges) if tally.bins_id else None
    counted = (tally.judged, tally.keyed, tally.thresholds_id, tally.limits, tally.segment, tally.scored, bins)
    return found.version, found.key, found.judged, found.segment, found.chosen, counted


@settings(max_examples=100)
@given(
    routes(),
    st.sets(st.integers(1, 4)),
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            "user": st.text(max_size=3) | st.none(),
            "hour": st.sampled_from([7, 7.0, 1.0, True, "7", None]),
            "carrier": st.sampled_from(["AA", "UA", "XX"]),
        },
    ),
    st.fixed_dictionaries({}, optional={"x-USER": st.text("ab", max_size=2), "X-Beta": st.sampled_from(VALUES)}),
)
def test_a_program_assigns_and_counts_as_the_gateway_does(
    route: Route,
    ready: set[int],
    orphaned: bool,  # noqa: FBT001
    row: dict[str, Any],
    headers: dict[str, str],
) -> None:
    expected = by_gateway(route, ready, orphaned, row, headers)
    assert by_program(route, ready, orphaned, row, headers) == expected
    plain = read_route(msgspec.json.decode(msgspec.json.encode(route)))
    assert by_program(plain, ready, orphaned, row, headers) == expected


def test_by_request_every_request_is_a_unit_of_its_own() -> None:
    route = Route("m", (Arm(2, "2", Role.CANARY, 0.3), Arm(1, "1", Role.CHAMPION, 0.7)), rollout="r")
    assigner = Assigner(route, (0, 9), {1, 2})
    met = [found.version for _ in range(4000) if (found := assigner.assign(asked({}, unit="always the same")))]
    assert 0.25 < met.count(2) / len(met) < 0.35  # a key does not stick where the plan says that requests are units


def test_a_named_version_is_asked_and_is_no_evidence() -> None:
    route = Route("m", (Arm(2, "2", Role.CANARY, 0.3), Arm(1, "1", Role.CHAMPION, 0.7)), unit="header:u", rollout="r")
    assigner = Assigner(route, (0, 9), {1, 2})
    found = assigner.assign(asked({}), version=2)
    assert found is not None
    assert (found.version, found.judged, found.chosen) == (2, False, True)
    assert assigner.assign(asked({}), version=3) is None


@pytest.mark.parametrize(
    "told", [{}, {"model": "m", "arms": 3}, {"model": "m", "arms": [{}]}, {"model": "m", "arms": [], "bins": [1]}]
)
def test_what_is_no_route_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="no route"):
        read_route(told)
