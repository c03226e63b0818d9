"""The data plane as processes: killed, restarted, drained, without its control plane; nothing promised is lost or doubled."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lockgate.boundary.acknowledgements import Readiness
from lockgate.boundary.records import frames
from lockgate.boundary.routes import Arm, Role, Route
from tests.integration.serving.data_plane import (
    CARRIER,
    DISTANCE,
    MODEL,
    ControlPlane,
    DataPlane,
    answer_of,
    columns,
    wait_for,
)

pytestmark = pytest.mark.integration

NewPlane = Callable[..., DataPlane]
LOAD_PATIENCE = 20.0  # seconds that a worker waits for its packages before it serves without them


def champion(plane: DataPlane, bias: float = 0.0) -> Route:
    return Route(MODEL, (Arm(1, plane.artifacts.linear(bias), Role.CHAMPION, 1.0),))


def started(new_plane: NewPlane, control: ControlPlane, *options: str) -> DataPlane:
    plane = new_plane(*options)
    control.publish(champion(plane))
    wait_for(plane.ready, "the data plane is ready")
    return plane


def test_a_worker_serves_without_a_control_plane_what_it_served_before(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = started(new_plane, own_control)
    assert plane.stop() == 0
    own_control.away = True
    again = new_plane()
    wait_for(again.ready, "it serves by the table that it kept")
    assert again.infer(columns((1.0, "AA"))).json["outputs"][0]["data"] == [answer_of(0.0, 1.0, "AA")]


def test_a_killed_worker_is_replaced_and_what_it_spooled_arrives_once(new_plane: NewPlane, own_control: ControlPlane) -> None:
    """The control plane is away while answers are counted; the worker is killed; another one sends what it left."""
    control = own_control
    plane = started(new_plane, control)
    control.away = True
    ids = []
    for _ in range(30):
        ids.append(plane.infer(columns((1.0, "AA"))).json["parameters"]["prediction_id"])
        time.sleep(0.02)
    time.sleep(0.4)  # the block is closed and on disk
    assert plane.feedback([{"prediction_id": one, "label": 1} for one in ids]).status == 202
    plane.kill_worker()  # at once: the labels stand in no block yet
    wait_for(lambda: plane.serving == 2, "another worker takes its place")
    for _ in range(20):
        assert plane.infer(columns((1.0, "AA"))).status == 200
    control.away = False
    wait_for(lambda: sum(control.completed().values()) == 50 and len(control.labels()) == 30, "everything has arrived")
    time.sleep(0.5)
    assert sum(control.completed().values()) == 50
    assert Counter(label.prediction_id for label in control.labels()) == Counter(ids)
    assert len({block.incarnation for block in control.blocks}) == 2
    for incarnation in {block.incarnation for block in control.blocks}:
        sequences = [block.sequence for block in control.blocks if block.incarnation == incarnation]
        assert sequences == sorted(set(sequences))
    spools = plane.home / "data-plane" / "spool"
    wait_for(
        lambda: len([one for one in spools.iterdir() if not one.name.startswith(".")]) == 1, "the dead worker's spool is gone"
    )


def test_new_connections_wait_while_a_killed_worker_is_replaced(new_plane: NewPlane, own_control: ControlPlane) -> None:
    """The supervisor holds the port: only what a worker had in its hands dies with it."""
    plane = started(new_plane, own_control)
    for _ in range(2):
        plane.kill_worker()
        assert plane.infer(columns((1.0, "AA"))).status == 200


def test_two_workers_share_the_port_and_one_may_die(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = started(new_plane, own_control, "--workers", "2")
    wait_for(lambda: own_control.applied(own_control.table.revision, workers=2), "both workers know the routes")
    wait_for(lambda: plane.serving == 2 and own_control.able(2), "both serve", 60)
    plane.kill_worker(0)
    statuses = {plane.infer(columns((1.0, "AA"))).status for _ in range(50)}
    assert statuses == {200}
    wait_for(lambda: sum(own_control.completed().values()) == 50, "all are evidence")
    wait_for(
        lambda: f'lockgate_requests_total{{model="{MODEL}",version="1"}} 50' in plane.get("/metrics").body.decode(), "the sum"
    )


@pytest.mark.parametrize("ending", ["SIGTERM", "standard input"])
def test_a_stop_finishes_what_is_under_way_and_exits_cleanly(new_plane: NewPlane, own_control: ControlPlane, ending: str) -> None:
    plane = started(new_plane, own_control, "--grace", "0.3", *(["--watch-stdin"] if ending != "SIGTERM" else []))
    assert plane.process is not None
    body = columns((1.0, "AA"))
    with socket.create_connection(("127.0.0.1", plane.port), timeout=10) as caller:
        head = f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        caller.sendall(head.encode() + body[:20])
        time.sleep(0.1)
        if ending == "SIGTERM":
            plane.process.send_signal(signal.SIGTERM)
            wait_for(lambda: plane.get("/v2/health/ready").status == 503, "it says that it is not ready")
        elif plane.process.stdin:
            plane.process.stdin.close()
        time.sleep(0.5)  # it takes no new connections by now
        caller.sendall(body[20:])
        answer = caller.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer.lower()
    assert plane.ended() == 0
    assert sum(own_control.completed().values()) == 1  # told before it ended


def test_a_stop_is_bounded_however_slow_a_caller_is(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = started(new_plane, own_control, "--drain", "0.5", "--grace", "0")
    with socket.create_connection(("127.0.0.1", plane.port)) as caller:
        caller.sendall(f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{{".encode())
        time.sleep(0.1)
        begun = time.monotonic()
        assert plane.stop() == 0
        assert time.monotonic() - begun < 5


def test_no_request_fails_while_a_server_drains(new_plane: NewPlane, own_control: ControlPlane) -> None:
    """A caller that minds `connection: close` loses nothing: it gets an answer, or finds nobody listening."""
    plane = started(new_plane, own_control, "--grace", "0.4")
    port = plane.port
    outcomes: Counter[str] = Counter()

    def ask() -> None:
        while True:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                try:
                    connection.connect()
                except OSError:
                    return
                outcomes[_ask_until_closed(connection)] += 1

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    plane.stop()
    for thread in threads:
        thread.join()
    assert outcomes["closed politely"] >= 3
    assert outcomes["refused late"] <= 3  # a connection that the kernel took for a process that was about to end
    assert set(outcomes) <= {"closed politely", "refused late"}


def _ask_until_closed(connection: http.client.HTTPConnection) -> str:
    answered = 0
    while True:
        try:
            connection.request("POST", f"/v2/models/{MODEL}/infer", columns((1.0, "AA")))
            response = connection.getresponse()
            response.read()
        except OSError:
            return "cut off" if answered else "refused late"
        if response.status != 200:
            return f"answered {response.status}"
        answered += 1
        if response.headers["connection"] == "close":
            return "closed politely"


def test_workers_end_when_their_supervisor_is_killed(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = started(new_plane, own_control)
    assert plane.process is not None
    plane.process.kill()
    plane.ended()
    wait_for(lambda: not _alive(plane.pids[-1]), "the worker is gone")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_that_still_loads_lets_go_of_the_port_when_its_supervisor_is_killed(
    new_plane: NewPlane, own_control: ControlPlane
) -> None:
    """The package is tried first, by the supervisor that is gone: nobody is going to say that it may be loaded."""
    plane = started(new_plane, own_control)
    plane.stop()
    shutil.rmtree(plane.home / "data-plane" / "examined")
    plane.start()
    port = plane.port
    wait_for(lambda: plane.pids, "the worker is started")
    assert plane.process is not None
    wait_for(lambda: any(event["event"] == "routes applied" for event in list(plane.events)), "it loads")
    plane.process.kill()
    plane.process.wait()
    killed = time.monotonic()
    wait_for(lambda: _free(port), "the port is free", 15)
    assert time.monotonic() - killed < LOAD_PATIENCE / 2
    plane.ended()
    told = [one for one in own_control.workers.values() for state in one.packages.values() if state.readiness is Readiness.FAILED]
    assert all(one.leaving for one in told), "that it ends is no fault of the package's: a rollout would be aborted for it"


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_every_answer_is_recorded_once(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = started(new_plane, own_control)
    sent = [(float(n), "UA" if n % 2 else "AA") for n in range(40)]
    ids = [plane.infer(columns(row)).json["parameters"]["prediction_id"] for row in sent]
    assert plane.stop() == 0
    segments = sorted((plane.home / "data-plane" / "records").glob("*.seg"))
    records = [record for path in segments for _, record in frames(path.read_bytes())]
    assert [record.prediction_ids for record in records] == [(one,) for one in ids]
    assert [(record.inputs[DISTANCE], record.inputs[CARRIER]) for record in records] == [([row[0]], [row[1]]) for row in sent]
    assert [record.scores for record in records] == [(answer_of(0.0, *row),) for row in sent]
    assert sum(block.records_logged for block in own_control.blocks) == 40


def test_a_start_that_cannot_succeed_says_why(tmp_path: Path, own_control: ControlPlane, new_plane: NewPlane) -> None:
    plane = started(new_plane, own_control)
    folders = ["--home", str(tmp_path / "other"), "--artifacts", str(tmp_path), "--secrets", str(tmp_path / "home" / "secrets")]
    argv = [sys.executable, "-m", "lockgate.serving", *folders]
    taken = subprocess.Popen([*argv, "--port", str(plane.port)], stderr=subprocess.PIPE)
    no_secrets = subprocess.run([*argv, "--secrets", str(tmp_path / "none")], capture_output=True, check=False, text=True)
    assert no_secrets.returncode == 1
    assert "prediction.key cannot be read" in no_secrets.stderr
    assert "hint:" in no_secrets.stderr
    assert taken.wait(15) == 1
    assert taken.stderr is not None
    with taken.stderr:
        assert b"is taken" in taken.stderr.read()
    assert list((tmp_path / "other").iterdir()) == []
