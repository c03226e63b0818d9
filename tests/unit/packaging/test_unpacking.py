"""What comes from elsewhere is laid down only if it is, bit for bit, what it says it is; no name in it becomes a path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary import archives, bundles, statements, trust
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor, encode
from lockgate.boundary.releases import Release
from lockgate.boundary.unpacking import manifest_in, opened, unpack
from lockgate.kernel.digest import digest_bytes, digits
from lockgate.kernel.errors import Corrupt, Invalid, LockgateError, NotFound, Refused
from lockgate.testing.signer import KeySigner

HOME = KeySigner("home")
TRUSTED = trust.trusting([f"{HOME.public_key} home"])
CONTENT = b"a model"


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "model": "delays",
        "runtime": "onnx",
        "files": (File("model.onnx", digest_bytes(CONTENT), len(CONTENT)),),
        "signature": Signature((Tensor("x", "FP32", (-1, 1)),), (Tensor("y", "FP32", (-1, 1)),), "y"),
        "golden": Golden({"x": [1.0]}, [2.0], 1e-6),
        "lineage": Lineage("run-1", None, dirty=False, author="ada", data={}, params={}),
    }
    return Manifest(**{**fields, **changes})


def members(told: Manifest, *, signed: str = "", **release: Any) -> dict[str, bytes]:
    content = encode(told)
    digest = digest_bytes(content)
    papers = [statements.say({"m": signed or digest}, kind, {"a": 1}, HOME) for kind in (statements.PROVENANCE, statements.BILL)]
    said = Release(**{"model": "delays", "version": 7, "digest": digest, **release})
    said = Release(said.model, said.version, said.digest, *map(digest_bytes, papers))
    whole = {bundles.RELEASE: bundles.encode(said), bundles.MANIFEST: content, bundles.FILES + "model.onnx": CONTENT}
    whole |= {bundles.PROVENANCE: papers[0], bundles.SBOM: papers[1]}
    return whole | {bundles.SIGNATURE: bundles.signature({name: digest_bytes(one) for name, one in whole.items()}, said, HOME)}


def write(path: Path, told: dict[str, bytes]) -> Path:
    with path.open("wb") as file:
        archives.write(file, told)
    return path


def folder(path: Path, told: dict[str, bytes]) -> Path:
    for name, content in told.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def laid(artifacts: Path) -> dict[str, bytes]:
    return {path.parent.name + path.name: path.read_bytes() for path in artifacts.glob("*/*")}


@pytest.mark.parametrize("whose", [None, TRUSTED])
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_each_file_lies_where_its_digest_says(tmp_path: Path, whose: trust.Trust | None, kind: str) -> None:
    told = members(manifest())
    path = folder(tmp_path / "m", told) if kind == "folder" else write(tmp_path / "m.lockgate", told)
    found = unpack(path, tmp_path / "artifacts", whose)
    assert (found.release.model, found.release.version) == ("delays", 7)
    assert found.signer == (TRUSTED.keys[0] if whose else None)
    assert found.folder == (path.resolve() if kind == "folder" else None)
    expected = (CONTENT, told[bundles.MANIFEST], told[bundles.PROVENANCE])
    assert laid(tmp_path / "artifacts") == {digits(digest_bytes(one)): one for one in expected}


@given(at=st.floats(0.0, 1.0, exclude_max=True), bit=st.integers(0, 7))
def test_not_one_bit_of_a_file_may_be_another(tmp_path_factory: pytest.TempPathFactory, at: float, bit: int) -> None:
    where = tmp_path_factory.mktemp("bit")
    path = write(where / "m.lockgate", members(manifest()))
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(LockgateError):
        unpack(path, where / "artifacts")


@given(length=st.floats(0.0, 1.0, exclude_max=True))
def test_what_is_cut_short_is_refused(tmp_path_factory: pytest.TempPathFactory, length: float) -> None:
    where = tmp_path_factory.mktemp("cut")
    path = write(where / "m.lockgate", members(manifest()))
    content = path.read_bytes()
    path.write_bytes(content[: int(length * len(content))])
    with pytest.raises(Corrupt, match=r"cut short or altered|no whole archive"):
        unpack(path, where / "artifacts")


@pytest.mark.parametrize(
    ("told", "error", "why"),
    [
        (members(manifest(files=(File("../../evil", digest_bytes(CONTENT), 7),))), Invalid, "a plain path below its folder"),
        (members(manifest(files=(File("model.onnx", "sha256:../../evil", 7),))), Invalid, "is no digest"),
        (members(manifest(files=(File("model.onnx", digest_bytes(CONTENT), 8),))), Corrupt, "7 bytes of model.onnx found, 8"),
        (members(manifest(files=(File("other.onnx", digest_bytes(CONTENT), 7),))), Corrupt, "files/other.onnx is missing"),
        (members(manifest(model="others")), Corrupt, "a package of 'others' found, 'delays' expected"),
        (members(manifest(), digest="sha256:" + "0" * 64), Corrupt, "manifest: expected"),
        ({**members(manifest()), bundles.RELEASE: b"{}"}, Corrupt, "release.json cannot be read"),
        ({**members(manifest()), bundles.RELEASE: b" " * (1 << 17)}, Corrupt, "release.json is larger than"),
        ({**members(manifest()), bundles.PROVENANCE: b"{}"}, Corrupt, "papers/provenance.dsse.json has the digest"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_not_what_it_says_is_refused(
    tmp_path: Path, told: dict[str, bytes], error: type[LockgateError], why: str, kind: str
) -> None:
    path = folder(tmp_path / "m", told) if kind == "folder" else write(tmp_path / "m.lockgate", told)
    with pytest.raises(error, match=why):
        unpack(path, tmp_path / "artifacts")
    assert not (tmp_path.parent / "evil").exists()


def test_what_is_no_package_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no file"):
        unpack(tmp_path / "nothing", tmp_path / "artifacts")
    with pytest.raises(Invalid, match=r"holds no release\.json"):
        unpack(tmp_path, tmp_path / "artifacts")
    both = {f"{name}/_model/{member}": content for name in ("a", "b") for member, content in members(manifest()).items()}
    with pytest.raises(Invalid, match="2 packaged models found, one expected"):
        unpack(write(tmp_path / "two.whl", both), tmp_path / "artifacts")


def test_a_signature_counts_for_this_package_by_these_keys_only(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="it was signed for"):
        unpack(folder(tmp_path / "m", members(manifest(), signed="sha256:" + "0" * 64)), tmp_path / "artifacts", TRUSTED)
    stranger = trust.trusting([KeySigner("stranger").public_key])
    path = write(tmp_path / "m.lockgate", members(manifest()))
    with pytest.raises(Refused, match=r"signature: .*none of the 1 trusted keys"):
        unpack(path, tmp_path / "artifacts", stranger)
    without = {name: content for name, content in members(manifest()).items() if name != bundles.SIGNATURE}
    with pytest.raises(Refused, match="signature"):
        unpack(write(tmp_path / "n.lockgate", without), tmp_path / "artifacts", TRUSTED)


def _renumbered(told: dict[str, bytes]) -> None:
    release = bundles.decode(told[bundles.RELEASE])
    told[bundles.RELEASE] = bundles.encode(msgspec.structs.replace(release, version=99))


def _resigned(told: dict[str, bytes]) -> None:
    """The signature of another release of the same package."""
    release = msgspec.structs.replace(bundles.decode(told[bundles.RELEASE]), version=99)
    digests = {name: digest_bytes(one) for name, one in told.items() if name != bundles.SIGNATURE}
    told[bundles.SIGNATURE] = bundles.signature(digests, release, HOME)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_renumbered, "members: release.json was altered"),
        (lambda told: told.update({bundles.SBOM: b"{}"}), "members: papers/sbom.dsse.json was altered"),
        (lambda told: told.pop(bundles.SBOM), "members: papers/sbom.dsse.json is missing"),
        (lambda told: told.pop(bundles.SIGNATURE), "signature: it is not signed"),
        (lambda told: told.update({"files/more": b""}), "members: files/more was put in"),
        (_resigned, "signed as: it was signed as"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_all_that_it_says_is_as_it_was_signed_where_keys_are_given(
    tmp_path: Path, change: Callable[[dict[str, bytes]], object], why: str, kind: str
) -> None:
    told = members(manifest())
    change(told)
    path = folder(tmp_path / "m", told) if kind == "folder" else write(tmp_path / "m.lockgate", told)
    with pytest.raises(Refused, match=why):
        unpack(path, tmp_path / "artifacts", TRUSTED)
    assert laid(tmp_path / "artifacts") == {}


def test_what_never_ends_is_not_read_from_a_folder(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", members(manifest()))
    os.mkfifo(path / "files/pipe")
    with pytest.raises(Invalid, match="files/pipe is no file"):
        unpack(path, tmp_path / "artifacts", TRUSTED)
    (path / "files/pipe").unlink()
    (path / "files/zero").symlink_to("/dev/zero")
    with pytest.raises(Invalid, match="files/zero is no file"):
        unpack(path, tmp_path / "artifacts", TRUSTED)


def test_what_it_is_can_be_read_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "m.lockgate", members(manifest()))
    with opened(path, canonical=False) as source:
        release, told = manifest_in(source)
    assert (release.version, told.golden.scores) == (7, [2.0])
