"""What MLflow's and Databricks' paths answer, byte for byte where a client could tell, and how they say no."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.access import Scope
from lockgate.domain.models import Stage
from lockgate.domain.policy import Policy, StageRule
from lockgate.entrypoints.api.mlflow.folders import folder_at
from lockgate.kernel.errors import NotFound
from lockgate.ports.state import MODELS, POLICIES
from lockgate.testing.builders import MODEL
from lockgate.testing.clock import START
from lockgate.testing.company import policy_record
from tests.samples.asgi import Answer, Client, client_of
from tests.samples.company import register, token_of
from tests.samples.story import Story, begin

AT = round(START.timestamp() * 1000)
ONE = {"name": MODEL, "version": "1"}
ASK = {**ONE, "stage": "Staging"}


@pytest.fixture
def story() -> Story:
    story = begin()
    register(story.world, 1)
    return story


@pytest.fixture
def client(story: Story) -> Client:
    return client_of(story)


def call(client: Client, method: str, path: str, body: Any = None, *, actor: str = "anna", **headers: str) -> Answer:
    """Under `/api/2.0/mlflow`, unless the path begins with two dots. actor: "": nobody."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    sent = {**({"content-type": "application/json"} if content else {}), **({"x-lockgate-actor": actor} if actor else {})}
    place = f"/api/2.0{path[2:]}" if path.startswith("..") else f"/api/2.0/mlflow{path}"
    return asyncio.run(client.call(method, place, content, {**sent, **headers}))


def post(client: Client, path: str, body: Any = None, *, actor: str = "anna") -> Answer:
    return call(client, "POST", path, {} if body is None else body, actor=actor)


def refused(answer: Answer) -> tuple[int, str]:
    assert set(answer.json) == {"error_code", "message"}
    assert answer.headers["content-type"] == "application/json"
    return answer.status, answer.json["error_code"]


def test_a_request_in_full(client: Client) -> None:
    asked = post(client, "/transition-requests/create", {**ASK, "comment": "ready"})
    request = asked.json["request"]
    assert request == {
        "id": request["id"],
        "user_id": "anna",
        "creation_timestamp": AT,
        "last_updated_timestamp": AT,
        "comment": "ready",
        "to_stage": "Staging",
        "available_actions": ["CANCEL_TRANSITION_REQUEST"],
    }
    (listed,) = call(client, "GET", f"/transition-requests/list?name={MODEL}&version=1", actor="ben").json["requests"]
    assert listed == {
        "id": request["id"],
        "activity_type": "REQUESTED_TRANSITION",
        "x_activity_type": "REQUESTED_TRANSITION",
        "user_id": "anna",
        "creation_timestamp": AT,
        "last_updated_timestamp": AT,
        "comment": "ready",
        "from_stage": "None",
        "to_stage": "Staging",
        "available_actions": ["APPROVE_TRANSITION_REQUEST", "REJECT_TRANSITION_REQUEST"],
    }


def test_a_version_in_full(client: Client, story: Story) -> None:
    post(client, "/model-versions/set-tag", {**ONE, "key": "tier", "value": "gold"})
    call(client, "PATCH", "/model-versions/update", {**ONE, "description": "the first"})
    version = call(client, "GET", f"/model-versions/get?name={MODEL}&version=1").json["model_version"]
    digest = next(one["value"] for one in version["tags"] if one["key"] == "lockgate.digest")
    assert version == {
        "name": MODEL,
        "version": "1",
        "creation_timestamp": AT,
        "last_updated_timestamp": AT,
        "user_id": "carla",
        "current_stage": "None",
        "description": "the first",
        "source": f"mlflow-artifacts:/models/{MODEL}/1",
        "run_id": "run-1",
        "run_link": "",
        "status": "READY",
        "status_message": "",
        "tags": [{"key": "lockgate.digest", "value": digest}, {"key": "tier", "value": "gold"}],
        "aliases": [],
    }
    uri = call(client, "GET", f"/model-versions/get-download-uri?name={MODEL}&version=1").json
    assert uri == {"artifact_uri": version["source"]}


def test_a_quorum_is_told_vote_by_vote(client: Client, story: Story) -> None:
    with story.world.state.write() as tx:
        rule = StageRule(need=2, roles=("approvers",), excluded=("requester",))
        tx.put(POLICIES, policy_record(policy=Policy(roles={"approvers": ("ben", "dora")}, stages={"Staging": rule})))
    post(client, "/transition-requests/create", ASK)
    first = post(client, "/transition-requests/approve", {**ASK, "archive_existing_versions": True}, actor="ben").json
    assert first["approvals"] == {"have": 1, "need": 2, "voters": ["ben"]}
    assert (first["activity"]["activity_type"], first["activity"]["x_activity_type"]) == ("APPROVED_REQUEST", "APPROVAL_VOTE")
    assert refused(post(client, "/transition-requests/approve", ASK, actor="ben")) == (409, "RESOURCE_CONFLICT")
    assert refused(post(client, "/transition-requests/approve", ASK, actor="emil")) == (403, "PERMISSION_DENIED")
    second = post(client, "/transition-requests/approve", ASK, actor="dora").json
    assert second["approvals"] == {"have": 2, "need": 2, "voters": ["ben", "dora"]}
    assert second["activity"]["x_activity_type"] == "APPROVED_REQUEST"


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_decision_may_name_the_request_and_what_was_seen(client: Client, verb: str) -> None:
    request = post(client, "/transition-requests/create", ASK).json["request"]["id"]
    path = f"/transition-requests/{verb}"
    assert refused(post(client, path, {**ASK, "if_version_digest": "sha256:" + "0" * 64}, actor="ben")) == (
        409,
        "RESOURCE_CONFLICT",
    )
    other = {**ASK, "stage": "Archived", "request_id": request}
    assert refused(post(client, path, other, actor="ben")) == (400, "INVALID_PARAMETER_VALUE")
    assert refused(post(client, path, {**ASK, "request_id": "request-x"}, actor="ben")) == (404, "RESOURCE_DOES_NOT_EXIST")
    tags = call(client, "GET", f"/model-versions/get?name={MODEL}&version=1").json["model_version"]["tags"]
    seen = {"request_id": request, "if_version_digest": tags[0]["value"]}
    assert post(client, path, {**ASK, **seen}, actor="ben").status == 200


def test_whom_the_approver_does_not_want_archived_stays(client: Client, story: Story) -> None:
    register(story.world, 2)
    post(client, "/transition-requests/create", ASK)
    post(client, "/transition-requests/approve", ASK, actor="ben")
    for _ in range(2):
        story.pass_time(seconds=2)
        story.tick()
    second = {**ASK, "version": "2"}
    post(client, "/transition-requests/create", second)
    keeping = {**second, "archive_existing_versions": False}
    assert refused(post(client, "/transition-requests/approve", keeping, actor="ben")) == (409, "RESOURCE_CONFLICT")
    assert post(client, "/transition-requests/approve", second, actor="ben").status == 200


def test_gates_in_the_way_have_a_status_of_their_own(client: Client, story: Story) -> None:
    with story.world.state.write() as tx:
        tx.put(POLICIES, policy_record(policy=Policy(stages={"Staging": StageRule(gates=("fairness",))})))
    post(client, "/transition-requests/create", ASK)
    answer = post(client, "/transition-requests/approve", ASK, actor="ben")
    assert refused(answer) == (422, "GATES_NOT_PASSED")
    assert "fairness" in answer.json["message"]


def test_history_in_pages_that_hang_together(client: Client, story: Story) -> None:
    post(client, "/comments/create", {**ONE, "comment": "hm"})
    post(client, "/transition-requests/create", ASK)
    post(client, "/transition-requests/approve", {**ASK, "comment": "go"}, actor="ben")
    for _ in range(2):
        story.pass_time(seconds=2)
        story.tick()
    found: list[dict[str, Any]] = []
    token: str | None = ""
    while token is not None:
        page = call(client, "GET", f"/activities/list?name={MODEL}&version=1&max_results=2&page_token={token}").json
        assert len(page["activities"]) <= 2
        found += page["activities"]
        token = page.get("next_page_token")
    assert [one["x_activity_type"] for one in found][:4] == [
        "GATE_RESULT",
        "NEW_COMMENT",
        "REQUESTED_TRANSITION",
        "APPROVED_REQUEST",
    ]
    applied = next(one for one in found if one["activity_type"] == "APPLIED_TRANSITION")
    assert (applied["from_stage"], applied["to_stage"]) == ("None", "Staging")
    with story.world.state.read() as tx:
        events = [one for one in tx.events(model=MODEL) if one.happened.version == 1]
    assert [(one["seq"], one["prev_hash"], one["hash"]) for one in found] == [(e.seq, e.prev_hash, e.hash) for e in events]
    seven = {"APPLIED_TRANSITION", "REQUESTED_TRANSITION", "CANCELLED_REQUEST", "APPROVED_REQUEST", "REJECTED_REQUEST",
             "SYSTEM_TRANSITION", "NEW_COMMENT"}  # fmt: skip
    assert {one["activity_type"] for one in found} <= seven
    (said,) = call(client, "GET", f"/activities/list?name={MODEL}&activity_type=NEW_COMMENT").json["activities"]
    assert (said["comment"], said["user_id"]) == ("hm", "anna")
    assert call(client, "GET", f"/activities/list?name={MODEL}&until={AT - 1}").json == {"activities": []}


def test_the_whole_story_as_activities(reader: Client, told: Story) -> None:
    with told.world.state.read() as tx:
        models = {one.name: tx.events(model=one.name) for one in tx.find(MODELS)}
    for model, events in models.items():
        found = call(reader, "GET", f"/activities/list?name={model}&max_results=1000").json["activities"]
        assert [one["seq"] for one in found] == [one.seq for one in events]


def test_what_other_events_say_by_from_and_to_is_no_stage(client: Client) -> None:
    post(client, "/model-versions/set-tag", {**ONE, "key": "a", "value": "b"})
    (said,) = call(client, "GET", f"/activities/list?name={MODEL}&activity_type=NOTES_SET").json["activities"]
    assert said["activity_type"] == "SYSTEM_TRANSITION"
    assert not {"from_stage", "to_stage"} & set(said)


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/transition-requests/create", {**ASK, "stage": "Prod"}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "/transition-requests/create", {**ASK, "stage": "none"}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "/transition-requests/create", {"name": MODEL}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "/transition-requests/create", {**ASK, "version": "first"}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "/transition-requests/create", {**ASK, "version": "7"}, (404, "RESOURCE_DOES_NOT_EXIST")),
        ("POST", "/transition-requests/create", b"{", (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "/transition-requests/create", b"[]", (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "/transition-requests/create", b'"' + b"x" * 600_000 + b'"', (413, "INVALID_PARAMETER_VALUE")),
        ("POST", "/transition-requests/approve", ASK, (404, "RESOURCE_DOES_NOT_EXIST")),
        ("POST", "/comments/create", {**ONE, "comment": ""}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "/model-versions/create", {"name": MODEL, "source": "x"}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "/model-versions/set-tag", {**ONE, "key": "lockgate.digest", "value": "x"}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "/registered-models/create", {"name": MODEL}, (409, "RESOURCE_ALREADY_EXISTS")),
        ("POST", "/registered-models/create", {"name": "Not A Name"}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "/registered-models/rename", {"name": MODEL, "new_name": "x"}, (403, "PERMISSION_DENIED")),
        ("DELETE", f"/registered-models/delete?name={MODEL}", None, (403, "PERMISSION_DENIED")),
        ("DELETE", "/comments/delete?id=comment-x", None, (404, "RESOURCE_DOES_NOT_EXIST")),
        ("GET", "/registered-models/get?name=gone", None, (404, "RESOURCE_DOES_NOT_EXIST")),
        ("GET", "/registered-models/search?page_token=-1", None, (400, "INVALID_PARAMETER_VALUE")),
        ("GET", "/model-versions/search?filter=stage%3D'x'", None, (400, "INVALID_PARAMETER_VALUE")),
        ("GET", "/runs/get", None, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "/runs/create", {}, (404, "ENDPOINT_NOT_FOUND")),
        ("GET", "/comments/create", None, (405, "ENDPOINT_NOT_FOUND")),
        ("PUT", f"../permissions/registered-models/{MODEL}", {}, (403, "PERMISSION_DENIED")),
        ("PUT", f"../mlflow-artifacts/artifacts/models/{MODEL}/1/x", {}, (403, "PERMISSION_DENIED")),
        ("POST", "/registry-webhooks/create", {"events": ["COMMENT_CREATED"]}, (503, "TEMPORARILY_UNAVAILABLE")),
    ],
)
def test_faults_in_mlflows_words(client: Client, method: str, path: str, body: Any, expected: tuple[int, str]) -> None:
    assert refused(call(client, method, path, body)) == expected


def test_the_same_request_twice(client: Client) -> None:
    post(client, "/transition-requests/create", ASK)
    assert refused(post(client, "/transition-requests/create", ASK)) == (409, "RESOURCE_ALREADY_EXISTS")


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"content-type": "text/plain"}, {"sec-fetch-site": "cross-site"}])
def test_the_guard_too_speaks_so(client: Client, headers: dict[str, str]) -> None:
    assert refused(call(client, "POST", "/transition-requests/create", ASK, **headers)) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_delete_without_a_body_is_let_in_from_here_only(client: Client, site: str) -> None:
    path = f"/model-versions/delete?name={MODEL}&version=1"
    assert refused(call(client, "DELETE", path, **{"sec-fetch-site": site})) == (403, "PERMISSION_DENIED")
    assert refused(call(client, "DELETE", path, **{"content-type": "text/plain"})) == (403, "PERMISSION_DENIED")
    assert call(client, "DELETE", path).json == {}


def test_who_must_be_known_and_is_not(client: Client, story: Story) -> None:
    reading = token_of(story.world, "rita", Scope.READ)
    answer = call(client, "GET", f"/registered-models/get?name={MODEL}")
    assert refused(answer) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"
    bearer = {"authorization": f"Bearer {reading}"}
    assert call(client, "GET", f"/registered-models/get?name={MODEL}", **bearer).status == 200
    assert refused(call(client, "POST", "/comments/create", {**ONE, "comment": "x"}, **bearer)) == (403, "PERMISSION_DENIED")


def test_a_token_says_who_acts_and_what_for(client: Client, story: Story) -> None:
    bearer = {"authorization": f"Bearer {token_of(story.world, 'will', Scope.READ, Scope.WRITE)}"}
    said = call(client, "POST", "/comments/create", {**ONE, "comment": "x"}, actor="", **bearer).json["comment"]
    assert said["user_id"] == "will"
    for path in ("/transition-requests/approve", "/transition-requests/reject", "/model-versions/transition-stage"):
        answer = call(client, "POST", path, ASK, actor="", **bearer)
        assert refused(answer) == (403, "PERMISSION_DENIED")
        assert "'decide'" in answer.json["message"]
    deleting = call(client, "DELETE", f"/model-versions/delete?name={MODEL}&version=1", actor="", **bearer)
    assert refused(deleting) == (403, "PERMISSION_DENIED")
    assert "'admin'" in deleting.json["message"]


def test_on_an_open_server_nobody_need_say_who_they_are(client: Client) -> None:
    said = post(client, "/comments/create", {**ONE, "comment": "x"}, actor="").json["comment"]
    assert said["user_id"] == "anonymous"
    assert said["available_actions"] == ["EDIT_COMMENT", "DELETE_COMMENT"]
    assert refused(post(client, "/comments/create", {**ONE, "comment": "x"}, actor="policy")) == (400, "INVALID_PARAMETER_VALUE")


EVERYTHING = {"MLmodel", "lockgate-manifest.json", "model.onnx", "a", "b", "c"}
OUTSIDE = ["../../etc/passwd", f"models/{MODEL}/1/../2/x", f"models/{MODEL}/1/a/../model.onnx", "models", ""]


@pytest.fixture(scope="module")
def packaged() -> Story:
    story = begin()
    register(story.world, 1, files={"model.onnx": b"graph", "a/b/c": b"deep"})
    return story


@given(path=st.text("./models%0aflight-delay1", max_size=40), before=st.sampled_from(["", "models/", f"models/{MODEL}/1/"]))
def test_nothing_is_found_but_the_packages_files(packaged: Story, path: str, before: str) -> None:
    artifacts = packaged.world.artifacts
    with packaged.world.state.read() as tx:
        try:
            folder, rest = folder_at(tx, artifacts, before + path)
            listed = folder.below(rest)
        except NotFound:
            return
    assert {entry.path for entry in listed} <= EVERYTHING
    assert listed or rest in {*folder.stored, *folder.made}


@pytest.mark.parametrize("path", OUTSIDE)
def test_folders_are_looked_up_and_never_opened(packaged: Story, path: str) -> None:
    client = client_of(packaged)
    for place in (f"../mlflow-artifacts/artifacts/{path}", f"../mlflow-artifacts/artifacts?path={path}"):
        assert refused(call(client, "GET", place))[0] == 404


def test_a_package_as_a_folder(packaged: Story) -> None:
    client = client_of(packaged)

    def listed(path: str) -> list[str]:
        found = call(client, "GET", f"../mlflow-artifacts/artifacts?path=models/{MODEL}/1{path}").json["files"]
        return [one["path"] + ("/" if one["is_dir"] else "") for one in found]

    assert listed("") == ["MLmodel", "a/", "lockgate-manifest.json", "model.onnx"]
    assert (listed("/a"), listed("/a/b"), listed("/a/b/c")) == (["b/"], ["c"], [])
    assert call(client, "GET", f"../mlflow-artifacts/artifacts/models/{MODEL}/1/a/b/c").body == b"deep"


def test_stages_in_any_letter_case(client: Client, story: Story) -> None:
    assert post(client, "/transition-requests/create", {**ASK, "stage": "STAGING"}).json["request"]["to_stage"] == Stage.STAGING
