"""What keeps a page in somebody's browser, a large body and a wrong name away from the control plane."""

from __future__ import annotations

import pytest

from lockgate.entrypoints.api.app import create_app
from tests.samples.asgi import Client
from tests.samples.story import Story

ASK = {"model": "m", "version": 1, "to_stage": "Staging"}


@pytest.mark.parametrize("host", ["127.0.0.1:7070", "localhost:7070", "LOCALHOST", "[::1]:7070", "127.0.0.1"])
def test_loopback_may_call(client: Client, host: str) -> None:
    assert client.get("/api/v1/status", {"host": host}).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:7070", "", "localhost.evil.example", "[::2]:7070"])
def test_a_rebound_name_may_not(client: Client, host: str) -> None:
    assert client.get("/", {"host": host}).status == 403
    refused = client.get("/api/v1/status", {"host": host})
    assert refused.status == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert "Host" in refused.json["detail"]
    assert refused.json["hint"]


def test_the_bound_name_may_call(empty: Story) -> None:
    app = create_app(empty.world, home=None, control_token="t", hosts=["Lock.Example"])
    assert Client(app).get("/api/v1/status", {"host": "lock.example:7070"}).status == 200


def test_probes_may_call_by_any_name(client: Client) -> None:
    assert client.get("/health/live", {"host": "10.0.0.7:7070"}).status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
def test_a_form_cannot_write(client: Client, kind: str) -> None:
    answer = client.post("/api/v1/requests", ASK, headers={"content-type": kind})
    assert answer.status == 403
    assert "JSON" in answer.json["detail"]


def test_another_site_cannot_write(client: Client) -> None:
    assert client.post("/api/v1/requests", ASK, headers={"sec-fetch-site": "cross-site"}).status == 403
    assert client.post("/api/v1/requests", ASK, headers={"sec-fetch-site": "same-origin"}).status == 404  # let in: no such model


def test_a_body_may_not_be_huge(client: Client) -> None:
    answer = client.post("/api/v1/requests", b'{"model": "' + b"m" * 600_000 + b'"}')
    assert answer.status == 413
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/static/lockgate.css", "/docs", "/nothing"])
def test_every_answer_says_what_it_may_be_used_for(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_pages_are_not_kept_but_versioned_files_are(client: Client) -> None:
    assert client.get("/").headers["cache-control"] == "no-store"
    assert "immutable" in client.get("/static/lockgate.css?v=1").headers["cache-control"]
    assert "immutable" not in client.get("/static/lockgate.css").headers["cache-control"]


def test_an_empty_control_token_is_refused(empty: Story) -> None:
    with pytest.raises(ValueError, match="control token"):
        create_app(empty.world, home=None, control_token="")
