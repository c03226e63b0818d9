"""Which version answers whom, what becomes evidence, and what a version that is no good can do: nothing to a caller."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from typing import Any

import msgspec
import onnx
import pytest
from onnx import TensorProto, helper

from lockgate.boundary import predictions
from lockgate.boundary.acknowledgements import Readiness
from lockgate.boundary.manifest import Signature, Tensor
from lockgate.boundary.observations import FAILED
from lockgate.boundary.routes import Arm, Bins, Revision, Role, Route, Segmentation, Thresholds
from lockgate.boundary.scores import STEPS
from lockgate.boundary.selector import choose, unit_key
from tests.integration.serving.data_plane import (
    CARRIER,
    DISTANCE,
    KEY,
    MODEL,
    SCORE,
    ControlPlane,
    DataPlane,
    Folder,
    answer_of,
    columns,
    linear_model,
    picky_model,
    root_model,
    signature,
    wait_for,
)

pytestmark = pytest.mark.integration

SALT = "salt of this rollout"
NEVER = Thresholds(3, (0.5, 0.99), (60.0, 60.0), (60.0, 60.0))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, DataPlane]]:
    path = tmp_path_factory.mktemp("rollouts")
    with ControlPlane().serving() as control:
        plane = DataPlane(path / "home", Folder(path / "artifacts"), f"http://127.0.0.1:{control.port}", ("--grace", "0"))
        plane.start()
        yield control, plane
        plane.stop()


@pytest.fixture
def control(home: tuple[ControlPlane, DataPlane]) -> ControlPlane:
    return home[0]


@pytest.fixture
def quiet(control: ControlPlane) -> None:
    """What earlier tests asked for has been told by now, and is forgotten."""
    time.sleep(0.35)
    control.blocks.clear()


@pytest.fixture
def plane(home: tuple[ControlPlane, DataPlane]) -> DataPlane:
    return home[1]


def canary_route(canary: str, champion: str, weight: float, *, unit: str = "header:x-user-id") -> Route:
    arms = (Arm(2, canary, Role.CANARY, weight), Arm(1, champion, Role.CHAMPION, 1.0 - weight))
    return Route(MODEL, arms, SALT, unit, "rollout-1", NEVER)


def publish(control: ControlPlane, plane: DataPlane, *routes: Route) -> Revision:
    """Routes in force, everything in them loaded or failed."""
    revision = control.publish(*routes)
    digests = [arm.digest for route in routes for arm in route.arms]

    def settled() -> bool:
        states = [control.package(digest) for digest in digests]
        return control.applied(revision) and all(state and state.readiness is not Readiness.LOADING for state in states)

    wait_for(settled, f"revision {revision} is settled")
    return revision


def test_the_unit_decides_as_the_selector_says_and_is_counted_by_its_key(control: ControlPlane, plane: DataPlane) -> None:
    folder = plane.artifacts
    revision = publish(control, plane, canary_route(folder.linear(100.0), folder.linear(0.0), 0.3))
    users = [f"user-{n}" for n in range(60)]
    for user in users:
        reply = plane.infer(columns((1.0, "AA")), x_user_id=user)
        canary = choose(unit_key(SALT, user), (0.3, 0.7)) == 0
        assert reply.version == ("2" if canary else "1")
        assert reply.json["outputs"][0]["data"] == [answer_of(100.0 if canary else 0.0, 1.0, "AA")]
        read = predictions.read(KEY, MODEL, reply.json["parameters"]["prediction_id"])
        assert (read.key, read.revision, read.version) == (unit_key(SALT, user), revision, int(reply.version))
    wait_for(lambda: sum(control.completed().values()) == len(users), "every request is evidence")
    seen = {unit.key: (cell.version, unit.bits) for cell in control.cells() for unit in cell.units}
    assert seen == {unit_key(SALT, user): (1 + (choose(unit_key(SALT, user), (0.3, 0.7)) == 0), 0) for user in users}
    assert {(cell.revision, cell.thresholds_id, cell.exceeded) for cell in control.cells()} == {(revision, 3, (0, 0))}
    assert all(sum(cell.latency.values()) == cell.completed for cell in control.cells())


def test_a_growing_share_moves_only_units_that_were_not_there_before(control: ControlPlane, plane: DataPlane) -> None:
    folder = plane.artifacts
    users = [f"user-{n}" for n in range(40)]
    met: list[set[str]] = []
    for weight in (0.1, 0.4, 0.8):
        publish(control, plane, canary_route(folder.linear(100.0), folder.linear(0.0), weight, unit=f"field:{CARRIER}"))
        met.append({user for user in users if plane.infer(columns((1.0, user))).version == "2"})
    assert all(before < after for before, after in pairwise(met))


@pytest.mark.usefixtures("quiet")
def test_without_its_unit_a_request_goes_to_the_champion_and_is_no_evidence(control: ControlPlane, plane: DataPlane) -> None:
    folder = plane.artifacts
    publish(control, plane, canary_route(folder.linear(100.0), folder.linear(0.0), 0.9))
    replies = [plane.infer(columns((1.0, "AA"))) for _ in range(20)]
    assert {reply.version for reply in replies} == {"1"}
    read = predictions.read(KEY, MODEL, replies[0].json["parameters"]["prediction_id"])
    assert read.revision == Revision()
    wait_for(lambda: sum(block.unassigned for block in control.blocks) == 20, "they are counted apart")
    assert control.completed() == {}


def test_with_the_request_as_unit_only_counts_are_sent(control: ControlPlane, plane: DataPlane) -> None:
    folder = plane.artifacts
    publish(control, plane, canary_route(folder.linear(100.0), folder.linear(0.0), 0.5, unit="request"))
    versions = {plane.infer(columns((1.0, "AA"))).version for _ in range(60)}
    assert versions == {"1", "2"}
    wait_for(lambda: sum(control.completed().values()) == 60, "all are evidence")
    assert not any(cell.units for cell in control.cells())


def test_declared_segments_and_bins_come_with_the_blocks(control: ControlPlane, plane: DataPlane) -> None:
    """The canary answers 100 more, so all its scores are in the last bin; of two rows the first one's counts."""
    folder = plane.artifacts
    route = canary_route(folder.linear(100.0), folder.linear(0.0), 0.5)
    segments, bins = Segmentation("header:X-Tier", ("gold", "lead")), Bins(5, (10.0, 100.0))
    publish(control, plane, msgspec.structs.replace(route, segments=segments, bins=bins))
    expected: Counter[tuple[int, str, int]] = Counter()
    for number in range(60):
        tier = ("gold", "lead", "tin", "")[number % 4]
        first = (1.0, 20.0)[number % 3 == 0]
        reply = plane.infer(columns((first, "AA"), (900.0, "AA")), x_user_id=f"user-{number}", x_tier=tier)
        score = answer_of(100.0 if reply.version == "2" else 0.0, first, "AA")
        expected[int(reply.version), tier if tier in segments.values else "", bins.place(score)] += 1
        ids = [predictions.read(KEY, MODEL, one) for one in reply.json["parameters"]["prediction_ids"]]
        assert [one.segment for one in ids] == [{"gold": 1, "lead": 2}.get(tier, 0)] * 2
    wait_for(lambda: sum(control.completed().values()) == 60, "every request is evidence")
    told: Counter[tuple[int, str, int]] = Counter()
    for cell in control.cells():
        assert (cell.bins_id, len(cell.bins), sum(cell.bins), cell.scores) == (5, 3, cell.completed, {})
        told.update({(cell.version, cell.segment, place): count for place, count in enumerate(cell.bins) if count})
    assert told == expected
    assert {segment for _, segment, _ in told} == {"gold", "lead", ""}
    assert {place for _, _, place in told} == {0, 1, 2}


def test_a_rollout_without_bins_tells_its_scores_in_coarse_steps(control: ControlPlane, plane: DataPlane) -> None:
    folder = plane.artifacts
    route = canary_route(folder.linear(100.0), folder.linear(-1.0), 0.0)
    publish(control, plane, route)
    for distance in (0.125, 0.125, 0.25, 7.0):
        plane.infer(columns((distance, "AA")), x_user_id="anna")
    wait_for(lambda: control.completed() == {1: 4}, "all are evidence")
    scores: Counter[int] = Counter()
    for cell in control.cells():
        scores.update(cell.scores)
    assert scores == {50: 2, 100: 1, STEPS - 1: 1}
    publish(control, plane, Route(MODEL, (Arm(1, folder.linear(-1.0), Role.CHAMPION, 1.0),)))
    plane.infer(columns((0.125, "AA")))
    wait_for(lambda: [(cell.completed, cell.scores) for cell in control.cells()] == [(1, {})], "without a rollout nobody asks")


def test_a_canary_that_raises_costs_no_caller_an_answer(control: ControlPlane, plane: DataPlane) -> None:
    """It answers one row, as its golden row, and raises on two."""
    folder = plane.artifacts
    picky = folder.package(picky_model(), [7.0], rows={DISTANCE: [7.0], CARRIER: ["AA"]})
    publish(control, plane, canary_route(picky, folder.linear(0.0), 1.0))
    reply = plane.infer(columns((1.0, "AA"), (2.0, "UA")), x_user_id="anna")
    assert (reply.status, reply.version) == (200, "1")
    assert reply.json["parameters"]["fallback"] is True
    assert reply.json["outputs"][0]["data"] == [3.0, 6.0]
    for one in reply.json["parameters"]["prediction_ids"]:
        read = predictions.read(KEY, MODEL, one)
        assert (read.version, read.revision) == (1, Revision())
    cell = wait_for(control.cells, "the failure is evidence")[0]
    assert (cell.version, cell.completed, cell.failures) == (2, 1, {"error": 1})
    assert [(unit.key, unit.bits) for unit in cell.units] == [(unit_key(SALT, "anna"), FAILED)]
    assert plane.infer(columns((1.0, "AA")), x_user_id="anna").version == "2"


def test_a_score_that_is_no_number_is_a_failure(control: ControlPlane, plane: DataPlane) -> None:
    folder = plane.artifacts
    publish(control, plane, canary_route(folder.package(root_model(), [1.0, 2.0]), folder.linear(0.0), 1.0))
    reply = plane.infer(columns((-1.0, "AA")), x_user_id="anna")
    assert (reply.status, reply.version) == (200, "1")
    wait_for(lambda: [cell.failures for cell in control.cells()] == [{"output": 1}], "the failure is evidence")


@pytest.mark.usefixtures("quiet")
def test_what_only_the_canary_refuses_is_the_canarys_failure(control: ControlPlane, plane: DataPlane) -> None:
    folder = plane.artifacts
    narrow = Signature((Tensor(DISTANCE, "INT64", (-1, 1)), Tensor(CARRIER, "BYTES", (-1, 1))), signature().outputs, SCORE)
    rows: dict[str, list[Any]] = {DISTANCE: [1, 4], CARRIER: ["AA", "UA"]}
    whole_numbers = folder.package(_integer_model(), [1.0, 4.0], signed=narrow, rows=rows)
    publish(control, plane, canary_route(whole_numbers, folder.linear(0.0), 1.0))
    reply = plane.infer(columns((1.5, "AA")), x_user_id="anna")
    assert (reply.status, reply.version) == (200, "1")
    wait_for(lambda: [cell.failures for cell in control.cells()] == [{"signature": 1}], "the failure is evidence")
    both_refuse = plane.infer(b'{"instances": [{"speed": 1}]}', x_user_id="anna")
    assert both_refuse.status == 400
    wait_for(lambda: sum(block.rejected for block in control.blocks) == 1, "the caller's fault is counted")
    assert control.completed() == {2: 1}


def _integer_model() -> bytes:
    inputs = [
        helper.make_tensor_value_info(DISTANCE, TensorProto.INT64, [None, 1]),
        helper.make_tensor_value_info(CARRIER, TensorProto.STRING, [None, 1]),
    ]
    outputs = [helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, [None, 1])]
    nodes = [helper.make_node("Cast", [DISTANCE], [SCORE], to=TensorProto.FLOAT)]
    graph = helper.make_graph(nodes, "integer", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = onnx.ModelProto.SerializeToString(model)
    return content


def test_when_the_champion_fails_too_the_caller_is_told(control: ControlPlane, plane: DataPlane) -> None:
    folder = plane.artifacts
    root = folder.package(root_model(), [1.0, 2.0])
    publish(control, plane, Route(MODEL, (Arm(1, root, Role.CHAMPION, 1.0),)))
    reply = plane.infer(columns((-1.0, "AA")))
    assert (reply.status, reply.headers["content-type"]) == (500, "application/problem+json")
    assert "output" in reply.json["detail"]
    wait_for(lambda: [cell.failures for cell in control.cells()] == [{"output": 1}], "it is counted")


def test_a_version_that_is_asked_for_by_its_number_is_no_evidence(control: ControlPlane, plane: DataPlane) -> None:
    folder = plane.artifacts
    publish(control, plane, canary_route(folder.linear(100.0), folder.linear(0.0), 0.0))
    assert plane.infer(columns((1.0, "AA")), version=2).version == "2"
    assert plane.infer(columns((1.0, "AA")), x_user_id="anna").version == "1"
    wait_for(lambda: control.completed() == {1: 1}, "only what was routed is evidence")


@pytest.mark.usefixtures("quiet")
def test_candidates_that_are_no_good_fail_with_their_reason_and_hurt_nobody(control: ControlPlane, plane: DataPlane) -> None:
    folder = plane.artifacts
    champion = folder.linear(0.0)
    altered = folder.linear(11.0)
    damage(folder, linear_model(11.0), b"damaged")
    missing = folder.linear(12.0)
    folder.file(missing).unlink()
    wrong = folder.package(linear_model(13.0), [1.0, 2.0])
    junk = folder.package(b"no model at all", [1.0, 2.0])
    renamed = folder.package(linear_model(14.0, output="odds"), [1.0, 2.0])
    expected = {altered: "expected sha256", missing: "cannot be read", wrong: "golden", junk: "cannot load", renamed: "outputs"}
    for version, (digest, reason) in enumerate(expected.items(), start=2):
        arms = (Arm(version, digest, Role.CANARY, 0.5), Arm(1, champion, Role.CHAMPION, 0.5))
        publish(control, plane, Route(MODEL, arms, SALT, "header:x-user-id", "rollout-1"))
        replies = [plane.infer(columns((1.0, "AA")), x_user_id=f"user-{n}") for n in range(10)]
        assert {(reply.status, reply.version) for reply in replies} == {(200, "1")}
        state = control.package(digest)
        assert state is not None
        assert (state.readiness, reason in state.reason) == (Readiness.FAILED, True), state
        assert plane.infer(columns((1.0, "AA")), version=version).status == 503
        assert not plane.ready()
    wait_for(lambda: sum(block.unassigned for block in control.blocks) == 50, "nothing of it is evidence")
    assert control.completed() == {}
    publish(control, plane, canary_route(altered, champion, 0.5))
    damage(folder, linear_model(11.0), linear_model(11.0))
    wait_for(plane.ready, "the package is tried again and found whole")


def damage(folder: Folder, model: bytes, content: bytes) -> None:
    folder.file(folder.put(model)).write_bytes(content)


def test_a_new_champion_that_cannot_load_leaves_the_old_one_serving(control: ControlPlane, plane: DataPlane) -> None:
    folder = plane.artifacts
    publish(control, plane, Route(MODEL, (Arm(1, folder.linear(0.0), Role.CHAMPION, 1.0),)))
    junk = folder.package(b"no model either", [1.0, 2.0])
    publish(control, plane, Route(MODEL, (Arm(2, junk, Role.CHAMPION, 1.0),)))
    assert plane.infer(columns((1.0, "AA"))).version == "1"


def test_a_hundred_swaps_under_load_fail_no_request_and_mix_no_answer(control: ControlPlane, plane: DataPlane) -> None:
    """Each answer is that of the version that it names, and the connections are kept alive throughout."""
    folder = plane.artifacts
    digests = {version: folder.linear(100.0 * version) for version in (1, 2, 3)}

    def route(champion: int) -> Route:
        others = [Arm(version, digest, Role.RETAINED) for version, digest in digests.items() if version == champion % 3 + 1]
        return Route(MODEL, (Arm(champion, digests[champion], Role.CHAMPION, 1.0), *others))

    for champion in (2, 3, 1):  # each package has been examined before the hurry begins
        publish(control, plane, route(champion))
    wrong: list[object] = []
    seen: set[int] = set()
    stop = threading.Event()

    def ask() -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", plane.port, timeout=10)) as connection:
            while not stop.is_set():
                distance = float(random.randrange(1000))
                connection.request("POST", f"/v2/models/{MODEL}/infer", columns((distance, "UA")))
                response = connection.getresponse()
                content = json.loads(response.read())
                version = int(response.headers["x-lockgate-version"] or 0)
                seen.add(version)
                if response.status != 200 or content["outputs"][0]["data"] != [answer_of(100.0 * version, distance, "UA")]:
                    wrong.append((response.status, content))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        for swap in range(100):
            revision = control.publish(route(swap % 3 + 1))
            time.sleep(0.03)
        wait_for(lambda: control.applied(revision), "the last table is in force")
    assert wrong == []
    assert seen == {1, 2, 3}
    assert sum(event["event"] == "routes applied" for event in plane.events) >= 30  # a table may overtake another one


def test_an_unwatched_canary_goes_home_and_comes_back(new_plane: Callable[..., DataPlane], own_control: ControlPlane) -> None:
    control = own_control
    plane = new_plane("--orphan-timeout", "2.5")
    folder = plane.artifacts
    publish(control, plane, canary_route(folder.linear(100.0), folder.linear(0.0), 1.0))
    assert plane.infer(columns((1.0, "AA")), x_user_id="anna").version == "2"
    control.away = True
    wait_for(lambda: plane.infer(columns((1.0, "AA")), x_user_id="anna").version == "1", "the canary's share goes home")
    control.away = False
    wait_for(lambda: plane.infer(columns((1.0, "AA")), x_user_id="anna").version == "2", "and comes back")
