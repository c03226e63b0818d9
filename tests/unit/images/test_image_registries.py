"""Registries are asked by name, told who we are only once they ask, and believed by digest alone."""

from __future__ import annotations

import hashlib
import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.integrations.oci import base_registry
from lockgate.integrations.oci.blobs import Blobs
from lockgate.integrations.oci.builder import ImageBuilder
from lockgate.integrations.oci.credentials import Credentials, credentials_for
from lockgate.integrations.oci.media import DOCKER_MANIFEST
from lockgate.integrations.oci.references import parse
from lockgate.integrations.oci.registry import push
from lockgate.integrations.oci.wire import Wire
from lockgate.kernel.errors import Corrupt, Invalid, LockgateError, NotFound, Refused, Unavailable
from tests.samples.images import HOME, blobs_of, contents, few, tiny_base


@dataclass
class Registry:
    """One repository, `team/base`. token: who has none is sent to fetch one. broken: digests whose blobs break off so many times.
    faltering: answers of 503 before anything else. subjects: whether it says that it understood a subject.
    realm, uploads, elsewhere: where it sends who has no token, who uploads, and who reads.
    """

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    token: str = ""
    broken: dict[str, int] = field(default_factory=dict)
    faltering: int = 0
    subjects: bool = False
    realm: str = ""
    uploads: str = "/v2/team/base/blobs/uploads/1?state=x"
    elsewhere: str = ""
    asked: list[str] = field(default_factory=list)
    shown: list[str | None] = field(default_factory=list)
    port: int = 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


def handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Quietly."""

        def answer(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def handle_all(self) -> None:
            path, content = urlsplit(self.path), self.rfile.read(int(self.headers.get("content-length") or 0))
            registry.asked.append(f"{self.command} {path.path}")
            registry.shown.append(self.headers.get("authorization"))
            if path.path == "/token":
                self.answer(200, json.dumps({"token": registry.token, "scope": parse_qs(path.query)["scope"]}).encode())
            elif registry.faltering:
                registry.faltering -= 1
                self.answer(503)
            elif registry.token and self.headers.get("authorization") != f"Bearer {registry.token}":
                realm = f'Bearer realm="{registry.realm or f"http://{registry.host}/token"}",service="here",scope="ignored"'
                self.answer(401, headers={"www-authenticate": realm})
            elif registry.elsewhere:
                self.answer(307, headers={"location": registry.elsewhere})
            elif "/uploads/" in path.path:
                self.upload(path.query, content)
            else:
                self.named(path.path.rpartition("/")[2], content, manifest="/manifests/" in path.path)

        def upload(self, query: str, content: bytes) -> None:
            if self.command == "POST":
                self.answer(202, headers={"location": registry.uploads})
            else:
                registry.blobs[parse_qs(query)["digest"][0]] = content
                self.answer(201)

        def named(self, name: str, content: bytes, *, manifest: bool) -> None:
            if self.command == "PUT":
                kept = (self.headers["content-type"], content)
                registry.manifests |= {name: kept, f"sha256:{hashlib.sha256(content).hexdigest()}": kept}
                told = {"oci-subject": "yes"} if registry.subjects and b'"subject"' in content else {}
                self.answer(201, headers=told)
            elif manifest and name in registry.manifests:
                kind, found = registry.manifests[name]
                self.answer(200, found, {"content-type": kind})
            elif name in registry.blobs:
                self.blob(name)
            else:
                self.answer(404)

        def blob(self, name: str) -> None:
            if registry.broken.get(name):
                registry.broken[name] -= 1
                self.send_response(200)
                self.send_header("content-length", str(len(registry.blobs[name])))
                self.end_headers()
                self.wfile.write(registry.blobs[name][:10])
                self.close_connection = True
            else:
                self.answer(200, registry.blobs[name])

        do_GET = do_HEAD = do_POST = do_PUT = handle_all  # noqa: N815 - as http.server calls them

    return Handler


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(registry))
    registry.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nobody"))
    monkeypatch.delenv("LOCKGATE_REGISTRY", raising=False)
    with serving(Registry()) as one:
        yield one


def fill(registry: Registry, folder: Path) -> str:
    """With the base image under `1`. Returns the digest of its manifest."""
    path = ImageBuilder(HOME, tiny_base(folder), folder / "cache", few).build([contents(folder / "model")], folder)
    blobs = blobs_of(path)
    digest = json.loads(blobs["index.json"])["manifests"][0]["digest"]
    registry.blobs = {name: content for name, content in blobs.items() if name.startswith("sha256:")}
    registry.manifests = {name: (json.loads(blobs[digest])["mediaType"], blobs[digest]) for name in ("1", digest)}
    return str(digest)


def wire(registry: Registry, actions: str = "pull") -> Wire:
    return Wire(parse(f"{registry.host}/team/base:1"), actions, sleep=lambda _: None)


def test_what_was_fetched_once_is_not_fetched_again(registry: Registry, tmp_path: Path) -> None:
    digest = fill(registry, tmp_path)
    blobs = Blobs(tmp_path / "kept")
    base = base_registry.take(parse(f"{registry.host}/team/base:1"), blobs)
    assert base.digest == digest
    assert base.name == f"{registry.host}/team/base:1"
    registry.asked.clear()
    base_registry.take(parse(f"{registry.host}/team/base:1"), blobs)
    assert registry.asked == ["GET /v2/team/base/manifests/1"]
    registry.asked.clear()
    base_registry.take(parse(f"{registry.host}/team/base@{digest}"), blobs)
    assert registry.asked == []


def test_an_index_leads_to_the_manifest_for_this_machine(registry: Registry, tmp_path: Path) -> None:
    digest = fill(registry, tmp_path)
    other = {"mediaType": DOCKER_MANIFEST, "digest": f"sha256:{'0' * 64}", "size": 1}
    here = {"mediaType": DOCKER_MANIFEST, "digest": digest, "size": 1, "platform": {"os": "linux", "architecture": "amd64"}}
    index: dict[str, Any] = {
        "schemaVersion": 2,
        "manifests": [{**other, "platform": {"os": "linux", "architecture": "s390x"}}, here],
    }
    registry.manifests["1"] = ("application/vnd.oci.image.index.v1+json", json.dumps(index).encode())
    reference = parse(f"{registry.host}/team/base:1")
    assert base_registry.take(reference, Blobs(tmp_path / "kept")).digest == digest
    index["manifests"] = index["manifests"][:1]
    registry.manifests["1"] = ("application/vnd.oci.image.index.v1+json", json.dumps(index).encode())
    with pytest.raises(Invalid, match=r"is there for linux/s390x, linux/\w+ expected"):
        base_registry.take(reference, Blobs(tmp_path / "kept"))


def test_where_no_registry_answers_a_base_may_come_as_a_file(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable, match="the base image") as raised:
        base_registry.take(parse(f"127.0.0.1:{port}/team/base:1"), Blobs(tmp_path))
    assert (raised.value.hint or "").startswith("Where no registry can be reached, give --base a tar file")


def test_a_token_is_fetched_once_it_is_asked_for(registry: Registry, tmp_path: Path) -> None:
    fill(registry, tmp_path)
    registry.token = "t-1"
    base_registry.take(parse(f"{registry.host}/team/base:1"), Blobs(tmp_path / "kept"))
    assert registry.asked.count("GET /token") == 1
    assert registry.shown[:3] == [None, None, "Bearer t-1"]


def test_a_download_that_breaks_off_is_begun_again(registry: Registry, tmp_path: Path) -> None:
    fill(registry, tmp_path)
    largest = max(registry.blobs, key=lambda name: len(registry.blobs[name]))
    registry.broken, registry.faltering = {largest: 2}, 2
    blobs = Blobs(tmp_path / "kept")
    base_registry.take(parse(f"{registry.host}/team/base:1"), blobs, wire(registry))
    assert blobs.read(largest) == registry.blobs[largest]


def test_what_is_not_what_its_digest_says_is_never_kept(registry: Registry, tmp_path: Path) -> None:
    fill(registry, tmp_path)
    largest = max(registry.blobs, key=lambda name: len(registry.blobs[name]))
    registry.blobs[largest] = registry.blobs[largest][:-1] + b"x"
    with pytest.raises(Corrupt):
        base_registry.take(parse(f"{registry.host}/team/base:1"), Blobs(tmp_path / "kept"), wire(registry))
    assert not Blobs(tmp_path / "kept").has(largest)
    assert registry.asked.count(f"GET /v2/team/base/blobs/{largest}") == 3


def test_errors_say_which_base_and_what_else_may_be_given(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no image"):
        base_registry.take(parse(f"{registry.host}/team/base:1"), Blobs(tmp_path))
    registry.faltering = 100
    with pytest.raises(Unavailable, match=rf"the base image {registry.host}/team/base:1: .*503") as told:
        base_registry.take(parse(f"{registry.host}/team/base:1"), Blobs(tmp_path), wire(registry))
    assert "--base" in str(told.value.hint)


@pytest.mark.parametrize("subjects", [True, False])
def test_papers_lie_beside_what_was_pushed(registry: Registry, tmp_path: Path, cache: Path, *, subjects: bool) -> None:
    registry.subjects = subjects
    file = ImageBuilder(HOME, tiny_base(tmp_path), cache, few).build([contents(tmp_path / "model")], tmp_path)
    told = push(file, f"{registry.host}/team/base:7")
    image, *papers = json.loads(blobs_of(file)["index.json"])["manifests"]
    assert told == f"{registry.host}/team/base:7@{image['digest']}"
    assert {image["digest"], *(one["digest"] for one in papers)} <= set(registry.manifests)
    tag = image["digest"].replace(":", "-")
    assert (tag in registry.manifests) is not subjects
    if not subjects:
        assert [one["digest"] for one in json.loads(registry.manifests[tag][1])["manifests"]] == [one["digest"] for one in papers]
    registry.asked.clear()
    assert push(file, f"{registry.host}/team/base:7") == told
    assert not [one for one in registry.asked if one.startswith("POST") or one == f"PUT /v2/team/base/manifests/{tag}"]


def test_who_may_not_push_is_told_how_to_log_in(
    registry: Registry, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ImageBuilder(HOME, tiny_base(tmp_path), cache, few).build([contents(tmp_path / "model")], tmp_path)
    registry.token = "never"
    monkeypatch.setenv("LOCKGATE_REGISTRY", registry.host)
    monkeypatch.setenv("LOCKGATE_REGISTRY_USER", "anna")
    monkeypatch.setenv("LOCKGATE_REGISTRY_PASSWORD", "hush-hush")
    push(file, f"{registry.host}/team/base:7")
    assert "Basic " + b64encode(b"anna:hush-hush").decode() in registry.shown

    class Refusing(Registry):
        token = property(lambda _: "another each time" + str(len(registry.asked)), lambda *_: None)

    with serving(Refusing(asked=registry.asked)) as other, pytest.raises(Refused, match="does not let us") as told:
        push(file, f"{other.host}/team/base:7")
    assert "hush" not in str(told.value) + str(told.value.hint)


MISLEADING = (
    ("http://registry.example.org/1", "https expected"),
    ("ftp://127.0.0.1/1", "https expected"),
    ("https://[bad", "an address expected"),
    ("https:///1", "an address expected"),
    ("https://registry.example.org:port/", "an address expected"),
    ("https://registry.example.org/\u00e9", "an address expected"),
    ("https://anna@registry.example.org/", "an address expected"),
    (f"https://{'a' * 64}.example.org/", "an address expected"),
)


@pytest.mark.parametrize(("address", "expected"), MISLEADING)
@pytest.mark.parametrize("way", ["realm", "uploads", "elsewhere"])
def test_a_registry_leads_nobody_astray(way: str, address: str, expected: str, registry: Registry) -> None:
    setattr(registry, way, address)
    registry.token = "t" if way == "realm" else ""
    line = wire(registry, "pull,push")
    method, path = "GET", "manifests/1"
    if way == "uploads":
        method, path = "PUT", line.ask("POST", "blobs/uploads/", b"").headers["location"]
    with pytest.raises(Invalid, match=expected):
        line.ask(method, path, b"")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_another_machines_registry_leads_to_nothing_that_listens_here(scheme: str, registry: Registry) -> None:
    line = Wire(parse("registry.example.org/team/base:1"), "pull", sleep=lambda _: None)
    with pytest.raises(Invalid, match="another machine than this expected"):
        line.ask("GET", f"{scheme}://{registry.host}/api/v1/models")
    with pytest.raises(Invalid, match=r"leads to http://registry\.example\.org, https expected"):
        line.ask("PUT", "http://registry.example.org/v2/team/base/blobs/uploads/1", b"a blob")
    assert registry.asked == []


def test_a_token_that_would_end_its_header_is_none(registry: Registry) -> None:
    registry.token = "t\r\nhost: elsewhere"
    with pytest.raises(Unavailable, match="with which nobody can be asked"):
        wire(registry).ask("GET", "manifests/1")


@pytest.mark.parametrize(
    ("text", "shown", "secure"),
    [
        ("python:3.11-slim", "docker.io/library/python:3.11-slim", True),
        ("team/app", "docker.io/team/app:latest", True),
        ("localhost:5000/a/b:1", "localhost:5000/a/b:1", False),
        ("127.0.0.1:5000/a", "127.0.0.1:5000/a:latest", False),
        ("[::1]:5000/a", "[::1]:5000/a:latest", False),
        ("registry.example.org/a/b:1", "registry.example.org/a/b:1", True),
        (f"ghcr.io/a/b@sha256:{'a' * 64}", f"ghcr.io/a/b@sha256:{'a' * 64}", True),
    ],
)
def test_names_are_read_as_docker_reads_them(text: str, shown: str, *, secure: bool) -> None:
    assert str(parse(text)) == shown
    assert parse(text).secure is secure


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except Invalid:
        return
    assert parse(str(found)) == found


@pytest.mark.parametrize(
    "text", ["", "A/b", "a b", "host.example/", "a:", "a@sha256:1", "a/../b", "x.y:99999999/a", "http://a.b/c"]
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(Invalid, match="is no name of an image"):
        parse(text)


def config(folder: Path, **content: Any) -> dict[str, str]:
    (folder / "config.json").write_text(json.dumps(content))
    return {"DOCKER_CONFIG": str(folder), "PATH": str(folder)}


def test_credentials_come_from_where_docker_keeps_them(tmp_path: Path) -> None:
    auth = b64encode(b"anna:se:cret").decode()
    auths = {"r.example": {"auth": auth}, "https://index.docker.io/v1/": {"identitytoken": "t"}, "empty.example": {}}
    environment = config(tmp_path, auths=auths)
    assert credentials_for("r.example", environment) == Credentials("anna", "se:cret")
    assert credentials_for("docker.io", environment) == Credentials(token="t")
    assert credentials_for("empty.example", environment) is None
    assert credentials_for("other.example", environment) is None
    ours = {"LOCKGATE_REGISTRY": "other.example", "LOCKGATE_REGISTRY_USER": "ci", "LOCKGATE_REGISTRY_PASSWORD": "p"}
    assert credentials_for("other.example", {**environment, **ours}) == Credentials("ci", "p")
    assert credentials_for("r.example", {**environment, **ours}) == Credentials("anna", "se:cret")


def test_a_helper_is_asked_for_its_registry_only(tmp_path: Path) -> None:
    helper = tmp_path / "docker-credential-keyring"
    helper.write_text('#!/bin/sh\nread host\necho "{\\"Username\\": \\"$host\\", \\"Secret\\": \\"s\\"}"\n')
    helper.chmod(0o755)
    environment = config(tmp_path, credHelpers={"r.example": "keyring"})
    environment["PATH"] += ":/usr/bin:/bin"
    assert credentials_for("r.example", environment) == Credentials("r.example", "s")
    assert credentials_for("other.example", environment) is None
    helper.write_text('#!/bin/sh\necho "{\\"Username\\": \\"u\\", \\"Secret\\": \\"$LOCKGATE_SIGNING_KEY$VAULT_TOKEN.\\"}"\n')
    ours = {"LOCKGATE_SIGNING_KEY": "hush", "VAULT_TOKEN": "hush"}
    assert credentials_for("r.example", {**environment, **ours}) == Credentials("u", ".")
    helper.write_text("#!/bin/sh\necho credentials not found in native keychain\nexit 1\n")
    assert credentials_for("r.example", environment) is None


@pytest.mark.parametrize(
    "content",
    [
        {"auths": {"r.example": {"auth": "c2VjcmV0LXdpdGhvdXQtYS1jb2xvbg=="}}},
        {"auths": {"r.example": {"auth": "\u00e9secret"}}},
        {"auths": "secret"},
        {"credsStore": "../../bin/secret"},
        {"credsStore": "not-installed"},
    ],
)
def test_no_message_about_credentials_repeats_them(content: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(LockgateError) as told:
        credentials_for("r.example", config(tmp_path, **content))
    assert "c2VjcmV0" not in str(told.value)
    assert "without-a-colon" not in str(told.value)


def test_secrets_are_not_shown_by_what_holds_them() -> None:
    assert "hush" not in repr(Credentials("anna", "hush", "hush"))
