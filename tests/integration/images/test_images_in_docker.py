"""Images in a real engine and a real registry: they load, run as nobody with nothing writable, and answer as the original did."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from lockgate.domain.forms import Asked, Contents
from lockgate.integrations.local.distributions import LocalDistributions
from lockgate.integrations.oci import asking, base_registry, dockerfile
from lockgate.integrations.oci.blobs import Blobs
from lockgate.integrations.oci.builder import ImageBuilder
from lockgate.integrations.oci.references import parse
from lockgate.integrations.oci.registry import push
from lockgate.kernel.errors import Invalid
from lockgate.usecases.list_needs import list_needs
from tests.contracts.runtime_models import onnx, python, xgboost
from tests.samples.docker import BASE, Docker
from tests.samples.images import HOME, contents, runnable

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

NEEDS = partial(list_needs, LocalDistributions())
FENCES = ("--read-only", "--tmpfs", "/tmp", "--network", "none", "--cap-drop", "ALL")
NOBODY = {"PATH": "/nowhere"}  # where no engine is found


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    return runnable(onnx.make(tmp_path_factory.mktemp("flights")), "flight-delay")


@pytest.fixture(scope="module")
def fares(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """It runs in a process of its own."""
    return runnable(xgboost.make(tmp_path_factory.mktemp("fares")), "fares", 3)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def builder(base: Path, cache: Path) -> ImageBuilder:
    return ImageBuilder(HOME, base, cache, NEEDS)


@pytest.fixture(scope="module")
def image(builder: ImageBuilder, flights: Contents, fares: Contents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return builder.build([flights, fares], tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def name(engine: Docker, image: Path) -> Iterator[str]:
    """By which the engine knows the image; so asking it does not load it each time."""
    yield engine.do("load", "--quiet", "--input", str(image)).removeprefix("Loaded image: ")
    engine.do("image", "rm", "--force", "fares-and-flight-delay:3-7")


@contextmanager
def running(engine: Docker, *words: str) -> Iterator[str]:
    name = engine.do("run", "--detach", *words)
    try:
        yield name
    finally:
        engine.do("rm", "--force", name)


def healthy(engine: Docker, name: str) -> str:
    """What its own health check says, once it knows."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        health = engine.do("inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", name)
        if health != "running starting":
            return health
        time.sleep(0.2)
    return "nothing"


def check(asked: Asked, original: Contents) -> None:
    golden = original.manifest.golden
    assert len(asked.scores) == len(golden.scores) > 10
    assert asked.scores == pytest.approx(golden.scores, abs=golden.tolerance)
    assert 0 < asked.cold_start < 60


@pytest.mark.usefixtures("name")
def test_an_engine_asks_both_of_its_models(image: Path, engine: Docker, flights: Contents, fares: Contents) -> None:
    for one in (flights, fares):
        asked = asking.ask(image, one, engine.environment)
        check(asked, one)
        assert asked.environment.startswith("a container of Docker ")
    assert engine.do("ps", "--all", "--quiet") == ""


def test_it_runs_as_nobody_becomes_healthy_and_ends_when_it_is_told(name: str, engine: Docker) -> None:
    with running(engine, *FENCES, name) as container:
        assert healthy(engine, container) == "running healthy"
        assert engine.do("exec", container, "/usr/local/bin/python3", "-c", "import os; print(os.getuid())") == "65532"
        said = engine.do("exec", container, "/usr/local/bin/python3", "-c", "open('/model/x', 'w')", check=False)
        assert said == ""
        engine.do("stop", "--time", "20", container)
        assert engine.do("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", container) == "0 false"


def test_it_answers_beyond_its_container(name: str, engine: Docker, flights: Contents) -> None:
    """On the machine's own network here, so that no bridge has to be made; the last port that is said counts."""
    with running(engine, *FENCES[:3], "--network", "host", name, "--port", "0") as container:
        port = listening(engine, container)
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        question = asking._question(flights.manifest)
        connection.request("POST", question.path, question.body.encode(), {"content-type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert len(json.loads(answer.read())["outputs"]) == len(flights.manifest.signature.outputs)
        connection.close()


def listening(engine: Docker, container: str) -> int:
    """The port, once it is ready there."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        done = subprocess.run(["docker", "logs", container], env=engine.environment, capture_output=True, text=True, check=True)
        told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        port = next((one["port"] for one in told if one["event"] == "listening"), 0)
        if port and _ready(port):
            return port
        time.sleep(0.2)
    raise AssertionError(done.stderr)


def _ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_it_is_pushed_and_runs_by_its_digest(image: Path, engine: Docker, registry: str, builder: ImageBuilder) -> None:
    told = push(image, f"{registry}/team/flights:7")
    name, _, digest = told.partition("@")
    assert (name, digest) == (f"{registry}/team/flights:7", builder.digest(image))
    pinned = f"{registry}/team/flights@{digest}"
    engine.do("pull", pinned)
    try:
        with running(engine, *FENCES, pinned) as container:
            assert healthy(engine, container) == "running healthy"
    finally:
        engine.do("image", "rm", "--force", pinned)
    index = registry_document(registry, f"manifests/{digest.replace(':', '-')}")
    assert len(index["manifests"]) == 6
    assert registry_document(registry, f"manifests/{index['manifests'][0]['digest']}")["subject"]["digest"] == digest
    assert push(image, f"{registry}/team/flights:7") == told


def registry_document(registry: str, path: str) -> dict[str, Any]:
    connection = HTTPConnection(registry, timeout=20)
    kinds = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
    connection.request("GET", f"/v2/team/flights/{path}", headers={"accept": kinds})
    answer = connection.getresponse()
    assert answer.status == 200
    document = json.loads(answer.read())
    connection.close()
    assert isinstance(document, dict)
    return document


def test_a_base_comes_from_a_registry_too(engine: Docker, registry: str, flights: Contents, cache: Path, tmp_path: Path) -> None:
    """And is kept: by its digest the next build asks nobody. What was loaded to be asked is gone afterwards."""
    base = f"{registry}/library/base:1"
    engine.do("tag", BASE, base)
    engine.do("push", base)
    engine.do("image", "rm", base)
    before = engine.do("image", "ls", "--all", "--quiet")
    built = ImageBuilder(HOME, base, cache, NEEDS).build([flights], tmp_path)
    check(asking.ask(built, flights, engine.environment), flights)
    assert engine.do("image", "ls", "--all", "--quiet") == before
    assert engine.do("ps", "--all", "--quiet") == ""
    digest = base_registry.take(parse(base), Blobs(cache)).digest
    pinned = ImageBuilder(HOME, f"127.0.0.1:1/library/base@{digest}", cache, NEEDS)
    assert pinned.build([flights], tmp_path).is_file()


def test_others_read_it(image: Path) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed: install the package `skopeo`")
    for name in (f"oci-archive:{image}:3-7", f"docker-archive:{image}"):
        done = subprocess.run(["skopeo", "inspect", name], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["Labels"]["org.opencontainers.image.title"] == "flight-delay, fares"


def test_its_dockerfile_makes_one_that_runs(engine: Docker, flights: Contents, cache: Path, tmp_path: Path) -> None:
    """Without a network."""
    path = dockerfile.export([flights], tmp_path / "context", signer=HOME, cache=cache, needs=NEEDS)
    engine.do("build", "--network", "none", "--build-arg", f"BASE={BASE}", "--tag", "built:1", str(path.parent))
    try:
        with running(engine, *FENCES, "built:1") as container:
            assert healthy(engine, container) == "running healthy"
    finally:
        engine.do("image", "rm", "--force", "built:1")


def test_without_an_engine_its_own_files_answer(image: Path, fares: Contents) -> None:
    asked = asking.ask(image, fares, NOBODY)
    check(asked, fares)
    assert "no container engine" in asked.environment


def test_a_model_that_does_not_answer_is_told_why(base: Path, engine: Docker, builder: ImageBuilder, tmp_path: Path) -> None:
    broken = contents(tmp_path / "model", "broken", 1)
    image = builder.build([broken], tmp_path)
    with pytest.raises(Invalid, match=r"(?s)does not answer.*onnxruntime cannot load the model"):
        asking.ask(image, broken, engine.environment)
    assert "lockgate-ask" not in engine.do("ps", "--all")


def test_a_package_with_libraries_of_its_own_needs_no_network_when_it_starts(
    builder: ImageBuilder, engine: Docker, tmp_path: Path
) -> None:
    made = python.MAKERS[0](tmp_path / "made") if hasattr(python, "MAKERS") else python.make(tmp_path / "made")
    apart = runnable(made.changed(requirements=("iniconfig==2.1.0",)), "apart")
    image = builder.build([apart], tmp_path)
    check(asking.ask(image, apart, {**engine.environment, "LOCKGATE_TRUST_CODE": "1"}), apart)
