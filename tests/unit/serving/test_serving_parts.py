"""Segments with a champion or a rollout of their own: who answers, whose evidence it is, and what is loaded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature, Tensor
from lockgate.boundary.observations import Cell
from lockgate.boundary.routes import (
    Arm,
    Bins,
    Part,
    Revision,
    Role,
    Route,
    RouteTable,
    Rule,
    Segmentation,
    Shadow,
    Thresholds,
)
from lockgate.boundary.selector import choose, unit_key
from lockgate.kernel.errors import Invalid, Unavailable
from lockgate.serving.capture.book import Book
from lockgate.serving.capture.figures import FigureFiles, Figures
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.tally import Tally
from lockgate.serving.control.tables import decode
from lockgate.serving.gateway.attempt import Attempt, fall_back, prepare
from lockgate.serving.gateway.describe import Describe
from lockgate.serving.gateway.package import Engine, Package, package_of
from lockgate.serving.gateway.plan import Packages, Plan, RoutePlan, make_plan
from lockgate.serving.gateway.router import Router
from lockgate.serving.protocol.requests import parse
from lockgate.testing.clock import VirtualClock
from tests.unit.serving.capture import block_of, told

REVISION = Revision(1, 1)
LANDS = Segmentation("header:x-land", ("DE", "FR", "IT"))
ROW = b'{"instances": [{"land": 1.0}]}'
PREVIEW = Rule(9, ("green",), header="x-lockgate-preview")


def package(digest: str, engine: Engine | None = None) -> Package:
    signature = Signature((Tensor("land", "FP32", (-1, 1)),), (Tensor("score", "FP32", (-1, 1)),), "score")
    lineage = Lineage("run-1", None, dirty=False, author="anna", data={}, params={})
    manifest = Manifest("m", "onnx", (), signature, Golden({}, [], 0.0), lineage)
    return package_of(digest, manifest, engine or Engine())


def champion(version: int, weight: float = 1.0) -> Arm:
    return Arm(version, f"d{version}", Role.CHAMPION, weight)


def canary(version: int, weight: float) -> Arm:
    return Arm(version, f"d{version}", Role.CANARY, weight)


def part(segment: str, *arms: Arm, segments: Segmentation = LANDS, **declared: Any) -> Part:
    route = Route("m", arms, f"salt of {segment}", "header:x-user", segments=segments, **declared)
    return Part(segment, route)


def whole(*parts: Part, arms: tuple[Arm, ...] = (champion(1),), segments: Segmentation = LANDS, **declared: Any) -> Route:
    return Route("m", arms, "salt", "header:x-user", segments=segments, parts=parts, **declared)


class Site:
    """A route as one worker counts it. missing: versions that are not loaded."""

    def __init__(
        self, route: Route, *, missing: tuple[int, ...] = (), before: Plan | None = None, orphaned: bool = False
    ) -> None:
        table = RouteTable(REVISION, (route,))
        self.ledger = Ledger("w", "i", Figures(), 0.0, Book.in_memory(1000))
        digests = table.digests() - {f"d{version}" for version in missing}
        packages = Packages({one: package(one) for one in digests}, {})
        self.whole = make_plan(table, packages, before or Plan(), self._tally, orphaned=orphaned)
        self.plan: RoutePlan = self.whole.routes["m"]

    def _tally(self, route: Route, arm: Arm | Shadow, *, assigned: bool, segment: str = "") -> Tally:
        return self.ledger.tally(REVISION, route, arm, assigned=assigned, segment=segment)

    def ask(self, land: str | None = None, user: str | None = "u", version: int | None = None, **headers: str) -> Attempt:
        given = {name.replace("_", "-"): value for name, value in headers.items()} | {"x-user": user, "x-land": land}
        attempt = prepare(self.plan, version, given.get, parse(ROW))
        assert isinstance(attempt, Attempt)
        return attempt

    def answer(self, attempt: Attempt) -> Attempt:
        self.ledger.succeed(self.ledger.admit(attempt.tally, attempt.assignment.key), 0.02, 1.0)
        return attempt

    def cells(self) -> list[Cell]:
        return list(block_of(told(self.ledger)).cells)


def test_each_segment_is_answered_by_its_own_champion_and_all_others_by_the_models() -> None:
    site = Site(whole(part("DE", champion(2)), part("FR", champion(3))))
    lands = ("DE", "FR", "IT", "US", None, "de")
    assert {land: site.ask(land).arm.version for land in lands} == {"DE": 2, "FR": 3, "IT": 1, "US": 1, None: 1, "de": 1}
    assert [site.ask(land).assignment.segment for land in lands] == ["DE", "FR", "IT", "", "", ""]


weights = st.floats(0.0, 1.0)


@given(user=st.text(min_size=1), own=weights, others=st.lists(weights, max_size=2), general=weights)
def test_a_unit_has_the_same_arm_in_a_part_whatever_happens_elsewhere(
    user: str, own: float, others: list[float], general: float
) -> None:
    elsewhere = [
        part(land, canary(6, weight), champion(1, 1.0 - weight)) for land, weight in zip(("FR", "IT"), others, strict=False)
    ]
    here = part("DE", canary(5, own), champion(2, 1.0 - own), rollout="r")
    site = Site(whole(here, *elsewhere, arms=(canary(4, general), champion(1, 1.0 - general)), rollout="q"))
    key = unit_key("salt of DE", user)
    found = site.ask("DE", user)
    assert (found.arm.version, found.assignment.key) == ((5, 2)[choose(key, (own, 1.0 - own))], key)


@given(st.lists(st.tuples(st.sampled_from(["DE", "FR", "IT", "US"]), st.text(min_size=1)), min_size=1, max_size=30))
def test_a_request_is_counted_once_in_its_own_segment(requests: list[tuple[str, str]]) -> None:
    site = Site(whole(part("DE", canary(2, 0.5), champion(1, 0.5)), part("FR", champion(1))))
    expected: dict[tuple[int, str], int] = {}
    for land, user in requests:
        attempt = site.answer(site.ask(land, user))
        place = attempt.arm.version, "" if land == "US" else land
        expected[place] = expected.get(place, 0) + 1
    assert {(cell.version, cell.segment): cell.completed for cell in site.cells()} == expected


def test_a_version_that_stands_in_two_parts_is_counted_by_what_each_of_them_says() -> None:
    """Thresholds, bins and whether units are told apart are the part's."""
    slow, quick = (Thresholds(number, (0.95,), (limit,), (limit,)) for number, limit in ((7, 0.01), (8, 0.1)))
    site = Site(
        whole(
            part("DE", champion(2), thresholds=slow, bins=Bins(4, (0.5,)), rollout="r"),
            part("FR", champion(2), thresholds=quick, bins=Bins(5, (0.1, 0.2))),
            arms=(champion(2),),
        )
    )
    for land in ("DE", "FR", "IT"):
        site.answer(site.ask(land))
    cells = {cell.segment: cell for cell in site.cells()}
    assert {land: (cell.thresholds_id, cell.exceeded, cell.bins_id, len(cell.units)) for land, cell in cells.items()} == {
        "DE": (7, (1,), 4, 1),
        "FR": (8, (0,), 5, 0),
        "IT": (0, (), 0, 0),
    }
    assert len({id(site.ask(land).arm.package) for land in ("DE", "FR", "IT")}) == 1, "and loaded once"


def test_a_canary_in_one_part_leaves_the_others_alone() -> None:
    site = Site(whole(part("DE", canary(2, 1.0), champion(1, 0.0), rollout="r"), part("FR", champion(3))))
    assert [site.ask(land, user).arm.version for land in ("DE", "FR", "IT") for user in ("u", None)] == [2, 1, 3, 3, 1, 1]
    assert [site.ask(land, None).assignment.judged for land in ("DE", "FR")] == [False, True], (
        "without its unit it is no evidence"
    )


def test_a_part_that_is_not_complete_is_no_evidence_and_all_others_go_on() -> None:
    site = Site(whole(part("DE", canary(2, 0.5), champion(1, 0.5)), part("FR", champion(3))), missing=(2,))
    assert not site.whole.ready
    assert {land: site.ask(land).assignment.judged for land in ("DE", "FR", "IT")} == {"DE": False, "FR": True, "IT": True}


def test_while_the_control_plane_is_lost_a_parts_canary_goes_home_to_the_parts_champion() -> None:
    site = Site(whole(part("DE", canary(2, 1.0), champion(3, 0.0), rollout="r")), orphaned=True)
    assert (site.ask("DE").arm.version, site.ask("DE").assignment.judged) == (3, False)


def test_what_fails_is_answered_by_the_champion_of_the_segment() -> None:
    site = Site(whole(part("DE", canary(2, 1.0), champion(3, 0.0), rollout="r")))
    instead = fall_back(site.ask("DE"))
    assert instead is not None
    assert (instead.arm.version, instead.tally.judged) == (3, False)


def test_where_nothing_of_the_segments_own_is_loaded_the_models_champion_answers_and_is_not_judged_by_it() -> None:
    retained = Arm(4, "d4", Role.RETAINED)
    parts = part("DE", champion(2)), part("FR", champion(3), retained), part("IT", Arm(5, "d5", Role.PINNED))
    site = Site(whole(*parts), missing=(2, 3))
    attempts = [site.ask(land) for land in ("DE", "FR", "IT")]
    assert [attempt.arm.version for attempt in attempts] == [1, 4, 1]
    assert {(attempt.assignment.judged, attempt.tally.judged) for attempt in attempts} == {(False, False)}
    later = Site(whole(*parts, arms=(champion(7),)), missing=(2, 3), before=site.whole)
    assert later.ask("DE").arm.version == 7, "the model's champion of now, not of then"


def test_what_stood_for_the_segment_before_goes_on_until_the_new_one_can_answer() -> None:
    before = Site(whole(part("DE", champion(2)))).whole
    site = Site(whole(part("DE", champion(3))), missing=(3,), before=before)
    assert site.ask("DE").arm.version == 2
    assert Site(whole(part("FR", champion(3))), before=before).ask("DE").arm.version == 1, "its part is gone"


def test_a_parts_rules_are_all_that_hold_there_in_their_order_and_each_sends_to_the_segments_own_arm() -> None:
    rules = Rule(3, ("crew",), header="x-team"), Rule(1, ("all",), header="x-team")
    elsewhere = Rule(3, ("green",), header="x-lockgate-preview")
    own = part("DE", champion(1, 0.0), canary(9, 1.0), rules=(PREVIEW, *rules, Rule(1, ("crew",), header="x-team")))
    site = Site(whole(own, part("FR", champion(3)), arms=(champion(1), canary(3, 0.0)), rules=(elsewhere, *rules)))
    assert site.ask("DE", x_team="crew").arm.version == 3, "a version that another part has"
    assert site.ask("DE", x_lockgate_preview="green").arm.version == 9
    assert site.ask("IT", x_lockgate_preview="green").arm.version == 3, "in no part it is the model's"
    assert site.ask("DE", x_team="all", x_lockgate_preview="green").arm.version == 9
    ruled = site.ask("DE", x_team="all")
    assert (ruled.arm.version, ruled.assignment.judged) == (1, False)
    assert fall_back(ruled) is None, "the segment's champion is what failed"
    assert ruled.plan.champion is ruled.arm


def test_a_version_of_any_part_is_to_be_had_by_its_number_from_every_segment() -> None:
    site = Site(whole(part("DE", champion(2)), part("FR", champion(3))))
    for version in (1, 2, 3):
        attempt = site.ask("FR", version=version)
        assert (attempt.arm.version, attempt.tally.judged, attempt.assignment.segment) == (version, False, "FR")
    answer = prepare(site.plan, 8, lambda _: None, parse(ROW))
    assert not isinstance(answer, Attempt)
    assert b"served are 1, 2, 3" in answer.body


def test_rows_of_several_segments_in_one_request_are_answered_by_the_models_own_arms() -> None:
    segments = Segmentation("field:land", ("1.0", "2.0"))
    site = Site(whole(part("1.0", champion(2), segments=segments), segments=segments))

    def answering(*lands: float) -> int:
        body = json.dumps({"instances": [{"land": land} for land in lands]}).encode()
        attempt = prepare(site.plan, None, lambda _: None, parse(body))
        assert isinstance(attempt, Attempt)
        return attempt.arm.version

    assert [answering(1.0), answering(1.0, 1.0), answering(1.0, 2.0), answering(2.0)] == [2, 2, 1, 1]


def test_a_shadow_belongs_to_its_part() -> None:
    route = whole(part("DE", champion(2), shadows=(Shadow(5, "d5"),)), part("FR", champion(2)), shadows=(Shadow(6, "d6"),))
    shadows = {one: package(one, Engine()) for one in ("d5", "d6")}
    ledger = Ledger("w", "i", Figures(), 0.0, Book.in_memory(10))

    def new_tally(route: Route, arm: Arm | Shadow, *, assigned: bool, segment: str = "") -> Tally:
        return ledger.tally(REVISION, route, arm, assigned=assigned, segment=segment)

    packages = Packages({one: package(one) for one in ("d1", "d2")}, shadows)
    plan = make_plan(RouteTable(REVISION, (route,)), packages, Plan(), new_tally).routes["m"]
    assert plan.parts is not None
    plans: dict[str, RoutePlan] = {"": plan, **plan.parts}
    assert {land: [one.told.version for one in found.shadows] for land, found in plans.items()} == {"": [6], "DE": [5], "FR": []}
    (own,) = plan.parts["DE"].shadows
    assert (own.tally.segment, own.tally.shadow) == ("DE", True)


def test_the_book_has_room_for_what_every_arm_in_every_segment_means_over_several_revisions() -> None:
    """Sixty-four segments with three arms each, and bins of the most edges: nothing is lost while two blocks are held up."""
    edges = tuple(number / 64 for number in range(1, 64))
    lands = Segmentation("header:x-land", tuple(f"land-{number:02}" for number in range(64)))
    ledger = Ledger("w", "i", Figures(), 0.0, Book.in_memory(2000))
    for n in range(1, 4):
        parts = [
            part(land, *(canary(n + more, 0.3) for more in (1, 2, 3)), segments=lands, rollout=land, bins=Bins(1, edges))
            for land in lands.values
        ]
        for one in parts:
            for arm in one.route.arms:
                tally = ledger.tally(Revision(1, n), one.route, arm, assigned=True, segment=one.segment)
                ledger.succeed(ledger.admit(tally, 1), 0.01, 1.0)
    block = block_of(told(ledger))
    assert (len(block.cells), block.requests_lost) == (3 * 64 * 3, 0)


class Loads:
    """A loader that counts, and that fails for what is broken."""

    def __init__(self, broken: tuple[str, ...] = ()) -> None:
        self.broken = broken
        self.begun: list[str] = []

    async def load(self, digest: str) -> Package:
        self.begun.append(digest)
        if digest in self.broken:
            raise Unavailable("no such file")
        return package(digest, Engine(inline=_Model()))

    def free(self, package: Package) -> None:
        """Nothing is held."""

    def forget(self, digest: str) -> None:
        """Nothing was begun."""


class _Model:
    def run(self, feeds: Mapping[str, Any]) -> list[Any]:
        return list(feeds.values())


def router_of(loads: Loads, shadows: Loads) -> Router:
    ledger = Ledger("w", "i", Figures(), 0.0, Book.in_memory(10))
    return Router(loads, shadows, ledger, VirtualClock(), lambda: None)


def test_what_stands_in_several_parts_is_loaded_once_and_the_worker_is_ready_when_all_parts_are() -> None:
    async def story() -> None:
        loads, shadows = Loads(), Loads()
        router = router_of(loads, shadows)
        both = (Shadow(6, "d6"),)
        route = whole(part("DE", champion(2), shadows=both), part("FR", champion(2), champion(3, 0.0), shadows=both))
        router.apply(RouteTable(REVISION, (route,)))
        before = router.ready
        await router.settled(5.0)
        assert (before, router.ready) == (False, True)
        assert sorted(loads.begun) == ["d1", "d2", "d3"]
        await asyncio.sleep(0)
        assert shadows.begun == ["d6"]
        assert set(router.packages) == {"d1", "d2", "d3", "d6"} == set(RouteTable(REVISION, (route,)).digests())
        router.sleep("m")
        arms = router.plan.routes["m"].by_version.values()
        assert [arm.package.engine.asleep for arm in arms] == [True] * 3
        await router.wake("m")
        assert [arm.package.engine.asleep for arm in arms] == [False] * 3

    asyncio.run(story())


def test_what_stands_in_for_a_parts_champion_stays_loaded_though_the_table_does_not_name_it_any_more() -> None:
    async def story() -> None:
        loads = Loads(broken=("d3",))
        router = router_of(loads, Loads())
        router.apply(RouteTable(Revision(1, 1), (whole(part("DE", champion(2))),)))
        await router.settled(5.0)
        router.apply(RouteTable(Revision(1, 2), (whole(part("DE", champion(3))),)))
        await router.settled(5.0)
        assert "d2" in router.packages
        before = router.ready
        loads.broken = ()
        router.apply(RouteTable(Revision(1, 3), (whole(part("DE", champion(4))),)))
        await router.settled(5.0)
        assert (before, router.ready) == (False, True)
        assert set(router.packages) == {"d1", "d4"}

    asyncio.run(story())


def test_a_worker_says_which_version_answers_a_segment_and_why(tmp_path: Path) -> None:
    async def story() -> None:
        router = router_of(Loads(), Loads())
        route = whole(part("DE", canary(2, 1.0), champion(3, 0.0), rollout="r"))
        router.apply(RouteTable(REVISION, (route,)))
        await router.settled(5.0)
        plan = router.plan.routes["m"]
        describe = Describe(router, Figures(), FigureFiles(tmp_path, "w"), "1")
        headers = {"x-land": "DE", "x-user": "u"}
        found = json.loads(describe.route(plan, headers.get, parse(ROW)).body)
        assert (found["model_version"], found["segment"], found["arms_of"], found["by"]) == ("2", "DE", "segment", "unit")
        found = json.loads(describe.route(plan, {"x-land": "IT"}.get, parse(ROW)).body)
        assert (found["model_version"], found["segment"], found["arms_of"]) == ("1", "IT", "model")
        listed = json.loads(describe.versions(plan).body)["versions"]
        assert [(one["version"], one.get("segment")) for one in listed] == [("1", None), ("2", "DE"), ("3", "DE")]
        assert json.loads(describe.model(plan, None).body)["versions"] == ["1", "2", "3"]
        assert json.loads(describe.model(plan, 2).body)["name"] == "m"
        assert [one.version for one in describe.index()] == ["1", "2", "3"]
        assert len(json.loads(describe.statistics(plan, 2).body)["model_stats"]) == 1
        assert describe.model_ready(plan, None).status == 200

    asyncio.run(story())


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ([{"segment": "US", "route": {"model": "m"}}], "a part for the segment 'US' found, one of DE, FR, IT expected"),
        ([{"segment": "DE", "route": {"model": "m"}}] * 2, "two parts for the segment 'DE' found"),
        ([{"segment": "DE", "route": {"model": "other"}}], "must be of the same model and segments, and without parts"),
        ([{"segment": "DE", "route": {"model": "m", "segments": None}}], "must be of the same model and segments"),
    ],
)
def test_parts_that_mean_nothing_are_refused_with_their_place(parts: list[dict[str, Any]], complaint: str) -> None:
    segments = msgspec.to_builtins(LANDS)
    told = [one | {"route": {"arms": [], "segments": segments} | one["route"]} for one in parts]
    with pytest.raises(Invalid) as refused:
        decode(msgspec.json.encode({"routes": [{"model": "m", "arms": [], "segments": segments, "parts": told}]}))
    assert complaint in refused.value.message
    assert "$.routes[0]" in refused.value.message


def test_parts_survive_the_way_from_the_control_plane_to_the_data_plane() -> None:
    table = RouteTable(REVISION, (whole(part("DE", canary(2, 0.1), champion(3, 0.9), rules=(PREVIEW,), rollout="r")),))
    assert decode(msgspec.json.encode(table)) == table
