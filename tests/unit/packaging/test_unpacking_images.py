"""An image in a file is read as it was packaged, checked like any other file; one that somebody wrote again is refused."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.boundary import trust
from lockgate.boundary.unpacking import manifest_in, opened_all, unpack_all
from lockgate.integrations.oci.builder import ImageBuilder
from lockgate.kernel.digest import digest_bytes, digits
from lockgate.kernel.errors import Corrupt, Invalid, LockgateError, Refused
from lockgate.testing.signer import KeySigner
from tests.samples.images import HOME, blobs_of, contents, few, tiny_base

TRUSTED = trust.trusting([f"{HOME.public_key} home"])
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    both = [contents(folder / "a", "fares", 3), contents(folder / "b", "flight-delay", 7)]
    return ImageBuilder(HOME, tiny_base(folder / "base"), folder / "cache", few).build(both, folder)


def parts(image: Path) -> Files:
    return {name.replace("sha256:", "blobs/sha256/"): content for name, content in blobs_of(image).items()}


def write(path: Path, files: Files) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def with_blob(files: Files, content: bytes) -> str:
    files[f"blobs/sha256/{digits(digest_bytes(content))}"] = content
    return digest_bytes(content)


def rewritten(files: Files, change: Callable[[dict[str, Any], Files], None]) -> Files:
    """Another manifest, whose digest the index names."""
    index = json.loads(files["index.json"])
    manifest = json.loads(files[f"blobs/sha256/{digits(index['manifests'][0]['digest'])}"])
    change(manifest, files)
    index["manifests"][0]["digest"] = with_blob(files, json.dumps(manifest).encode())
    return {**files, "index.json": json.dumps(index).encode()}


def models_of(manifest: dict[str, Any], files: Files) -> bytes:
    return files[f"blobs/sha256/{digits(manifest['layers'][-1]['digest'])}"]


def test_all_its_models_are_taken(image: Path, tmp_path: Path) -> None:
    found = unpack_all(image, tmp_path, TRUSTED)
    assert [str(one.release) for one in found] == ["fares 3", "flight-delay 7"]
    assert {one.signer.name for one in found if one.signer is not None} == {"home"}
    for one in found:
        (file,) = one.manifest.files
        assert (tmp_path / digits(file.digest)[:2] / digits(file.digest)[2:]).read_bytes() == b"a graph"
    with opened_all(image) as sources:
        assert [manifest_in(one)[1].model for one in sources] == ["fares", "flight-delay"]


def test_a_strangers_key_does_not_let_it_in(image: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"(?s)fares"):
        unpack_all(image, tmp_path, trust.trusting([KeySigner("stranger").public_key]))
    assert not list(tmp_path.iterdir())


def repacked(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    told = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as source, tarfile.open(fileobj=told, mode="w") as target:
        for member in source:
            file = source.extractfile(member)
            body = change(member.name, file.read()) if file is not None else b""
            member.size = len(body)
            target.addfile(member, io.BytesIO(body))
    return told.getvalue()


def other_layer(change: Callable[[str, bytes], bytes]) -> Callable[[dict[str, Any], Files], None]:
    """Whose digest the manifest names: only the models' own papers show it."""

    def put(manifest: dict[str, Any], files: Files) -> None:
        manifest["layers"][-1]["digest"] = with_blob(files, repacked(models_of(manifest, files), change))

    return put


def altered_model(name: str, content: bytes) -> bytes:
    return b"a grapg" if name.endswith("fares/files/model.onnx") else content


def altered_signature(name: str, content: bytes) -> bytes:
    return content.replace(b'"sig":"', b'"sig":"AAAA') if name.endswith("fares/signature.dsse.json") else content


def compressed(manifest: dict[str, Any], files: Files) -> None:
    last = manifest["layers"][-1]
    last |= {"digest": with_blob(files, gzip.compress(models_of(manifest, files))), "mediaType": f"{last['mediaType']}+gzip"}


def by_an_engine(manifest: dict[str, Any], files: Files) -> None:
    for one in manifest["layers"]:
        one.pop("annotations", None)


def covered(manifest: dict[str, Any], files: Files) -> None:
    manifest["layers"].append(manifest["layers"][0])


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (other_layer(altered_model), Corrupt, "has the digest"),
        (compressed, Invalid, "compressed, so it was written again by an engine"),
        (by_an_engine, Invalid, "was written again by an engine"),
        (covered, Invalid, "was written again by an engine"),
    ],
)
def test_another_image_is_refused(
    change: Callable[[dict[str, Any], Files], None], kind: type[LockgateError], said: str, image: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "other.oci.tar", rewritten(parts(image), change))
    with pytest.raises(kind, match=said) as told:
        unpack_all(path, tmp_path / "artifacts")
    assert told.value.hint


def test_with_keys_the_signature_beside_each_model_must_hold(image: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "other.oci.tar", rewritten(parts(image), other_layer(altered_signature)))
    assert len(unpack_all(path, tmp_path / "anybody")) == 2
    with pytest.raises(Refused, match="fares: signature"):
        unpack_all(path, tmp_path / "artifacts", TRUSTED)


@pytest.mark.parametrize("seed", range(20))
def test_cut_short_or_altered_anywhere_it_is_refused_or_the_same(image: Path, tmp_path: Path, seed: int) -> None:
    content = bytearray(image.read_bytes())
    place = len(content) * seed // 20
    (tmp_path / "cut.tar").write_bytes(content[:place])
    with pytest.raises(LockgateError):
        unpack_all(tmp_path / "cut.tar", tmp_path / "cut")
    content[place] ^= 1
    (tmp_path / "bit.tar").write_bytes(content)
    try:
        found = unpack_all(tmp_path / "bit.tar", tmp_path / "bit", TRUSTED)
    except LockgateError:
        return
    assert [str(one.release) for one in found] == ["fares 3", "flight-delay 7"]


def test_what_is_no_image_of_ours_is_said_to_be_so(image: Path, tmp_path: Path) -> None:
    (tmp_path / "packed.tar.gz").write_bytes(gzip.compress(image.read_bytes()))
    foreign = write(tmp_path / "foreign.tar", {"hello": b"world"})
    many = write(tmp_path / "many.tar", {**parts(image), "index.json": b'{"manifests": []}'})
    twice = tmp_path / "twice.tar"
    with tarfile.open(twice, "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("index.json"))
    for path, said in (
        (tmp_path / "packed.tar.gz", "is compressed"),
        (foreign, "holds no index.json"),
        (many, "0 named images found"),
        (tiny_base(tmp_path / "base"), "holds no index.json"),
        (twice, "stands twice"),
    ):
        with pytest.raises(LockgateError, match=said):
            unpack_all(path, tmp_path / "artifacts")
