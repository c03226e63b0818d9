"""An image is what its version, its libraries and its base are; every part of it is named, and stands where it is named."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.boundary import bundles, statements, trust
from lockgate.boundary.releases import check_provenance
from lockgate.boundary.trusted_types import TrustedTypes
from lockgate.boundary.unpacking import unpack
from lockgate.domain.forms import Contents, Form
from lockgate.integrations.oci import dockerfile
from lockgate.integrations.oci.builder import ImageBuilder
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Conflict, Corrupt, Invalid, Refused
from lockgate.testing.checks import forms as checks
from lockgate.testing.signer import KeySigner
from tests.samples.images import HOME, PYTHON, blobs_of, content_in, contents, few, image_of, layer, saved, tiny_base

CHECKS = (
    checks.the_same_contents_give_the_same_bytes,
    checks.another_release_has_another_digest,
    checks.nothing_but_the_file_is_left,
    checks.what_cannot_be_built_is_not_there,
)


@pytest.fixture
def builder(tmp_path: Path, cache: Path) -> ImageBuilder:
    return ImageBuilder(HOME, tiny_base(tmp_path / "base"), cache, few)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.mark.parametrize("check", CHECKS)
def test_it_keeps_the_contract(check: Callable[..., None], builder: ImageBuilder, tmp_path: Path, out: Path) -> None:
    assert builder.form is Form.IMAGE
    check(builder, contents(tmp_path / "model"), out)


def test_all_that_is_named_is_there_under_its_digest(builder: ImageBuilder, tmp_path: Path, out: Path) -> None:
    blobs = blobs_of(builder.build([contents(tmp_path / "model")], out))
    named = {name: content for name, content in blobs.items() if name.startswith("sha256:")}
    assert {digest_bytes(content) for content in named.values()} == set(named)
    assert json.loads(blobs["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    asked = [(one["digest"], one["size"]) for one in json.loads(blobs["index.json"])["manifests"]]
    reached = set()
    for digest, size in asked:
        assert len(named[digest]) == size
        manifest = json.loads(named[digest])
        parts = [manifest["config"], *manifest["layers"]]
        assert all(len(named[one["digest"]]) == one["size"] for one in parts)
        reached |= {digest, *(one["digest"] for one in parts)}
    assert reached == set(named)


def test_docker_and_others_find_the_same_image(builder: ImageBuilder, tmp_path: Path, out: Path) -> None:
    file = builder.build([contents(tmp_path / "model")], out)
    blobs, (manifest, config, layers) = blobs_of(file), image_of(file)
    (known,) = json.loads(blobs["manifest.json"])
    assert known["RepoTags"] == ["flight-delay:7"]
    assert known["Config"].rpartition("/")[2] == manifest["config"]["digest"][7:]
    assert [one.rpartition("/")[2] for one in known["Layers"]] == [one["digest"][7:] for one in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == [one["digest"] for one in manifest["layers"]]
    assert len(config["history"]) == len(layers) == 4
    assert builder.digest(file) == json.loads(blobs["index.json"])["manifests"][0]["digest"]


def test_it_runs_as_nobody_and_says_when_it_is_ready(builder: ImageBuilder, tmp_path: Path, out: Path) -> None:
    _, config, _ = image_of(builder.build([contents(tmp_path / "model")], out))
    runs = config["config"]
    assert config["created"] == "1970-01-01T00:00:00Z"
    assert runs["User"] == "65532:65532"
    assert runs["Entrypoint"][:3] == [f"/{PYTHON}", "-m", "lockgate.serving"]
    assert runs["Entrypoint"][-2:] == ["--package", "/model/flight-delay"]
    assert runs["ExposedPorts"] == {"8080/tcp": {}}
    assert "PATH=/usr/local/bin" in runs["Env"]
    assert [one for one in runs["Env"] if one.startswith("PYTHONPATH=")] == ["PYTHONPATH=/opt/lockgate/lib:/opt/lockgate/app"]
    assert runs["Healthcheck"]["Test"][0] == "CMD"
    assert "/v2/health/ready" in runs["Healthcheck"]["Test"][-1]
    assert runs["Healthcheck"]["StartInterval"] < runs["Healthcheck"]["Interval"] < runs["Healthcheck"]["StartPeriod"]
    assert runs["Labels"]["org.opencontainers.image.version"] == "7"
    assert runs["Labels"]["org.opencontainers.image.revision"] == "3f1c9a"


def test_its_layers_hold_libraries_the_data_plane_and_the_model(builder: ImageBuilder, tmp_path: Path, out: Path) -> None:
    _, _, (_, libraries, program, models) = image_of(builder.build([contents(tmp_path / "model")], out))
    assert "opt/lockgate/lib/click/__init__.py" in libraries
    assert any(name.endswith("dist-info/METADATA") for name in libraries)
    left_out = ("/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json")
    assert not [name for name in (*libraries, *program) if name.endswith(left_out)]
    assert f"opt/lockgate/lib/click/__pycache__/core.{sys.implementation.cache_tag}.pyc" in libraries
    assert f"opt/lockgate/app/lockgate/kernel/__pycache__/clock.{sys.implementation.cache_tag}.pyc" in program
    parts = {name.split("/")[4] for name in program if name.count("/") > 4} - {"__pycache__"}
    assert parts == {"boundary", "embedded", "kernel", "runtimes", "serving"}
    folder = "model/flight-delay/"
    papers = (bundles.RELEASE, bundles.MANIFEST, bundles.PROVENANCE, bundles.SBOM, bundles.SIGNATURE, "files/model.onnx")
    assert {name for name, one in models.items() if one.isfile()} == {
        *(folder + one for one in papers),
        "etc/lockgate/trusted-keys",
    }
    assert {one.mode for each in (libraries, program, models) for one in each.values() if one.isdir()} == {0o755}


def test_what_lies_in_it_is_a_package_that_its_own_keys_vouch_for(builder: ImageBuilder, tmp_path: Path, out: Path) -> None:
    file = builder.build([contents(tmp_path / "model")], out)
    _, _, layers = image_of(file)
    for name in (name for name, one in layers[-1].items() if one.isfile()):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_in(file, name))
    keys = trust.read(tmp_path / "root/etc/lockgate/trusted-keys")
    found = unpack(tmp_path / "root/model/flight-delay", tmp_path / "artifacts", keys)
    assert found.release.version == 7
    assert found.signer is not None
    assert found.signer.key == HOME.public_key


def test_the_papers_beside_it_are_bound_to_it(builder: ImageBuilder, tmp_path: Path, out: Path) -> None:
    one = contents(tmp_path / "model")
    file = builder.build([one], out)
    blobs = blobs_of(file)
    image, *beside = json.loads(blobs["index.json"])["manifests"]
    kinds = {}
    for paper in beside:
        manifest = json.loads(blobs[paper["digest"]])
        assert manifest["subject"]["digest"] == image["digest"]
        assert manifest["artifactType"] == paper["artifactType"] == "application/vnd.in-toto+json"
        kinds[paper["annotations"]["in-toto.io/predicate-type"]] = blobs[manifest["layers"][0]["digest"]]
    known = trust.trusting([HOME.public_key])
    check_provenance(one.release, kinds[statements.PROVENANCE], known)
    statements.hear_about(kinds[statements.BILL], statements.BILL, one.release.digest, known, "the bill")
    statements.hear_about(kinds[statements.RELEASE], statements.RELEASE, builder.digest(file), known, "the image")


def test_several_models_stand_beside_each_other(builder: ImageBuilder, tmp_path: Path, out: Path) -> None:
    both = [contents(tmp_path / "a", "fares", 3), contents(tmp_path / "b", "flight-delay", 7)]
    file = builder.build(both, out)
    assert file.name == "fares-and-flight-delay-3-7.oci.tar"
    _, config, layers = image_of(file)
    assert config["config"]["Entrypoint"][-4:] == ["--package", "/model/fares", "--package", "/model/flight-delay"]
    assert {"model/fares/release.json", "model/flight-delay/release.json"} <= set(layers[-1])
    with pytest.raises(Invalid, match="one version of each model"):
        builder.build([both[0], contents(tmp_path / "c", "fares", 4)], out)


def test_neither_order_umask_cache_nor_hour_make_another_image(builder: ImageBuilder, tmp_path: Path, out: Path) -> None:
    first = builder.digest(builder.build([contents(tmp_path / "model")], out))
    before = os.umask(0o077)
    try:
        again = ImageBuilder(HOME, tiny_base(tmp_path / "other"), tmp_path / "fresh", lambda one: tuple(reversed(few(one))))
        moved = contents(tmp_path / "elsewhere")
    finally:
        os.umask(before)
    for path in moved.files.values():
        os.utime(path, (0, 0))
    (out / "2").mkdir()
    assert again.digest(again.build([moved], out / "2")) == first
    assert builder.digest(builder.build([contents(tmp_path / "model", graph=b"a grapg")], out)) != first


def test_a_version_that_another_key_signed_would_not_start(builder: ImageBuilder, tmp_path: Path, out: Path) -> None:
    strangers = ImageBuilder(KeySigner("stranger"), tiny_base(tmp_path / "base"), tmp_path / "cache", few)
    with pytest.raises(Refused, match="would not start"):
        strangers.build([contents(tmp_path / "model")], out)
    assert not list(out.iterdir())


def test_a_library_that_was_altered_is_not_copied(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    (folder / "altered-1.0.dist-info").mkdir(parents=True)
    (folder / "altered.py").write_text("x = 2\n")
    (folder / "altered-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: altered\nVersion: 1.0\n")
    (folder / "altered-1.0.dist-info/RECORD").write_text("altered.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n")
    monkeypatch.syspath_prepend(str(folder))
    needs = lambda _: [type(few(_)[0])("altered", "1.0")]  # noqa: E731
    builder = ImageBuilder(HOME, tiny_base(tmp_path / "base"), tmp_path / "cache", needs)
    with pytest.raises(Corrupt, match=r"altered\.py is not what altered 1\.0 installed"):
        builder.build([contents(tmp_path / "model")], out)
    assert not list(out.iterdir())


def test_a_damaged_cache_is_noticed_and_mended(tmp_path: Path, out: Path) -> None:
    builder = ImageBuilder(HOME, tiny_base(tmp_path / "base"), tmp_path / "cache", few)
    one: Contents = contents(tmp_path / "model")
    first = builder.digest(builder.build([one], out))
    largest = max((tmp_path / "cache" / "blobs").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(bytes(largest.stat().st_size))
    with pytest.raises(Corrupt, match="damaged"):
        builder.build([one], out)
    assert builder.digest(builder.build([one], out)) == first


def test_a_base_keeps_what_it_says_but_not_who_runs(tmp_path: Path, out: Path, cache: Path) -> None:
    base = saved(tmp_path / "base.tar", layer({PYTHON: b""}), config={"User": "root", "Cmd": ["sh"], "Env": ["A=1"]})
    builder = ImageBuilder(HOME, base, cache, lambda _: [])
    runs = image_of(builder.build([contents(tmp_path / "model")], out))[1]["config"]
    assert runs["User"] == "65532:65532"
    assert "Cmd" not in runs
    assert "A=1" in runs["Env"]


def test_it_carries_what_the_policy_trusts_if_a_package_is_made_of_such(tmp_path: Path, out: Path, cache: Path) -> None:
    trusted = TrustedTypes("sha256:" + "0" * 64, ("company.models.Ranker", "company.models.Scaler"))
    builder = ImageBuilder(HOME, tiny_base(tmp_path / "base"), cache, few, lambda: trusted)
    words = ["--trusted-type", "company.models.Ranker", "--trusted-type", "company.models.Scaler"]

    def entrypoint(runtime: str) -> list[str]:
        file = builder.build([contents(tmp_path / runtime, runtime=runtime)], out)
        return list(image_of(file)[1]["config"]["Entrypoint"])

    assert [one for one in entrypoint("sklearn") if one in words] == ["--trusted-type", words[1], "--trusted-type", words[3]]
    assert "--trusted-type" not in entrypoint("onnx")
    path = dockerfile.export(
        [contents(tmp_path / "model", runtime="sklearn")],
        tmp_path / "context",
        signer=HOME,
        cache=cache,
        needs=few,
        trusted=lambda: trusted,
    )
    assert '"--trusted-type", "company.models.Scaler"' in path.read_text()


def test_the_same_as_a_folder_for_docker_build(tmp_path: Path, cache: Path) -> None:
    one, folder = contents(tmp_path / "model"), tmp_path / "context"
    path = dockerfile.export([one], folder, signer=HOME, cache=cache, needs=few, base="example.org/python:3")
    text = path.read_text()
    assert "ARG BASE=example.org/python:3\nFROM ${BASE}\n" in text
    assert "USER 65532:65532\n" in text
    assert "RUN" not in text
    assert (folder / "1/opt/lockgate/lib/click/__init__.py").is_file()
    assert (folder / "3/model/flight-delay/files/model.onnx").read_bytes() == b"a graph"
    with pytest.raises(Conflict, match="is there already"):
        dockerfile.export([one], folder, signer=HOME, cache=cache, needs=few)
