"""Workers that come and go, models that sleep, shadows that hang: and no caller notices."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from lockgate.boundary.records import frames
from lockgate.boundary.routes import Arm, Role, Route, Shadow
from tests.integration.serving.data_plane import CARRIER, DISTANCE, MODEL, ControlPlane, DataPlane, columns, wait_for

pytestmark = pytest.mark.integration

BODY = columns((4.0, "UA"))
NewPlane = Callable[..., DataPlane]


def champion(plane: DataPlane, bias: float = 0.0, *shadows: Shadow) -> Route:
    return Route(MODEL, (Arm(1, plane.artifacts.linear(bias), Role.CHAMPION, 1.0),), shadows=shadows)


def serve(plane: DataPlane, control: ControlPlane, route: Route) -> None:
    revision = control.publish(route)
    wait_for(lambda: control.applied(revision) and plane.ready(), "the route is in force", 60)


@contextmanager
def load(plane: DataPlane, body: bytes = BODY, callers: int = 2) -> Iterator[list[int]]:
    """Requests one after the other from each of some callers, as an HTTP client does it: statuses, 0 for a broken connection."""
    statuses: list[int] = []
    over = threading.Event()

    def call() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=30)
        while not over.is_set():
            try:
                connection.request("POST", f"/v2/models/{MODEL}/infer", body, {"content-type": "application/json"})
                response = connection.getresponse()
                response.read()
                statuses.append(response.status)
            except (OSError, http.client.HTTPException):
                statuses.append(0)
                connection.close()
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_all_workers_are_replaced_one_after_the_other_and_no_request_fails(
    new_plane: NewPlane, own_control: ControlPlane
) -> None:
    plane = new_plane("--workers", "2")
    own_control.publish(champion(plane))
    wait_for(lambda: own_control.able(2), "two workers serve", 60)
    before = set(plane.pids)
    with load(plane) as statuses:
        for round_ in (1, 2):
            assert plane.process is not None
            plane.process.send_signal(signal.SIGHUP)
            wait_for(lambda n=round_: told(plane, "workers replaced") == n, "both workers are new", 60)
        time.sleep(0.3)
    assert set(statuses) == {200}
    assert len(statuses) > 50
    assert len(set(plane.pids) - before) == 4
    assert not told(plane, "worker died")


def test_a_worker_is_added_when_requests_wait(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = new_plane("--workers", "1-2")
    serve(plane, own_control, champion(plane))
    rows = columns(*[(float(number), "UA") for number in range(2000)])
    with load(plane, rows, callers=4) as statuses:
        wait_for(lambda: plane.serving == 2, "a second worker serves", 60)
    assert set(statuses) == {200}


def test_who_asks_for_a_model_that_sleeps_waits_for_it(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = new_plane("--idle", "0.6")
    serve(plane, own_control, champion(plane))
    wait_for(lambda: told(plane, "package sleeps") == 1, "the model sleeps")
    assert plane.ready(), "what sleeps can answer"
    with ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(lambda _: plane.infer(BODY).status, range(100)))
    assert set(statuses) == {200}
    wait_for(lambda: told(plane, "package awake") >= 1, "the log says that it woke up")
    assert told(plane, "package awake") == 1, "all of them waited for one load"


def test_a_client_may_free_a_models_memory_and_load_it_again(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = new_plane()
    serve(plane, own_control, champion(plane))
    unload, reload = (f"/v2/repository/models/{MODEL}/{verb}" for verb in ("unload", "load"))
    assert post(plane, unload) == 200
    wait_for(lambda: told(plane, "package sleeps") == 1, "the model sleeps")
    assert post(plane, reload) == 200
    wait_for(lambda: told(plane, "package awake") == 1, "the log says that it woke up")
    assert plane.infer(BODY).status == 200
    assert post(plane, "/v2/repository/models/other/load") == 404
    assert post(plane, reload, b'{"parameters": {"config": "{}"}}') == 400


def test_shadows_are_paired_with_the_answers_that_were_given(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = new_plane()
    near = Shadow(2, plane.artifacts.linear(0.25), threshold=10.2)
    far = Shadow(3, plane.artifacts.linear(100.0), threshold=10.2)
    serve(plane, own_control, champion(plane, 0.0, near, far))
    wait_for(lambda: told(plane, "package ready") == 3, "both shadows are ready", 60)
    for number in range(40):
        assert plane.infer(columns((float(number % 8), "UA"))).status == 200
    wait_for(lambda: paired(own_control) == {2: 40, 3: 40}, "all answers are paired", 30)
    cells = [cell for cell in own_control.cells() if cell.shadow]
    agreed = {version: sum(cell.agreed for cell in cells if cell.version == version) for version in (2, 3)}
    # 2·distance + 2, against the same + 0.25 and + 100: on another side of 10.2 for one distance of eight, and for five
    assert agreed == {2: 35, 3: 15}
    assert own_control.completed()[1] == 40
    kept = [record for path in segments(plane) for _, record in frames(path.read_bytes())]
    given = {record.prediction_ids[0]: record.scores[0] for record in kept if not record.shadow}
    deltas = {(record.version, round(record.scores[0] - given[record.pair or ""], 3)) for record in kept if record.shadow}
    assert deltas == {(2, 0.25), (3, 100.0)}


def test_a_hung_shadow_costs_nobody_an_answer_and_is_told_of(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = new_plane()
    serve(plane, own_control, champion(plane, 0.0, Shadow(2, plane.artifacts.linear(1.0))))
    wait_for(lambda: told(plane, "package ready") == 2, "the shadow is ready", 60)
    (host,) = hosts()
    os.kill(host, signal.SIGSTOP)
    try:
        statuses = [plane.infer(BODY).status for _ in range(50)]
        assert set(statuses) == {200}
    finally:
        os.kill(host, signal.SIGCONT)
    wait_for(lambda: paired(own_control).get(2, 0) + shed(plane) == 50, "every one is paired or shed", 30)


def told(plane: DataPlane, event: str) -> int:
    return sum(one["event"] == event for one in list(plane.events))


def paired(control: ControlPlane) -> dict[int, int]:
    counts: dict[int, int] = {}
    for cell in control.cells():
        if cell.shadow:
            counts[cell.version] = counts.get(cell.version, 0) + cell.completed
    return counts


def shed(plane: DataPlane) -> int:
    lines = plane.get("/metrics").body.decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("lockgate_shadows_shed_total "))


def segments(plane: DataPlane) -> list[Path]:
    return sorted((plane.home / "data-plane" / "records").glob("*.seg"))


def hosts() -> list[int]:
    """Processes that run models for the data planes of this test."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"lockgate.serving.isolation.host" in path.read_bytes() and str(os.getpid()) in ancestors(path.parent):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def ancestors(process: Path) -> set[str]:
    seen = set[str]()
    while process.name not in ("0", "1"):
        seen.add(process.name)
        process = process.parent / (process / "stat").read_text().rpartition(")")[2].split()[1]
    return seen


def post(plane: DataPlane, path: str, body: bytes = b"{}") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=30)
    connection.request("POST", path, body)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_route_of_a_request_can_be_asked_for_without_running_it(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = new_plane()
    serve(plane, own_control, champion(plane))
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=30)
    connection.request("POST", f"/v2/models/{MODEL}/route", json.dumps({"instances": [{DISTANCE: 1.0, CARRIER: "UA"}]}))
    told_of = json.loads(connection.getresponse().read())
    connection.close()
    assert (told_of["model_version"], told_of["evidence"]) == ("1", True)
    assert own_control.completed() == {}
