"""Waivers and evidence over REST: the same rules as everywhere, and the document as it was stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from lockgate.domain.policy import Policy, WaiverRule
from lockgate.kernel.digest import digest_bytes
from lockgate.ports.state import POLICIES, VERSIONS
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.company import policy_record
from tests.samples.asgi import Answer, Client, client_of
from tests.samples.story import MODEL, Story, begin, first_version


@pytest.fixture
def story() -> Story:
    made = begin()
    first_version(made)
    with made.world.state.write() as tx:
        policy = Policy(roles={"risk": ("olga",)}, waivers=WaiverRule(roles=("risk",), longest=7 * 86400.0))
        tx.put(POLICIES, policy_record(policy=policy))
    return made


def asked(story: Story, *, days: int = 7, **fields: Any) -> dict[str, Any]:
    until = (story.clock.now() + timedelta(days=days)).isoformat()
    return {"model": MODEL, "gate": "quality", "why": "the label is late", "until": until, **fields}


def post(client: Client, path: str, body: dict[str, Any], actor: str = "olga") -> Answer:
    return client.post(path, body, actor=actor)


def test_a_waiver_is_granted_listed_and_withdrawn(story: Story) -> None:
    client = client_of(story)
    made = post(client, "/api/v1/waivers", asked(story, rule="auc >= 0.65", version=2))
    assert made.status == 201, made.text
    assert (made.json["by"], made.json["rule"], made.json["version"], made.json["withdrawn_at"]) == (
        "olga",
        "auc >= 0.65",
        2,
        None,
    )
    listed = client.get(f"/api/v1/waivers?model={MODEL}").json
    assert (listed["total"], listed["items"]) == (1, [made.json])
    assert client.get("/api/v1/waivers?model=fares").json["total"] == 0

    withdrawn = post(client, f"/api/v1/waivers/{made.json['id']}/withdraw", {"why": "mended"})
    assert (withdrawn.status, withdrawn.json["id"]) == (200, made.json["id"])
    assert withdrawn.json["withdrawn_at"] is not None
    assert post(client, f"/api/v1/waivers/{made.json['id']}/withdraw", {"why": "again"}).status == 409
    assert post(client, "/api/v1/waivers/waiver-0/withdraw", {"why": "what"}).status == 404


def test_who_may_not_is_refused_and_what_makes_no_sense_is_named(story: Story) -> None:
    client = client_of(story)
    assert post(client, "/api/v1/waivers", asked(story), actor="anna").status == 403
    for wrong in (
        {"gate": "quallity"},
        {"why": " "},
        {"days": 8},
        {"until": "2026-01-01T00:00:00"},
        {"version": -1},
        {"more": 1},
    ):
        answer = post(client, "/api/v1/waivers", asked(story, **wrong))
        assert answer.status in (400, 422), (wrong, answer.text)
    assert client.get("/api/v1/waivers").json["total"] == 0


def test_the_evidence_is_the_stored_document_itself(story: Story) -> None:
    client = client_of(story)
    version = client.get(f"/api/v1/models/{MODEL}/versions/1").json
    answer = client.get(f"/api/v1/models/{MODEL}/versions/1/evidence")
    assert answer.status == 200
    assert digest_bytes(answer.body) == version["evidence"]
    assert answer.headers["etag"] == f'"{version["evidence"]}"'
    assert [gate["rule"] for gate in answer.json["gates"]] == [gate["rule"] for gate in version["gates"]]
    assert answer.json["package"] == version["digest"]


def test_damaged_evidence_is_named_and_not_shown(story: Story) -> None:
    client = client_of(story)
    with story.world.state.read() as tx:
        version = tx.get(VERSIONS, MODEL, 1)
    assert version is not None
    assert version.evidence is not None
    artifacts = cast("MemoryArtifacts", story.world.artifacts)
    document = artifacts.get(version.evidence)
    artifacts.damage(version.evidence, document[:-2] + b"x}")
    answer = client.get(f"/api/v1/models/{MODEL}/versions/1/evidence")
    assert answer.status == 500
    assert "the gate evidence of flight-delay version 1 is damaged" in answer.json["detail"]
    page = client.page(f"/models/{MODEL}/versions/1/evidence")
    assert page.status == 200
    assert "the gate evidence of flight-delay version 1 is damaged" in page.text
    assert "auc" not in page.text
    assert client.get(f"/api/v1/models/{MODEL}/versions/9/evidence").status == 404
