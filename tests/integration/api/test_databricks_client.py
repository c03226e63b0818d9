"""An unmodified Databricks SDK against the control plane: several people, each with a token, from a request to its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lockgate.domain.access import Scope
from lockgate.domain.models import Stage
from lockgate.domain.policy import Policy, StageRule
from lockgate.domain.projects import ApprovalPolicy, Environment
from lockgate.entrypoints.api.app import create_app
from lockgate.ports.state import POLICIES, PROJECTS, VERSIONS
from lockgate.testing.builders import MODEL, project
from lockgate.testing.company import policy_record
from lockgate.testing.notices import MemoryMail, MemoryPost, MemorySecrets
from lockgate.usecases.notice_world import NoticeWorld
from lockgate.usecases.world import World
from tests.samples.company import register, token_of
from tests.samples.server import served
from tests.samples.story import Story, begin

sdk: Any = pytest.importorskip("databricks.sdk")
errors: Any = pytest.importorskip("databricks.sdk.errors")
ml: Any = pytest.importorskip("databricks.sdk.service.ml")

pytestmark = pytest.mark.integration


def registry(address: str, token: str) -> Any:
    config = sdk.config.Config(host=address, token=token, auth_type="pat", retry_timeout_seconds=1)
    return sdk.WorkspaceClient(config=config).model_registry


@dataclass
class Company:
    story: Story
    address: str
    post: MemoryPost

    @property
    def world(self) -> World:
        return self.story.world

    def client(self, name: str, *scopes: Scope) -> Any:
        """The registry, as the SDK shows it to a new user."""
        token = token_of(self.world, name, *scopes)
        return registry(self.address, token)

    def stage(self, version: int) -> Stage:
        with self.world.state.read() as tx:
            found = tx.get(VERSIONS, MODEL, version)
        assert found is not None
        return found.stage

    def let_rollouts_end(self) -> None:
        for _ in range(2):
            self.story.pass_time(seconds=2)
            self.story.tick()


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    story, post = begin(), MemoryPost()
    for number in (1, 2):
        register(story.world, number)
    notices = NoticeWorld(MemorySecrets(), post, MemoryMail())
    with served(create_app(story.world, home=None, control_token="t", notices=notices)) as address:
        yield Company(story, address, post)


def test_one_asks_another_decides(company: Company) -> None:
    anna, ben = company.client("anna"), company.client("ben")
    asked = anna.create_transition_request(MODEL, "1", "Staging", comment="ready").request
    assert (asked.user_id, asked.to_stage, asked.comment) == ("anna", "Staging", "ready")
    assert asked.available_actions == [ml.ActivityAction.CANCEL_TRANSITION_REQUEST]
    (waiting,) = ben.list_transition_requests(MODEL, "1")
    assert waiting.activity_type is ml.ActivityType.REQUESTED_TRANSITION
    assert (waiting.from_stage, waiting.to_stage, waiting.user_id) == ("None", "Staging", "anna")
    with pytest.raises(errors.PermissionDenied, match="requester"):
        anna.approve_transition_request(MODEL, "1", "Staging", archive_existing_versions=True)
    said = ben.approve_transition_request(MODEL, "1", "Staging", archive_existing_versions=True, comment="go").activity
    assert (said.activity_type, said.user_id, said.comment) == (ml.ActivityType.APPROVED_REQUEST, "ben", "go")
    assert list(anna.list_transition_requests(MODEL, "1")) == []
    company.let_rollouts_end()
    (latest,) = anna.get_latest_versions(MODEL, stages=["Staging"])
    assert (latest.version, latest.current_stage, latest.status) == ("1", "Staging", ml.ModelVersionStatus.READY)


def test_a_request_is_rejected_or_taken_back(company: Company) -> None:
    anna, ben = company.client("anna"), company.client("ben")
    anna.create_transition_request(MODEL, "1", "Production")
    with pytest.raises(errors.ResourceAlreadyExists):
        anna.create_transition_request(MODEL, "1", "Production")
    no = ben.reject_transition_request(MODEL, "1", "Production", comment="not yet").activity
    assert (no.activity_type, no.comment, no.to_stage) == (ml.ActivityType.REJECTED_REQUEST, "not yet", "Production")
    anna.create_transition_request(MODEL, "1", "Production")
    with pytest.raises(errors.PermissionDenied, match="anna's"):
        ben.delete_transition_request(MODEL, "1", "Production", "anna")
    back = anna.delete_transition_request(MODEL, "1", "Production", "anna", comment="too early").activity
    assert (back.activity_type, back.comment) == (ml.ActivityType.CANCELLED_REQUEST, "too early")
    with pytest.raises(errors.ResourceDoesNotExist):
        ben.approve_transition_request(MODEL, "1", "Production", archive_existing_versions=True)
    assert company.stage(1) is Stage.NONE


def test_people_talk_about_a_version(company: Company) -> None:
    anna, ben = company.client("anna"), company.client("ben")
    said = anna.create_comment(MODEL, "1", "looks fine").comment
    assert said.available_actions == [ml.CommentActivityAction.EDIT_COMMENT, ml.CommentActivityAction.DELETE_COMMENT]
    edited = anna.update_comment(said.id, "looks odd").comment
    assert (edited.id, edited.comment, edited.user_id) == (said.id, "looks odd", "anna")
    with pytest.raises(errors.PermissionDenied):
        ben.delete_comment(said.id)
    anna.delete_comment(said.id)
    with pytest.raises(errors.ResourceDoesNotExist):
        anna.update_comment(said.id, "again")
    with pytest.raises(errors.InvalidParameterValue):
        anna.create_comment(MODEL, "1", " ")


def test_whom_the_rules_let_moves_a_version_alone(company: Company) -> None:
    alone = StageRule(need=1, roles=("releasers",))
    with company.world.state.write() as tx:
        rules = Policy(roles={"releasers": ("anna",)}, stages={"Archived": alone, "Staging": alone})
        tx.put(POLICIES, policy_record(policy=rules))
        tx.put(PROJECTS, project(environments={"staging": Environment(approvals=ApprovalPolicy(1, ()))}))
    anna, ben = company.client("anna"), company.client("ben")
    done = anna.transition_stage(MODEL, "2", "Archived", archive_existing_versions=True, comment="superseded")
    moved = done.model_version_databricks
    assert (moved.current_stage, moved.permission_level) == ("Archived", ml.PermissionLevel.CAN_MANAGE_PRODUCTION_VERSIONS)
    with pytest.raises(errors.PermissionDenied, match="releasers"):
        ben.transition_stage(MODEL, "1", "Archived", archive_existing_versions=True)
    anna.transition_stage(MODEL, "1", "Staging", archive_existing_versions=True)
    company.let_rollouts_end()
    with pytest.raises(errors.ResourceConflict, match="holds one version"):
        anna.transition_stage(MODEL, "2", "Staging", archive_existing_versions=False)
    assert (company.stage(1), company.stage(2)) == (Stage.STAGING, Stage.ARCHIVED)
    levels = {one.user_name or one.group_name: one.all_permissions[0] for one in anna.get_permissions(MODEL).access_control_list}
    assert levels["anna"].permission_level is ml.RegisteredModelPermissionLevel.CAN_MANAGE_PRODUCTION_VERSIONS


def test_what_a_token_is_not_for_it_does_not_open(company: Company) -> None:
    reader, writer = company.client("rita", Scope.READ), company.client("will", Scope.READ, Scope.WRITE)
    assert reader.get_model(MODEL).registered_model_databricks.name == MODEL
    with pytest.raises(errors.PermissionDenied, match="write"):
        reader.create_comment(MODEL, "1", "hm")
    writer.create_transition_request(MODEL, "1", "Staging")
    with pytest.raises(errors.PermissionDenied, match="decide"):
        writer.approve_transition_request(MODEL, "1", "Staging", archive_existing_versions=True)
    stranger = registry(company.address, "lgu_unknown")
    with pytest.raises(errors.Unauthenticated):
        stranger.get_model(MODEL)


def test_the_registry_is_read_and_described(company: Company) -> None:
    anna = company.client("anna")
    found = anna.get_model(MODEL).registered_model_databricks
    assert [one.version for one in found.latest_versions] == ["2"]
    anna.update_model(MODEL, description="for flights")
    anna.set_model_tag(MODEL, "team", "ops")
    anna.set_model_version_tag(MODEL, "1", "tier", "gold")
    anna.update_model_version(MODEL, "1", description="the first")
    (model,) = anna.search_models(filter="tags.team = 'ops'")
    assert (model.name, model.description, model.tags) == (MODEL, "for flights", [ml.ModelTag("team", "ops")])
    (version,) = anna.search_model_versions(filter=f"name = '{MODEL}' AND tags.tier LIKE 'g%'")
    assert (version.version, version.description, version.run_id) == ("1", "the first", "run-1")
    anna.delete_model_tag(MODEL, "team")
    assert list(anna.search_models(filter="tags.team = 'ops'")) == []
    assert [one.name for one in anna.list_models(max_results=1)] == [MODEL]
    made = anna.create_model("fares", description="prices", tags=[ml.ModelTag("a", "b")]).registered_model
    assert (made.name, made.user_id, made.tags) == ("fares", "anna", [ml.ModelTag("a", "b")])
    assert [one.name for one in anna.list_models(max_results=1)] == ["fares", MODEL]  # by pages
    with pytest.raises(errors.ResourceAlreadyExists):
        anna.create_model("fares")


def test_what_lockgate_does_not_let_be_done_it_says_with_the_next_step(company: Company) -> None:
    anna = company.client("anna")
    with pytest.raises(errors.InvalidParameterValue, match="lockgate run"):
        anna.create_model_version(MODEL, "s3://elsewhere")
    with pytest.raises(errors.PermissionDenied, match="renamed"):
        anna.rename_model(MODEL, new_name="other")
    with pytest.raises(errors.PermissionDenied, match="never used again"):
        anna.delete_model(MODEL)
    with pytest.raises(errors.PermissionDenied, match="policy"):
        anna.set_permissions(MODEL, access_control_list=[])
    with pytest.raises(errors.InvalidParameterValue, match="stage 'Nowhere' found"):
        anna.create_transition_request(MODEL, "1", "Nowhere")
    with pytest.raises(errors.InvalidParameterValue, match="already is in None"):
        anna.create_transition_request(MODEL, "1", "None")
    anna.delete_model_version(MODEL, "2")
    with pytest.raises(errors.ResourceDoesNotExist):
        anna.get_model_version(MODEL, "2")


def test_webhooks_are_made_tried_and_removed(company: Company) -> None:
    anna = company.client("anna")
    spec = ml.HttpUrlSpec(url="https://hooks.example.org/a-secret", authorization="Bearer x")
    event = ml.RegistryWebhookEvent.TRANSITION_REQUEST_CREATED
    made = anna.create_webhook([event], http_url_spec=spec, model_name=MODEL).webhook
    (listed,) = anna.list_webhooks(model_name=MODEL)
    assert (listed.id, listed.events, listed.http_url_spec.url) == (made.id, [event], "hooks.example.org")
    assert list(anna.list_webhooks(events=[ml.RegistryWebhookEvent.COMMENT_CREATED])) == []
    assert anna.test_registry_webhook(made.id, event=event).status_code == 200
    assert company.post.sent[0].url == "https://hooks.example.org/a-secret"
    off = anna.update_webhook(made.id, status=ml.RegistryWebhookStatus.DISABLED).webhook
    assert off.status is ml.RegistryWebhookStatus.DISABLED
    with pytest.raises(errors.InvalidParameterValue, match="look at `to`"):
        anna.create_webhook([ml.RegistryWebhookEvent.MODEL_VERSION_TRANSITIONED_TO_STAGING], http_url_spec=spec)
    anna.delete_webhook(made.id)
    assert list(anna.list_webhooks()) == []
