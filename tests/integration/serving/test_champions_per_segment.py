"""Segments with arms of their own in a real gateway: who answers whom, whose evidence it is, and a swap that nobody notices."""

from __future__ import annotations

import http.client
import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from typing import Any

import pytest

from lockgate.boundary import predictions
from lockgate.boundary.routes import Arm, Part, Revision, Role, Route, Rule, Segmentation
from lockgate.boundary.selector import choose, unit_key
from tests.integration.serving.data_plane import KEY, MODEL, ControlPlane, DataPlane, answer_of, call, columns, wait_for

pytestmark = pytest.mark.integration

NewPlane = Callable[..., DataPlane]
LANDS = Segmentation("header:x-land", ("DE", "FR", "IT"))
BODY = columns((1.0, "AA"))
GRPC = find_spec("grpc") is not None and find_spec("tritonclient") is not None


class Site:
    def __init__(self, plane: DataPlane, control: ControlPlane) -> None:
        self.plane, self.control = plane, control

    def champion(self, version: int, weight: float = 1.0) -> Arm:
        return Arm(version, self.plane.artifacts.linear(100.0 * version), Role.CHAMPION, weight)

    def canary(self, version: int, weight: float) -> Arm:
        return Arm(version, self.plane.artifacts.linear(100.0 * version), Role.CANARY, weight)

    def part(self, segment: str, *arms: Arm, **declared: Any) -> Part:
        return Part(segment, Route(MODEL, arms, f"salt of {segment}", "header:x-user-id", segments=LANDS, **declared))

    def publish(self, *parts: Part) -> Revision:
        route = Route(MODEL, (self.champion(1),), "salt", "header:x-user-id", segments=LANDS, parts=parts)
        revision = self.control.publish(route)
        wait_for(lambda: self.control.applied(revision) and self.plane.ready(), "the route is in force")
        return revision

    def version(self, land: str, user: str = "anna", preview: str = "") -> str:
        reply = self.plane.infer(BODY, x_land=land, x_user_id=user, x_lockgate_preview=preview)
        assert reply.json["outputs"][0]["data"] == [answer_of(100.0 * int(reply.version), 1.0, "AA")]
        return reply.version

    def told(self, revision: Revision) -> Counter[tuple[int, str]]:
        """(version, segment) → requests that are evidence."""
        counts: Counter[tuple[int, str]] = Counter()
        for cell in self.control.cells(revision):
            counts[cell.version, cell.segment] += cell.completed
        return counts


def test_two_segments_have_arms_of_their_own_and_a_canary_in_one_leaves_the_others_alone(
    new_plane: NewPlane, own_control: ControlPlane
) -> None:
    site = Site(new_plane(), own_control)
    trial = site.part("DE", site.canary(2, 0.4), site.champion(1, 0.6), rollout="rollout-1")
    revision = site.publish(trial, site.part("FR", site.champion(3)))
    expected: Counter[tuple[int, str]] = Counter()
    for number in range(80):
        user, land = f"user-{number}", ("DE", "FR", "IT", "US")[number % 4]
        reply = site.plane.infer(BODY, x_land=land, x_user_id=user)
        in_canary = choose(unit_key("salt of DE", user), (0.4, 0.6)) == 0
        assert reply.version == {"DE": "2" if in_canary else "1", "FR": "3"}.get(land, "1")
        expected[int(reply.version), land if land in LANDS.values else ""] += 1
        read = predictions.read(KEY, MODEL, reply.json["parameters"]["prediction_id"])
        place = LANDS.values.index(land) + 1 if land in LANDS.values else 0
        assert (read.version, read.revision, read.segment) == (int(reply.version), revision, place)
    assert {version for version, land in expected if land == "DE"} == {1, 2}
    wait_for(lambda: site.told(revision) == expected, "all is told in the segment that it happened in")
    units = {unit.key for cell in own_control.cells(revision) if cell.segment == "DE" for unit in cell.units}
    assert units == {unit_key("salt of DE", f"user-{number}") for number in range(0, 80, 4)}
    assert not any(cell.units for cell in own_control.cells(revision) if cell.segment != "DE")


def test_a_version_is_asked_for_by_its_number_or_by_a_parts_preview_and_the_gateway_says_why(
    new_plane: NewPlane, own_control: ControlPlane
) -> None:
    site = Site(new_plane(), own_control)
    preview = Rule(4, ("green",), header="x-lockgate-preview")
    revision = site.publish(site.part("DE", site.canary(4, 0.0), site.champion(2), rules=(preview,), rollout="r"))
    wait_for(lambda: site.plane.get(f"/v2/models/{MODEL}/versions/4/ready").status == 200, "what is previewed is loaded")
    assert [site.version(land, "anna", "green") for land in ("DE", "FR")] == ["4", "1"]
    assert site.plane.infer(BODY, 4, x_land="FR").version == "4"
    told = call(site.plane.url(f"/v2/models/{MODEL}/route"), BODY, {"x-land": "DE", "x-user-id": "anna"}).json
    assert (told["model_version"], told["segment"], told["arms_of"], told["by"]) == ("2", "DE", "segment", "unit")
    told = call(site.plane.url(f"/v2/models/{MODEL}/route"), BODY, {"x-land": "FR"}).json
    assert (told["model_version"], told["segment"], told["arms_of"]) == ("1", "FR", "model")
    assert site.plane.get(f"/v2/models/{MODEL}").json["versions"] == ["1", "4", "2"]
    aside = wait_for(lambda: [cell for block in own_control.blocks for cell in block.aside], "what was asked for is told")
    assert {cell.segment for cell in aside} == {""}
    wait_for(lambda: site.told(revision) == {(1, "FR"): 1}, "and nothing else is evidence")


def test_the_swap_of_one_part_under_load_fails_nobody_and_moves_nobody_else(
    new_plane: NewPlane, own_control: ControlPlane
) -> None:
    site = Site(new_plane(), own_control)
    site.publish(site.part("DE", site.champion(2)), site.part("FR", site.champion(3)))
    seen: Counter[tuple[str, int, str]] = Counter()
    stop, lock = threading.Event(), threading.Lock()

    def ask(land: str) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", site.plane.port, timeout=20)) as line:
            while not stop.is_set():
                line.request("POST", f"/v2/models/{MODEL}/infer", BODY, {"x-land": land, "x-user-id": "anna"})
                reply = line.getresponse()
                reply.read()
                with lock:
                    seen[land, reply.status, reply.headers["x-lockgate-version"] or ""] += 1

    callers = [threading.Thread(target=ask, args=(land,)) for land in ("DE", "FR", "IT", "DE")]
    for caller in callers:
        caller.start()
    for version in range(4, 8):
        site.publish(site.part("DE", site.champion(version)), site.part("FR", site.champion(3)))
    wait_for(lambda: seen["DE", 200, "7"] > 10, "the last one answers")
    stop.set()
    for caller in callers:
        caller.join()
    assert {status for _, status, _ in seen} == {200}
    assert {version for land, _, version in seen if land == "FR"} == {"3"}
    assert {version for land, _, version in seen if land == "IT"} == {"1"}
    assert len({version for land, _, version in seen if land == "DE"}) > 2


@pytest.mark.skipif(not GRPC and os.environ.get("CI") != "true", reason="not installed: grpc, tritonclient")
def test_a_segment_has_the_same_arms_over_grpc(new_plane: NewPlane, own_control: ControlPlane) -> None:
    from tests.integration.serving.grpc_calls import channel, sent, typed

    site = Site(new_plane("--grpc-port", "0"), own_control)
    trial = site.part("DE", site.canary(2, 0.5), site.champion(3, 0.5), rollout="r")
    revision = site.publish(trial)
    expected: Counter[tuple[int, str]] = Counter()
    with channel(site.plane) as line:
        for number in range(20):
            user, land = f"user-{number}", ("DE", "FR")[number % 2]
            answer = sent(line, "ModelInfer", typed((1.0, "AA")), [("x-land", land), ("x-user-id", user)])
            assert answer.model_version == site.version(land, user)
            expected[int(answer.model_version), land] += 2
        assert sent(line, "ModelInfer", typed((1.0, "AA"), model_version="3"), [("x-land", "FR")]).model_version == "3"
    wait_for(lambda: site.told(revision) == expected, "and its evidence is told in the same cells")
