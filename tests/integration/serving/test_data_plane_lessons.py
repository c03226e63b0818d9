"""Lessons on their way from a caller to the control plane: acknowledged once nothing can lose them, and told exactly once."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from lockgate.boundary.key_file import KEY_FILE
from lockgate.boundary.keys import KeyScope, new_key
from lockgate.boundary.observations import Lesson
from lockgate.boundary.routes import Arm, Part, Role, Route, Segmentation
from lockgate.integrations.local.keys import LocalKeys
from lockgate.kernel.clock import SystemClock
from lockgate.serving.protocol.lessons import MOST_ROWS
from lockgate.testing.clock import START
from tests.integration.serving.data_plane import (
    CARRIER,
    DISTANCE,
    MODEL,
    ControlPlane,
    DataPlane,
    Folder,
    Reply,
    call,
    columns,
    wait_for,
)

pytestmark = pytest.mark.integration

STOPPED, PLAIN, MISSING = "stopped", "plain", "missing"
LEARN = f"/v2/models/{MODEL}/learn"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, DataPlane]]:
    """A model that learns, with an own champion for one segment; one whose learning is stopped; one that learns nothing; and one
    that is not there.
    """
    path = tmp_path_factory.mktemp("lessons")
    folder = Folder(path / "artifacts")
    with ControlPlane().serving() as control:
        plane = DataPlane(path / "home", folder, f"http://127.0.0.1:{control.port}", ("--grace", "0"))
        arm, other = (Arm(version, folder.linear(float(version)), Role.CHAMPION, 1.0) for version in (3, 4))
        segments = Segmentation("header:x-tier", ("gold",))
        gold = Part("gold", Route(MODEL, (other,), segments=segments))
        control.publish(
            Route(MODEL, (arm,), segments=segments, learns=True, parts=(gold,)),
            *(
                Route(name, (structs.replace(arm, digest=folder.linear(3.0, name)),), learns=learns)
                for name, learns in ((STOPPED, False), (PLAIN, None))
            ),
            Route(MISSING, (Arm(9, "sha256:" + "0" * 64, Role.CHAMPION, 1.0),), learns=True),
        )
        plane.start()
        wait_for(lambda: plane.get(f"/v2/models/{MODEL}/ready").status == 200, "the model is ready")
        yield control, plane
        plane.stop()


def rows(*values: float, **more: Any) -> dict[str, Any]:
    return {"instances": [{DISTANCE: value, CARRIER: "AA"} for value in values], "labels": [1] * len(values), **more}


def learn(plane: DataPlane, content: object, model: str = MODEL, **headers: str) -> Reply:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return call(plane.url(f"/v2/models/{model}/learn"), body, {name.replace("_", "-"): value for name, value in headers.items()})


def lessons(control: ControlPlane) -> list[Lesson]:
    return [lesson for block in list(control.blocks) for lesson in block.lessons]


def found(control: ControlPlane, name: str) -> Lesson:
    wait_for(lambda: any(one.id == name for one in lessons(control)), "the lesson")
    (lesson,) = (one for one in lessons(control) if one.id == name)
    return lesson


def test_a_lesson_arrives_as_the_champion_reads_it(home: tuple[ControlPlane, DataPlane]) -> None:
    control, plane = home
    began = SystemClock().unix()
    reply = learn(plane, {**json.loads(columns((0.1, "AA"), (2.0, "ü"))), "labels": [True, 0.25], "id": "mine"}, x_tier="gold")
    assert (reply.status, reply.json) == (202, {"accepted": 2, "id": "mine"})
    lesson = found(control, "mine")
    assert (lesson.model, lesson.version, lesson.labels) == (MODEL, 3, (1.0, 0.25))
    assert lesson.inputs == {DISTANCE: [float(np.float32(0.1)), 2.0], CARRIER: ["AA", "ü"]}
    assert began <= lesson.at <= SystemClock().unix()


def test_without_an_id_each_lesson_gets_one_of_its_own(home: tuple[ControlPlane, DataPlane]) -> None:
    control, plane = home
    names = [learn(plane, rows(1.0)).json["id"] for _ in range(3)]
    assert len(set(names)) == 3
    for name in names:
        found(control, name)


def test_an_id_that_comes_again_is_sent_on_for_the_log_to_decide(home: tuple[ControlPlane, DataPlane]) -> None:
    control, plane = home
    for _ in range(2):
        assert learn(plane, rows(1.0, id="twice")).json == {"accepted": 1, "id": "twice"}
    wait_for(lambda: [one.id for one in lessons(control)].count("twice") == 2, "both")


REFUSED: dict[str, tuple[str, object, int, str]] = {
    "an unknown model": ("nothing", rows(1.0), 404, "there is no model 'nothing' here"),
    "a model that learns nothing": (PLAIN, rows(1.0), 409, "strategy: online"),
    "a model whose learning is stopped": (STOPPED, rows(1.0), 409, f"lockgate learning status {STOPPED}"),
    "a champion that is not loaded": (MISSING, rows(1.0), 503, "not ready"),
    "another count of labels": (MODEL, rows(1.0) | {"labels": [1, 0]}, 400, "labels: 2 found, one for each of 1 rows"),
    "NaN": (MODEL, rows(float("nan")), 400, f"{DISTANCE}: row 0: nan"),
    "text as a label": (MODEL, rows(1.0) | {"labels": ["late"]}, 400, "labels[0]: expected a number"),
    "a missing input": (MODEL, {"instances": [{DISTANCE: 1.0}], "labels": [1]}, 400, f"instances[0].{CARRIER}: this input"),
    "no JSON": (MODEL, b"no JSON", 400, "this is not JSON"),
    "too many rows": (MODEL, rows(*[1.0] * (MOST_ROWS + 1)), 413, f"{MOST_ROWS + 1} rows found"),
    "too large a body": (MODEL, b" " * (17 << 20), 413, "the body is larger"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_learned_is_refused_with_the_reason(home: tuple[ControlPlane, DataPlane], what: str) -> None:
    control, plane = home
    model, content, status, words = REFUSED[what]
    before = len(lessons(control))
    reply = learn(plane, content, model)
    assert reply.status == status, reply.body
    assert words in reply.json["error"]
    assert reply.headers["content-type"] == "application/problem+json"
    assert len(lessons(control)) == before


def test_other_forms_and_methods_are_named_as_such(home: tuple[ControlPlane, DataPlane]) -> None:
    _, plane = home
    assert learn(plane, rows(1.0), content_type="text/csv").status == 415
    reply = call(plane.url(LEARN), method="GET")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert call(plane.url(f"/v2/models/{MODEL}/versions/3/learn"), b"{}").status == 405  # a version learns nothing by itself


def test_a_large_lesson_holds_up_nobody_and_arrives_whole(home: tuple[ControlPlane, DataPlane]) -> None:
    control, plane = home
    content = rows(*(float(number) for number in range(MOST_ROWS)), id="large")
    assert len(json.dumps(content)) > 256 << 10
    assert learn(plane, content).json == {"accepted": MOST_ROWS, "id": "large"}
    assert found(control, "large").inputs[DISTANCE] == [float(number) for number in range(MOST_ROWS)]


def test_accepted_lessons_are_counted(home: tuple[ControlPlane, DataPlane]) -> None:
    _, plane = home

    def counted() -> int:
        text = plane.get("/metrics").body.decode()
        return int(next(line for line in text.splitlines() if line.startswith("lockgate_lessons_total")).split()[-1])

    before = counted()
    for _ in range(3):
        learn(plane, rows(1.0, 2.0))
    wait_for(lambda: counted() == before + 3, "the counter")


def test_a_worker_killed_right_after_its_202_has_lost_nothing(
    new_plane: Callable[..., DataPlane], own_control: ControlPlane
) -> None:
    plane = new_plane("--workers", "1")
    own_control.publish(Route(MODEL, (Arm(1, plane.artifacts.linear(0.0), Role.CHAMPION, 1.0),), learns=True))
    wait_for(plane.ready, "the model is ready")
    accepted = []
    for life in range(3):
        for number in range(3 * life + 1):
            reply = learn(plane, rows(float(life), id=f"{life}/{number}"))
            assert reply.status == 202
            accepted.append(reply.json["id"])
        os.kill(plane.pids[-1], signal.SIGKILL)
        wait_for(lambda life=life: plane.serving >= 2 + life, "another worker takes its place")
    wait_for(lambda: len(lessons(own_control)) >= len(accepted), "what the dead left is told")
    assert plane.stop() == 0
    assert sorted(one.id for one in lessons(own_control)) == sorted(accepted)


def test_workers_that_are_killed_under_load_lose_no_lesson_and_tell_none_twice(
    new_plane: Callable[..., DataPlane], own_control: ControlPlane
) -> None:
    plane = new_plane("--workers", "2")
    own_control.publish(Route(MODEL, (Arm(1, plane.artifacts.linear(0.0), Role.CHAMPION, 1.0),), learns=True))
    wait_for(lambda: own_control.applied(own_control.table.revision, workers=2), "both workers are ready")
    sent: Counter[str] = Counter()
    accepted: list[str] = []
    stop = threading.Event()

    def teach(teacher: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = f"{teacher}/{number}"
            sent[name] += 1
            try:
                if learn(plane, rows(*[1.0] * (number % 3 + 1), id=name)).status == 202:
                    accepted.append(name)
            except OSError:
                continue  # cut off: it may have been kept or not

    threads = [threading.Thread(target=teach, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for kill in range(4):
        time.sleep(0.31)
        plane.kill_worker()
        wait_for(lambda kill=kill: plane.serving >= 3 + kill, "another worker takes its place")
    stop.set()
    for thread in threads:
        thread.join()
    wait_for(lambda: len(list((plane.home / "data-plane" / "spool").glob("[!.]*"))) == 2, "what the dead left is told")
    assert plane.stop() == 0
    told = Counter(one.id for one in lessons(own_control))
    assert set(told.values()) == {1}
    assert set(accepted) <= set(told) <= set(sent)
    assert len(accepted) > 50


def test_while_the_control_plane_is_away_lessons_are_taken_and_arrive_once_it_is_back(
    new_plane: Callable[..., DataPlane], own_control: ControlPlane
) -> None:
    plane = new_plane("--workers", "1")
    own_control.publish(Route(MODEL, (Arm(1, plane.artifacts.linear(0.0), Role.CHAMPION, 1.0),), learns=True))
    wait_for(plane.ready, "the model is ready")
    own_control.away = True
    names = [learn(plane, rows(float(number))).json["id"] for number in range(20)]
    time.sleep(0.5)
    plane.kill_worker()
    wait_for(lambda: plane.serving >= 2, "another worker takes its place")
    wait_for(lambda: plane.get(f"/v2/models/{MODEL}/ready").status == 200, "it can answer by the kept table")
    names += [learn(plane, rows(float(number))).json["id"] for number in range(20)]
    assert lessons(own_control) == []
    own_control.away = False
    wait_for(lambda: len(lessons(own_control)) >= 40, "the lessons")
    assert sorted(one.id for one in lessons(own_control)) == sorted(names)


def test_who_may_ask_for_answers_may_not_teach(
    tmp_path: Path, new_plane: Callable[..., DataPlane], own_control: ControlPlane
) -> None:
    (tmp_path / "home" / "secrets").mkdir(parents=True)
    keys = {
        scope: new_key(scope.value, [scope], START, models=[MODEL])
        for scope in (KeyScope.INFER, KeyScope.FEEDBACK, KeyScope.LEARN)
    }
    LocalKeys(tmp_path / "home" / "secrets" / KEY_FILE).write([key for key, _ in keys.values()])
    plane = new_plane("--workers", "1")
    own_control.publish(Route(MODEL, (Arm(1, plane.artifacts.linear(0.0), Role.CHAMPION, 1.0),), learns=True))
    wait_for(plane.ready, "the model is ready")
    assert learn(plane, rows(1.0)).status == 401
    for scope, status in ((KeyScope.INFER, 403), (KeyScope.FEEDBACK, 403), (KeyScope.LEARN, 202)):
        assert learn(plane, rows(1.0), x_api_key=keys[scope][1]).status == status
    refused = plane.infer(columns((1.0, "AA")), x_api_key=keys[KeyScope.LEARN][1])
    assert refused.status == 403
