"""What the REST API tells of a home with a history."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Scope

from lockgate.entrypoints.api.app import create_app
from lockgate.kernel.errors import Unavailable
from lockgate.ports.state import RUNS
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.builders import run, step_run
from lockgate.testing.clock import VirtualClock
from lockgate.usecases.world import World
from tests.samples.asgi import Client, client_of
from tests.samples.story import MODEL, Story, begin

API = "/api/v1"


def items(reader: Client, path: str) -> list[dict[str, Any]]:
    answer = reader.get(API + path)
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json["items"]
    return found


def test_status_says_what_is_live_with_whom_since_when(reader: Client, told: Story) -> None:
    status = reader.get(API + "/status").json
    live = {one["model"]: one for one in status["models"]}
    assert live[MODEL]["version"] == 2
    assert live[MODEL]["on_trial"] == 4
    assert live[MODEL]["share"] == 0.75
    assert live[MODEL]["trial_share"] == 0.25
    assert live[MODEL]["by"] == "controller"
    assert live[MODEL]["since"] is not None
    assert live["taxi-out"]["version"] is None
    assert live["taxi-out"]["staging"] == 1
    assert status["revision"] == str(told.table().revision)
    assert [worker["alive"] for worker in status["workers"]] == [True, True]


def test_models_and_their_versions(reader: Client) -> None:
    assert {one["name"] for one in items(reader, "/models")} == {MODEL, "taxi-out", "fares"}
    assert reader.get(f"{API}/models/{MODEL}").json["aliases"] == {"champion": 2}
    assert [one["version"] for one in items(reader, f"/models/{MODEL}/versions")] == [4, 3, 2, 1]
    assert [one["version"] for one in items(reader, f"/models/{MODEL}/versions?stage=Production")] == [2]


def test_a_version_comes_with_gates_and_lineage(reader: Client) -> None:
    version = reader.get(f"{API}/models/{MODEL}/versions/2").json
    assert [gate["verdict"] for gate in version["gates"]] == ["PASS", "PASS"]
    assert version["gates"][0]["measured"]["limit"] == 0.65
    assert version["manifest"]["lineage"]["commit"] == "b5d2e0814c7f"
    assert version["manifest"]["files"][0]["name"] == "model.onnx"


def test_a_rollout_comes_with_what_each_arm_did_and_the_evidence(reader: Client) -> None:
    harmful = next(one for one in items(reader, f"/rollouts?model={MODEL}") if one["version"] == 3)
    assert harmful["phase"] == "aborted"
    full = reader.get(f"{API}/rollouts/{harmful['id']}").json
    assert full["outcome"]["metrics"] == ["labels"]
    assert full["arms"]["canary"]["completed"] == full["outcome"]["exposed_requests"]
    assert full["arms"]["canary"]["completed"] + full["arms"]["baseline"]["completed"] == full["outcome"]["requests"]
    series = full["series"]
    assert series["rows"] == harmful["rows"]
    lengths = {len(series[name]) for name in ("at", "requests", "weight", "step")}
    lengths |= {len(column) for group in ("harm", "safe") for column in series[group].values()}
    assert len(lengths) == 1
    assert series["harm"]["all"][-1] >= series["bounds"]["harm"]
    assert set(series["safe"]) == {"errors", "latency", "labels"}
    assert reader.get(f"{API}/rollouts/{harmful['id']}/series").json == series


def test_runs_with_steps_and_logs(reader: Client) -> None:
    assert [one["status"] for one in items(reader, "/runs?status=refused")] == ["refused"]
    run = items(reader, f"/runs?model={MODEL}")[0]
    assert reader.get(f"{API}/runs/{run['id']}").json["steps"][5]["name"] == "model"
    log = reader.get(f"{API}/runs/{run['id']}/logs/model")
    assert log.headers["content-type"].startswith("text/plain")
    assert log.text.startswith("model: line 1 ")
    tail = reader.get(f"{API}/runs/{run['id']}/logs/model?tail=90").text
    assert tail.startswith("model: line ")
    assert log.text.endswith(tail)
    assert len(tail) <= 90


def test_requests_by_state(reader: Client) -> None:
    waiting = items(reader, "/requests?state=open")
    assert [(one["model"], one["to_stage"]) for one in waiting] == [("taxi-out", "Production")]
    decided = items(reader, f"/requests?model={MODEL}&state=approved")
    assert decided[0]["decisions"][0]["by"] == "ben"
    whole = reader.get(f"{API}/requests/{waiting[0]['id']}").json
    assert whole == {**waiting[0], "approvals": {"have": 0, "need": 1, "roles": []}}


def test_findings_and_triggers(reader: Client) -> None:
    assert {one["kind"] for one in items(reader, "/findings")} == {"drift", "performance_drop"}
    assert len(items(reader, "/findings?model=fares")) == 0
    assert {one["action"] for one in items(reader, "/triggers?decision=fired")} == {"notify", "retrain"}


def test_events_are_read_to_the_end_without_a_gap(reader: Client) -> None:
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = reader.get(f"{API}/events?after={after}&limit=20").json
        seen += [one["seq"] for one in page["items"]]
        after = page["next_after"]
    assert seen == list(range(1, len(seen) + 1))
    of_taxi = reader.get(f"{API}/events?model=taxi-out").json["items"]
    assert {one["model"] for one in of_taxi} == {"taxi-out"}


def test_pages_of_a_listing_make_the_whole(reader: Client) -> None:
    whole = items(reader, "/runs")
    parts = [one for offset in range(0, len(whole), 2) for one in items(reader, f"/runs?limit=2&offset={offset}")]
    assert parts == whole
    assert reader.get(f"{API}/runs?limit=2").json["total"] == len(whole)


@pytest.mark.parametrize("question", ["limit=0", "limit=201", "offset=-1", "limit=many"])
def test_a_page_is_bounded(reader: Client, question: str) -> None:
    answer = reader.get(f"{API}/runs?{question}")
    assert answer.status == 422
    assert answer.json["errors"][0]["field"] == question.partition("=")[0]


@pytest.mark.parametrize(
    "path",
    [
        "/models/nothing",
        "/models/nothing/versions",
        f"/models/{MODEL}/versions/99",
        "/requests/request-0",
        "/rollouts/rollout-0",
        "/rollouts/rollout-0/series",
        "/runs/run-0",
        "/runs/run-0/logs/model",
    ],
)
def test_what_is_not_there_is_said_so(reader: Client, path: str) -> None:
    answer = reader.get(API + path)
    assert answer.status == 404
    problem = answer.json
    assert (problem["status"], problem["title"]) == (404, "Not Found")
    assert problem["detail"]


def test_a_log_is_only_read_inside_the_homes_runs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "runs").mkdir(parents=True)
    (home / "secret").write_text("control token")
    (tmp_path / "outside").write_text("outside")
    story = begin(home)
    with story.world.state.write() as tx:
        for index, log in enumerate(["runs/../secret", "../outside", str(tmp_path / "outside"), "runs/gone.log", None]):
            tx.put(RUNS, run(id=f"run-{index}", steps=(step_run(log=log),)))
    client = client_of(story)
    assert {client.get(f"{API}/runs/run-{index}/logs/train").status for index in range(5)} == {404}


def test_a_step_that_is_not_there_has_no_log(reader: Client) -> None:
    run = items(reader, f"/runs?model={MODEL}")[0]["id"]
    assert reader.get(f"{API}/runs/{run}/logs/..%2f..%2fstate.db").status == 404
    assert reader.get(f"{API}/runs/{run}/logs/nothing").json["detail"].endswith("evaluation, package")


def test_an_unknown_path_is_a_problem_too(reader: Client) -> None:
    answer = reader.get("/api/v1/nothing")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert reader.get("/api/v1/requests/x/approve").status == 405


def test_metrics_are_what_prometheus_reads(reader: Client) -> None:
    lines = reader.get("/metrics").text.splitlines()
    assert 'lockgate_rollouts{phase="promoted"} 3.0' in lines
    assert 'lockgate_rollouts{phase="progressing"} 1.0' in lines
    assert "lockgate_workers 2.0" in lines
    assert "lockgate_inbox_blocks 0.0" in lines
    assert "lockgate_requests_open 1.0" in lines


def test_health(reader: Client, told: Story) -> None:
    assert reader.get("/health/live").json == {"status": "live"}
    assert reader.get("/health/ready").json["revision"] == str(told.table().revision)


class OutOfReach:
    """A state that does not answer."""

    def read(self) -> Any:
        raise Unavailable("the database does not answer", hint="Look at its log.")

    def write(self) -> Any:
        return self.read()


class Mistaken:
    """A state with a mistake in it."""

    def read(self) -> Any:
        raise ZeroDivisionError("a secret")


def over(state: Any) -> Client:
    return Client(create_app(World(state, MemoryArtifacts(), VirtualClock()), home=None, control_token="t"))


def test_a_state_that_does_not_answer_makes_us_not_ready_yet_alive() -> None:
    client = over(OutOfReach())
    answer = client.get("/health/ready")
    assert answer.status == 503
    assert answer.json["hint"] == "Look at its log."
    assert client.get("/health/live").status == 200
    assert client.get("/control/v1/routes?wait=5", {"authorization": "Bearer t"}).status == 503
    page = client.page("/")
    assert page.status == 503
    assert "the database does not answer" in page.text


def test_a_mistake_of_ours_is_said_without_its_innards() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope: Scope = {
        "type": "http", "method": "GET", "path": "/api/v1/status", "raw_path": b"/api/v1/status", "root_path": "",
        "query_string": b"", "headers": [(b"host", b"localhost")], "scheme": "http", "http_version": "1.1",
    }  # fmt: skip

    async def call() -> None:
        await over(Mistaken()).app(scope, receive, send)

    with pytest.raises(ZeroDivisionError):  # on its way to the server's log
        asyncio.run(call())
    assert sent[0]["status"] == 500
    assert b"ZeroDivisionError" in sent[1]["body"]
    assert b"secret" not in sent[1]["body"]
