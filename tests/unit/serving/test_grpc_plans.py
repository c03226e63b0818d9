"""A route as one gRPC call sees it: all is the core's but the form of the answers, and the time."""

from __future__ import annotations

import gc
import os
import weakref
from importlib.util import find_spec

import pytest

from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature, Tensor
from lockgate.boundary.routes import Arm, Part, Revision, Role, Route, RouteTable, Rule, Segmentation, Shadow
from lockgate.serving.capture.tally import Tally
from lockgate.serving.gateway.package import Engine, Package, package_of
from lockgate.serving.gateway.plan import Packages, Plan, RoutePlan, make_plan

pytestmark = pytest.mark.skipif(find_spec("google") is None and os.environ.get("CI") != "true", reason="not installed: protobuf")


def package(digest: str) -> Package:
    signature = Signature((Tensor("x", "FP32", (-1, 1)),), (Tensor("y", "FP32", (-1, 1)),), "y")
    lineage = Lineage("run-1", None, False, "tester", {}, {})  # noqa: FBT003 - the fields of a manifest, in their order
    return package_of(digest, Manifest("m", "onnx", (), signature, Golden({}, [], 0.0), lineage), Engine())


def new_tally(route: Route, arm: Arm | Shadow, *, assigned: bool, segment: str = "") -> Tally:
    return Tally(route.model, arm.version, Revision(1, 1), judged=assigned, segment=segment)


def plan_of(packages: dict[str, Package], timeout: float) -> RoutePlan:
    arms = Arm(2, "b", Role.CANARY, 0.5), Arm(1, "a", Role.CHAMPION, 0.5), Arm(3, "none", Role.PINNED)
    rules = (Rule(values=("x",), header="x-team", version=2),)
    segments = Segmentation("header:x-tier", ("gold",))
    route = Route("m", arms, "salt", rollout="r", rules=rules, timeout=timeout, segments=segments)
    table = RouteTable(Revision(1, 1), (route,))
    return make_plan(table, Packages(packages, {}), Plan(), new_tally).routes["m"]


def test_arms_are_the_same_arms_wherever_they_stand() -> None:
    from lockgate.serving.grpc.plans import Plans

    packages = {"a": package("a"), "b": package("b")}
    before = plan_of(packages, 10.0)
    seen = Plans().seen_by(before, 20.0)
    canary, champion = seen.arms[0], seen.arms[1]
    assert champion is seen.champion is seen.by_version[1]
    assert canary is seen.by_version[2] is seen.rules[0].arm
    assert canary is not None
    assert before.champion is not None
    assert [arm.version for arm in (canary, seen.by_version[1])] == [2, 1]
    assert canary.package.engine is packages["b"].engine
    assert canary.package.decoder is packages["b"].decoder
    assert seen.by_version[1].tally is before.champion.tally
    assert seen.by_version[1].aside is before.champion.aside
    assert seen.by_version[1].by_segment["gold"] is before.champion.by_segment["gold"]
    assert (seen.weights, seen.salt, seen.judged, seen.split) == (before.weights, before.salt, before.judged, before.split)


def test_a_segments_own_arms_are_seen_in_the_same_way() -> None:
    from lockgate.serving.grpc.answers import MessageEncoder
    from lockgate.serving.grpc.plans import Plans

    segments = Segmentation("header:x-tier", ("gold",))
    rules = (Rule(values=("x",), header="x-team", version=1),)
    own = Route("m", (Arm(2, "b", Role.CHAMPION, 1.0),), segments=segments, rules=rules)
    route = Route("m", (Arm(1, "a", Role.CHAMPION, 1.0),), segments=segments, parts=(Part("gold", own),), rules=rules)
    packages = Packages({"a": package("a"), "b": package("b")}, {})
    before = make_plan(RouteTable(Revision(1, 1), (route,)), packages, Plan(), new_tally).routes["m"]
    seen = Plans().seen_by(before, 3.0)
    assert seen.parts is not None
    part = seen.parts["gold"]
    assert part.champion is part.arms[0] is part.by_version[2]
    assert part.rules[0].arm is seen.champion
    assert part.timeout == 3.0
    assert {type(arm.package.encoder) for arm in (part.by_version[2], seen.by_version[2])} == {MessageEncoder}
    assert (set(seen.parts), set(seen.by_version), seen.parts.get("lead")) == ({"gold"}, {1, 2}, None)


def test_a_model_has_the_time_of_the_route_or_of_the_caller_whichever_ends_first() -> None:
    from lockgate.serving.grpc.plans import Plans

    assert [Plans().seen_by(plan_of({"a": package("a")}, 10.0), seconds).timeout for seconds in (3.0, 20.0)] == [3.0, 10.0]


def test_a_route_that_nothing_can_answer_stays_so() -> None:
    from lockgate.serving.grpc.plans import Plans

    seen = Plans().seen_by(plan_of({}, 10.0), 3.0)
    assert (seen.champion, set(seen.arms), dict(seen.by_version)) == (None, {None}, {})


def test_nothing_keeps_a_package_that_the_table_has_let_go_of() -> None:
    from lockgate.serving.grpc.plans import Plans

    plans, packages = Plans(), {"a": package("a")}
    assert plans.seen_by(plan_of(packages, 10.0), 3.0).champion is not None
    gone = weakref.ref(packages["a"].encoder)
    packages.clear()
    gc.collect()
    assert gone() is None
