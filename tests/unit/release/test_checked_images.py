"""An image in a file is believed only as it was signed: its blobs, its papers, and the models that stand in its layers."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.boundary.checking import Checked
from lockgate.boundary.trust import Trust, TrustedKey, trusting
from lockgate.integrations.oci.builder import ImageBuilder
from lockgate.integrations.oci.checking import check_image
from lockgate.integrations.oci.reading import place
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import NotFound
from lockgate.testing.signer import KeySigner
from tests.samples.images import HOME, contents, few, tiny_base

TRUST = trusting([HOME.public_key])
MODEL = "flight-delay"
Blobs = dict[str, bytes]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    (folder / "out").mkdir()
    builder = ImageBuilder(HOME, tiny_base(folder / "base"), folder / "cache", few)
    return builder.build([contents(folder / "model")], folder / "out")


def failed(checked: Checked) -> dict[str, str]:
    return {step.what: step.said for step in checked.steps if not step.ok}


def blobs_of(image: Path) -> Blobs:
    with tarfile.open(image) as archive:
        return {one.name: source.read() for one in archive if (source := archive.extractfile(one)) is not None}


def rewritten(blobs: Blobs, path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in blobs.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_what_was_built_holds_in_every_point(image: Path) -> None:
    checked = check_image(image, TRUST)
    assert checked.ok, failed(checked)
    assert checked.signer == TrustedKey(HOME.public_key)
    assert checked.digest == json.loads(blobs_of(image)["index.json"])["manifests"][0]["digest"]
    assert [str(one.release) for one in checked.packages] == [f"{MODEL} 7"]
    assert {f"{MODEL}: image", f"{MODEL}: signature", f"{MODEL}: members", f"{MODEL}: provenance"} <= {
        step.what for step in checked.steps
    }


def test_another_or_a_revoked_key_is_told(image: Path) -> None:
    other = failed(check_image(image, trusting([KeySigner("nobody").public_key])))
    assert "none of the 1 trusted keys" in other[f"{MODEL}: image"]
    revoked = failed(check_image(image, Trust((TrustedKey(HOME.public_key, "laptop", revoked=True),))))
    assert "laptop, which was revoked" in revoked[f"{MODEL}: image"]


def test_a_file_that_is_not_there_or_no_image_is_told(tmp_path: Path, image: Path) -> None:
    with pytest.raises(NotFound):
        check_image(tmp_path / "none.tar", TRUST)
    (tmp_path / "text.tar").write_text("no image at all")
    assert not check_image(tmp_path / "text.tar", TRUST).ok
    (tmp_path / "cut.tar").write_bytes(image.read_bytes()[:-200_000])
    assert not check_image(tmp_path / "cut.tar", TRUST).ok


def test_no_blob_can_be_another(image: Path, tmp_path: Path) -> None:
    blobs = blobs_of(image)
    for name, content in blobs.items():
        if not name.startswith("blobs/") or not content or content == b"{}":
            continue
        altered = bytearray(content)
        altered[len(content) // 2] ^= 1
        checked = check_image(rewritten({**blobs, name: bytes(altered)}, tmp_path / "altered.tar"), TRUST)
        assert not checked.ok, name


def _another_docker_image(blobs: Blobs) -> Blobs:
    """One that `docker load` would find, beside the signed one."""
    told = json.loads(blobs["manifest.json"])
    config = json.dumps({**json.loads(blobs[told[0]["Config"]]), "config": {"Entrypoint": ["/bin/evil"]}}).encode()
    told[0]["Config"] = place(digest_bytes(config))
    return {**blobs, told[0]["Config"]: config, "manifest.json": json.dumps(told).encode()}


def _other_layers(blobs: Blobs, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Blobs:
    """The image with other models, by somebody who can build images and holds no key."""
    index = json.loads(blobs["index.json"])
    manifest = json.loads(blobs[place(index["manifests"][0]["digest"])])
    layer = manifest["layers"][-1]
    with tarfile.open(fileobj=io.BytesIO(blobs[place(layer["digest"])])) as archive:
        members = {one.name: source.read() for one in archive if (source := archive.extractfile(one)) is not None}
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in change(members).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    layer.update(digest=digest_bytes(made.getvalue()), size=len(made.getvalue()))
    content = json.dumps(manifest).encode()
    index["manifests"][0].update(digest=digest_bytes(content), size=len(content))
    told = json.loads(blobs["manifest.json"])
    told[0]["Layers"][-1] = place(layer["digest"])
    new = {place(layer["digest"]): made.getvalue(), place(digest_bytes(content)): content}
    return {**blobs, **new, "index.json": json.dumps(index).encode(), "manifest.json": json.dumps(told).encode()}


def test_what_docker_would_load_is_what_was_signed(image: Path, tmp_path: Path) -> None:
    found = failed(check_image(rewritten(_another_docker_image(blobs_of(image)), tmp_path / "image.tar"), TRUST))
    assert set(found) == {"manifest.json"}
    assert "another image" in found["manifest.json"]


def _another_in_the_index(blobs: Blobs, **changed: Any) -> Blobs:
    """An image that anybody made, with what is said of it in the index. place: in the index. Nobody signs that."""
    index = json.loads(blobs["index.json"])
    signed = index["manifests"][0]
    manifest = json.loads(blobs[place(signed["digest"])])
    config = json.dumps({**json.loads(blobs[place(manifest["config"]["digest"])]), "config": {"Entrypoint": ["/evil"]}}).encode()
    manifest["config"].update(digest=digest_bytes(config), size=len(config))
    manifest |= {"subject": {name: signed[name] for name in ("mediaType", "digest", "size")}, **changed.pop("manifest", {})}
    content = json.dumps(manifest).encode()
    entry = {**signed, "digest": digest_bytes(content), "size": len(content), "annotations": {}, **changed}
    index["manifests"].append(entry)
    new = {place(digest_bytes(content)): content, place(digest_bytes(config)): config}
    return {**blobs, **new, "index.json": json.dumps(index).encode()}


NAMED = {"io.containerd.image.name": "docker.io/library/flight-delay:7"}
PAPER = "application/vnd.in-toto+json"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"annotations": NAMED},
        {"artifactType": PAPER},
        {"manifest": {"artifactType": PAPER}},
        {"platform": {"os": "linux", "architecture": "amd64"}},
        {"mediaType": "application/vnd.oci.image.index.v1+json", "manifest": {"manifests": []}},
    ],
)
def test_no_other_image_lies_beside_the_signed_one(changed: dict[str, Any], image: Path, tmp_path: Path, *, first: bool) -> None:
    blobs = _another_in_the_index(blobs_of(image), **changed)
    if first:
        index = json.loads(blobs["index.json"])
        blobs["index.json"] = json.dumps({**index, "manifests": index["manifests"][::-1]}).encode()
    found = failed(check_image(rewritten(blobs, tmp_path / "image.tar"), TRUST))
    assert "which is no paper about it" in found["index.json"]


def test_a_paper_has_no_name(image: Path, tmp_path: Path) -> None:
    blobs = blobs_of(image)
    index = json.loads(blobs["index.json"])
    index["manifests"][-1]["annotations"] |= NAMED
    found = failed(check_image(rewritten({**blobs, "index.json": json.dumps(index).encode()}, tmp_path / "image.tar"), TRUST))
    assert "which is no paper about it" in found["index.json"]


@pytest.mark.parametrize(
    ("name", "field"), [("index.json", "manifests"), ("index.json", "Manifests"), ("index.json", "manife\u017fts")]
)
def test_no_program_reads_another_image_in_the_same_document(name: str, field: str, image: Path, tmp_path: Path) -> None:
    """Go takes all of these for one field, and believes the last."""
    blobs = blobs_of(image)
    twice = blobs[name].rstrip()[:-1] + f', "{field}": []}}'.encode()
    if field == "manifests":
        twice = f'{{"{field}": [], '.encode() + blobs[name].lstrip()[1:]
    found = failed(check_image(rewritten({**blobs, name: twice}, tmp_path / "image.tar"), TRUST))
    assert "stands twice" in found[name]


def test_docker_reads_the_same_as_is_checked(image: Path, tmp_path: Path) -> None:
    blobs = blobs_of(image)
    twice = blobs["manifest.json"].replace(b'"Config"', b'"config":"blobs/sha256/0","Config"', 1)
    found = failed(check_image(rewritten({**blobs, "manifest.json": twice}, tmp_path / "image.tar"), TRUST))
    assert "stands twice" in found["manifest.json"]


@pytest.mark.parametrize("name", ["index.json", "./index.json", ".//index.json"])
def test_no_member_stands_twice_in_the_file(name: str, image: Path, tmp_path: Path) -> None:
    path = rewritten(blobs_of(image), tmp_path / "image.tar")
    with tarfile.open(path, "a") as archive:
        content = blobs_of(image)["index.json"]
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    assert "stands twice in the image's file" in failed(check_image(path, TRUST))["image"]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda members: members, {f"{MODEL}: image"}),
        (lambda members: {**members, f"model/{MODEL}/files/extra": b"x"}, {f"{MODEL}: members", f"{MODEL}: files"}),
        (lambda members: {**members, f"model/{MODEL}/release.json": b"{}"}, {f"{MODEL}: members", f"{MODEL}: release"}),
        (lambda members: {**members, "model/.wh.flight-delay": b""}, {"models"}),
        (lambda members: {**members, "model/stray": b""}, {"models"}),
        (lambda _: {"etc/other": b""}, {"models"}),
    ],
)
def test_other_models_in_it_are_told(
    change: Callable[[dict[str, bytes]], dict[str, bytes]], wrong: set[str], image: Path, tmp_path: Path
) -> None:
    found = failed(check_image(rewritten(_other_layers(blobs_of(image), change), tmp_path / "image.tar"), TRUST))
    assert wrong <= set(found), found
