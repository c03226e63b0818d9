"""A data file is believed only whole, unaltered, and signed by who is trusted; each fault is told for what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from lockgate.boundary import archives, bundles, statements
from lockgate.boundary.archives import Content
from lockgate.boundary.checked_archives import check_archive
from lockgate.boundary.checking import Checked
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor
from lockgate.boundary.trust import Trust, TrustedKey, trusting
from lockgate.domain.forms import Contents
from lockgate.integrations.local.data_form import DataFormBuilder
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import NotFound
from lockgate.testing.signer import KeySigner
from tests.samples.contents import contents_of

HOME, OTHER = KeySigner("home"), KeySigner("other")
TRUST = trusting([HOME.public_key])


def contents(folder: Path, number: int = 1, content: bytes = b"a graph", signer: KeySigner = HOME) -> Contents:
    path = folder / "model.onnx"
    path.write_bytes(content)
    manifest = Manifest(
        model="late",
        runtime="onnx",
        files=(File(path.name, digest_bytes(content), len(content)),),
        signature=Signature((Tensor("x", "FP32", (-1, 1)),), (Tensor("p", "FP32", (-1, 1)),), "p"),
        golden=Golden({"x": [1.0]}, [0.5], 1e-6),
        lineage=Lineage("run-1", None, False, "anna", {}, {}),  # noqa: FBT003
    )
    return contents_of(manifest, {path.name: path}, signer, number)


@pytest.fixture(scope="module")
def given_contents(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    return contents(tmp_path_factory.mktemp("contents"))


@pytest.fixture(scope="module")
def file(given_contents: Contents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return DataFormBuilder(HOME).build([given_contents], tmp_path_factory.mktemp("file"))


def failed(checked: Checked) -> dict[str, str]:
    return {step.what: step.said for step in checked.steps if not step.ok}


def test_what_was_built_holds_in_every_point(file: Path) -> None:
    checked = check_archive(file, TRUST)
    assert checked.ok, failed(checked)
    looked = {"archive", "signature", "members", "release", "manifest", "files", "provenance", "bill of materials", "signed as"}
    assert {step.what for step in checked.steps} == looked
    package = checked.packages[0]
    assert str(package.release) == "late 1"
    assert package.signer == TrustedKey(HOME.public_key)
    assert package.provenance is not None
    assert package.bill is not None
    assert package.bill["metadata"]["component"]["name"] == "late"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        check_archive(tmp_path / "nothing.lockgate", TRUST)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_file_that_was_cut_is_told(share: float, file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    cut = tmp_path / "cut.lockgate"
    cut.write_bytes(content[: int(len(content) * share)])
    checked = check_archive(cut, TRUST)
    assert not checked.ok
    assert list(failed(checked)) == ["archive"]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bit_of_it_can_be_another(data: st.DataObject, file: Path, tmp_path: Path) -> None:
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) * 8 - 1))
    content[place // 8] ^= 1 << place % 8
    altered = tmp_path / "altered.lockgate"
    altered.write_bytes(content)
    assert not check_archive(altered, TRUST).ok


@pytest.mark.parametrize("added", [b"\0", b"PK", b"anything at all"])
def test_nothing_stands_before_or_behind_it(added: bytes, file: Path, tmp_path: Path) -> None:
    for name, content in (("before", added + file.read_bytes()), ("behind", file.read_bytes() + added)):
        path = tmp_path / name
        path.write_bytes(content)
        assert not check_archive(path, TRUST).ok, name


Change = Callable[[dict[str, Content], Contents], Mapping[str, Content]]


def _without(name: str) -> Change:
    return lambda members, _: {one: content for one, content in members.items() if one != name}


def _with(name: str, content: bytes) -> Change:
    return lambda members, _: {**members, name: content}


def _swapped_release(members: dict[str, Content], whole: Contents) -> Mapping[str, Content]:
    return {**members, bundles.RELEASE: bundles.encode(structs.replace(whole.release, version=2))}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (_without(bundles.SIGNATURE), {"signature": "it is not signed"}),
        (
            _with("files/extra.py", b"code"),
            {"members": "files/extra.py was put in", "files": "files/extra.py stands in no manifest"},
        ),
        (_without(bundles.SBOM), {"members": f"{bundles.SBOM} is missing", "bill of materials": f"{bundles.SBOM} is missing"}),
        (_with(bundles.PROVENANCE, b"{}"), {"members": "was altered", "provenance": "the release says"}),
        (_with("files/model.onnx", b"another"), {"members": "was altered", "files": "the manifest says"}),
        (_with(bundles.MANIFEST, b"{}"), {"members": "was altered", "manifest": "expected sha256:"}),
        (_with(bundles.RELEASE, b"{}"), {"members": "was altered", "release": "cannot be read"}),
        (_swapped_release, {"members": "release.json was altered", "signed as": "late@1"}),
    ],
)
def test_each_change_is_told(
    change: Change, wrong: Mapping[str, str], file: Path, given_contents: Contents, tmp_path: Path
) -> None:
    """By somebody who can write archives and holds no key."""
    with archives.reading(file) as archive:
        members: dict[str, Content] = {name: archive.read(name) for name in archive.namelist()}
    path = tmp_path / "changed.lockgate"
    with path.open("wb") as written:
        archives.write(written, change(members, given_contents))
    found = failed(check_archive(path, TRUST))
    assert set(found) == set(wrong)
    for what, said in wrong.items():
        assert said in found[what]


def test_a_file_of_another_signer_is_told_with_the_key(file: Path) -> None:
    found = failed(check_archive(file, trusting([OTHER.public_key])))
    assert set(found) == {"signature", "provenance", "bill of materials"}
    assert "none of the 1 trusted keys" in found["signature"]


def test_what_a_revoked_key_signed_counts_no_more(file: Path) -> None:
    checked = check_archive(file, Trust((TrustedKey(HOME.public_key, "laptop", revoked=True), TrustedKey(OTHER.public_key))))
    assert "the key laptop, which was revoked" in failed(checked)["signature"]
    assert checked.packages[0].signer is None


def test_a_rightly_signed_file_around_another_versions_papers_is_told(given_contents: Contents, tmp_path: Path) -> None:
    """Whoever holds the key of forms cannot give a package papers that were signed for another one."""
    other = contents(tmp_path, content=b"another graph")
    release = structs.replace(given_contents.release, provenance=other.release.provenance, sbom=other.release.sbom)
    path = DataFormBuilder(HOME).build([replace(given_contents, release=release, papers=other.papers)], tmp_path)
    found = failed(check_archive(path, TRUST))
    assert set(found) == {"provenance", "bill of materials"}
    assert "was signed for" in found["provenance"]


def test_an_unsigned_version_in_a_signed_file_is_told(given_contents: Contents, tmp_path: Path) -> None:
    release = structs.replace(given_contents.release, provenance="", sbom="")
    path = DataFormBuilder(HOME).build([replace(given_contents, release=release)], tmp_path)
    assert failed(check_archive(path, TRUST)) == {"provenance": "it is not signed", "bill of materials": "it is not signed"}


def test_a_signature_of_another_file_is_told(given_contents: Contents, file: Path, tmp_path: Path) -> None:
    other = DataFormBuilder(HOME).build([contents(tmp_path, 2)], tmp_path)
    with archives.reading(file) as one, archives.reading(other) as two:
        members: dict[str, Content] = {name: one.read(name) for name in one.namelist()}
        members[bundles.SIGNATURE] = two.read(bundles.SIGNATURE)
    path = tmp_path / "mixed.lockgate"
    with path.open("wb") as written:
        archives.write(written, members)
    assert set(failed(check_archive(path, TRUST))) == {"members", "signed as"}


def test_a_paper_is_no_signature_of_a_file(given_contents: Contents, tmp_path: Path) -> None:
    members = bundles.members(given_contents.release, given_contents.manifest_bytes, given_contents.files, given_contents.papers)
    provenance = given_contents.papers[given_contents.release.provenance]
    path = tmp_path / "file.lockgate"
    with path.open("wb") as written:
        archives.write(written, {**members, bundles.SIGNATURE: provenance})
    assert statements.PROVENANCE in failed(check_archive(path, TRUST))["signature"]
