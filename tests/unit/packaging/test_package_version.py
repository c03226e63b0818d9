"""A form leaves only if it answers as the original did; whatever fails, nothing is left of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lockgate.boundary import bundles
from lockgate.boundary.archives import reading
from lockgate.boundary.manifest import Manifest, decode
from lockgate.boundary.releases import Release
from lockgate.domain.events import Action
from lockgate.domain.forms import BuiltForm, Contents, Form
from lockgate.domain.people import Actor
from lockgate.integrations.local.outbox import LocalOutbox
from lockgate.integrations.local.signing_key import LocalSigningKey
from lockgate.kernel.digest import digest_file
from lockgate.kernel.errors import Corrupt, Invalid, NotFound, Refused, Unavailable
from lockgate.ports.forms import FormBuilder
from lockgate.ports.state import FORMS, VERSIONS
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.builders import ANNA, BEN, MODEL
from lockgate.testing.checks.forms import FORM_CHECKS
from lockgate.testing.clock import START, VirtualClock
from lockgate.testing.forms import ArchiveBuilder
from lockgate.testing.state import MemoryState
from lockgate.usecases.delete_version import delete_version
from lockgate.usecases.gather_contents import gather
from lockgate.usecases.package_version import PackagedForm, package_version
from lockgate.usecases.sign_version import sign_version
from lockgate.usecases.world import World
from tests.samples.company import register

FILES = {"model.onnx": b"graph", "nodes/a.txt": b"below"}


@pytest.fixture
def world(state: MemoryState, artifacts: MemoryArtifacts, clock: VirtualClock, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One signed version."""
    key = LocalSigningKey(tmp_path_factory.mktemp("secrets") / "release.key")
    world = World(state, artifacts, clock, signer=key)
    register(world, 1, files=FILES)
    return world


def package(world: World, out: Path, builder: FormBuilder | None = None, actor: Actor = ANNA, **more: object) -> PackagedForm:
    given = builder or ArchiveBuilder()
    return package_version(world, given, [(MODEL, 1)], LocalOutbox(out), actor, **more)  # type: ignore[arg-type]


def known(world: World) -> list[BuiltForm]:
    with world.state.read() as tx:
        return list(tx.find(FORMS, model=MODEL))


def packagings(world: World) -> list[dict[str, object]]:
    with world.state.read() as tx:
        return [one.happened.details for one in tx.events() if one.happened.action is Action.VERSION_PACKAGED]


def change(world: World, **fields: str) -> None:
    with world.state.write() as tx:
        version = tx.get(VERSIONS, MODEL, 1)
        assert version is not None
        tx.put(VERSIONS, replace(version, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("check", FORM_CHECKS, ids=lambda check: check.__name__)
def test_the_simplest_builder_keeps_the_contract(
    check: Callable[[FormBuilder, Contents, Path], None], world: World, tmp_path: Path
) -> None:
    for name in ("contents", "work"):
        (tmp_path / name).mkdir()
    check(ArchiveBuilder(), gather(world, MODEL, 1, tmp_path / "contents"), tmp_path / "work")


# What goes in


def test_everything_that_the_version_is_made_of_is_gathered(world: World, tmp_path: Path) -> None:
    contents = gather(world, MODEL, 1, tmp_path)
    with world.state.read() as tx:
        version = tx.get(VERSIONS, MODEL, 1)
    assert version is not None
    assert contents.release == Release(MODEL, 1, version.digest, version.provenance, version.sbom)
    assert version.provenance
    assert decode(contents.manifest_bytes, version.digest) == contents.manifest
    assert {name: path.read_bytes() for name, path in contents.files.items()} == FILES
    assert contents.papers == {digest: world.artifacts.get(digest) for digest in (version.provenance, version.sbom)}


def test_all_that_is_gone_or_damaged_is_said_at_once(world: World, artifacts: MemoryArtifacts, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    manifest = gather(world, MODEL, 1, tmp_path / "whole").manifest
    artifacts.damage(manifest.file("model.onnx").digest, b"grapf")
    change(world, sbom="sha256:" + "0" * 64)
    with pytest.raises(Corrupt) as raised:
        gather(world, MODEL, 1, tmp_path)
    assert f"{MODEL} 1 is not whole" in raised.value.message
    assert "model.onnx: artifact sha256:" in raised.value.message
    assert "bill of materials: there is no artifact sha256:0000" in raised.value.message
    assert "a.txt" not in raised.value.message


def test_a_manifest_that_is_not_there_is_not_whole_either(world: World, tmp_path: Path) -> None:
    change(world, digest="sha256:" + "0" * 64)
    with pytest.raises(Corrupt, match=r"manifest\.json: there is no artifact"):
        gather(world, MODEL, 1, tmp_path)


@pytest.mark.parametrize(
    ("model", "version", "message"),
    [("fligth", 1, "there is no model 'fligth'"), (MODEL, 2, "has no version 2; its latest is 1"), (MODEL, 1, "1 was deleted")],
)
def test_what_does_not_exist_cannot_be_gathered(world: World, tmp_path: Path, model: str, version: int, message: str) -> None:
    delete_version(world, MODEL, 1, BEN)
    with pytest.raises(NotFound, match=message):
        gather(world, model, version, tmp_path)


# What comes out


def test_what_answers_as_the_original_is_placed_and_known(world: World, tmp_path: Path) -> None:
    phases: list[str] = []
    packaged = package(world, tmp_path / "dist", ArchiveBuilder(_off(by=4e-6)), tell=phases.append)
    assert packaged.path == tmp_path / "dist" / f"{MODEL}-1.lockgate"
    assert list((tmp_path / "dist").iterdir()) == [packaged.path]
    with reading(packaged.path) as archive:
        assert archive.read(bundles.FILES + "model.onnx") == b"graph"
    (built,) = packaged.built
    assert known(world) == [built]
    assert (built.form, built.digest, built.size) == (Form.DATA, digest_file(packaged.path), packaged.path.stat().st_size)
    assert built.difference == pytest.approx(4e-6)
    assert (built.rows, built.tolerance, built.cold_start, built.environment) == (2, 1e-5, 0.1, "this process")
    assert (built.by, built.at, built.pushed, packaged.before) == (ANNA.name, START, "", None)
    assert packagings(world) == [
        {"form": "data", "digest": built.digest, "file": built.file, "difference": built.difference, "pushed": ""}
    ]
    assert [phase.split()[0] for phase in phases] == ["gathering", "building", "asking"]


def test_what_answers_otherwise_is_refused_and_gone(world: World, tmp_path: Path) -> None:
    with pytest.raises(Refused) as raised:
        package(world, tmp_path, ArchiveBuilder(_off(by=0.25)))
    assert f"the data of {MODEL} 1 does not answer as the original did" in raised.value.message
    assert "row 0: 0.2 expected, 0.45 answered\n  row 1: 0.7 expected, 0.95 answered" in raised.value.message
    assert not any(tmp_path.iterdir())
    assert (known(world), packagings(world)) == ([], [])


def test_what_was_there_stays_when_the_next_is_refused(world: World, tmp_path: Path) -> None:
    before = package(world, tmp_path)
    content = before.path.read_bytes()
    with pytest.raises(Refused):
        package(world, tmp_path, ArchiveBuilder(_off(by=0.25)))
    assert before.path.read_bytes() == content
    assert known(world) == list(before.built)


def test_too_few_answers_are_no_parity(world: World, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="1 answers found for 2 rows"):
        package(world, tmp_path, ArchiveBuilder(lambda manifest: manifest.golden.scores[:1]))
    assert not any(tmp_path.iterdir())


def test_what_cannot_be_run_here_is_not_let_out(world: World, tmp_path: Path) -> None:
    def nothing_here(_manifest: Manifest) -> Sequence[float]:
        raise Unavailable("there is no engine here")

    with pytest.raises(Unavailable, match="no engine"):
        package(world, tmp_path, ArchiveBuilder(nothing_here))
    assert not any(tmp_path.iterdir())
    assert known(world) == []


def test_an_unsigned_version_is_told_how_to_be_signed(world: World, tmp_path: Path) -> None:
    change(world, provenance="", sbom="")
    with pytest.raises(Refused, match="is not signed") as raised:
        package(world, tmp_path)
    assert f"lockgate sign {MODEL} 1" in (raised.value.hint or "")
    sign_version(world, MODEL, 1, ANNA)
    assert package(world, tmp_path).path.exists()


def test_twice_is_the_same_and_says_so(world: World, clock: VirtualClock, tmp_path: Path) -> None:
    first = package(world, tmp_path)
    clock.advance(timedelta(days=1).total_seconds())
    second = package(world, tmp_path, actor=BEN)
    assert (first.same, second.same) == (False, True)
    assert second.before == first.built[0]
    assert second.built[0].by == BEN.name
    assert known(world) == list(first.built), "nothing is new, so nothing happened"
    assert len(packagings(world)) == 1
    third = package(world, tmp_path, actor=BEN, push=lambda _path: "registry.example.org/flights:1")
    again = package(world, tmp_path, push=lambda _path: "registry.example.org/flights:1")
    assert known(world) == list(third.built)
    assert again.built[0].pushed == "registry.example.org/flights:1"
    assert [one["pushed"] for one in packagings(world)] == ["", "registry.example.org/flights:1"]


def test_other_bytes_than_before_are_told_from_the_same(world: World, tmp_path: Path) -> None:
    first = package(world, tmp_path)
    change(world, provenance=world.artifacts.put(b"{}"))
    second = package(world, tmp_path)
    assert not second.same
    assert second.before == first.built[0]


# Where it goes on to


def test_where_it_was_pushed_is_known_as_long_as_its_bytes_are_the_same(world: World, tmp_path: Path) -> None:
    pushed: list[bytes] = []

    def push(path: Path) -> str:
        pushed.append(path.read_bytes())
        return "registry.example.org/flights:1"

    first = package(world, tmp_path, push=push)
    assert pushed == [first.path.read_bytes()]
    assert first.built[0].pushed == "registry.example.org/flights:1"
    assert package(world, tmp_path).built[0].pushed == "registry.example.org/flights:1"
    change(world, sbom=world.artifacts.put(b"{}"))
    assert package(world, tmp_path).built[0].pushed == ""


def test_what_could_not_be_pushed_is_there_and_known(world: World, tmp_path: Path) -> None:
    def push(_path: Path) -> str:
        raise Unavailable("no such registry", hint="Look at its name.")

    with pytest.raises(Unavailable, match="no such registry") as raised:
        package(world, tmp_path, push=push)
    (built,) = known(world)
    assert raised.value.hint == f"Look at its name. The file is proven, and stayed at {tmp_path / built.file}."
    assert built.pushed == ""
    assert digest_file(tmp_path / built.file) == built.digest


def test_a_deleted_version_has_no_forms(world: World, tmp_path: Path) -> None:
    package(world, tmp_path)
    delete_version(world, MODEL, 1, BEN)
    assert known(world) == []


def _off(by: float) -> Callable[[Manifest], Sequence[float]]:
    return lambda manifest: [score + by for score in manifest.golden.scores]
