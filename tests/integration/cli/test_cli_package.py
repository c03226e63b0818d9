"""`lockgate package` and `lockgate sign` as a user types them, on a real model whose data form is asked in its own process."""

from __future__ import annotations

import pytest

from lockgate.boundary.manifest import Golden
from lockgate.domain.access import Scope
from lockgate.domain.models import Alias
from lockgate.ports.state import ALIASES, FORMS
from lockgate.testing import builders as a
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.contracts.runtime_models import onnx
from tests.contracts.runtime_models.fixture import Fixture
from tests.integration.cli.command import CommandLine
from tests.samples.company import token_of
from tests.samples.packaged import keep

NAME = f"{a.MODEL}-1.lockgate"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    return onnx.make(tmp_path_factory.mktemp("onnx"))


@pytest.fixture
def world(elsewhere: CommandLine) -> World:
    return open_world(Home(elsewhere.home))


def builders_of(world: World) -> list[str]:
    with world.state.read() as tx:
        return [one.by for one in tx.find(FORMS)]


def test_a_version_becomes_a_file_and_everybody_can_see_it(elsewhere: CommandLine, world: World, made: Fixture) -> None:
    keep(world, made)
    with world.state.write() as tx:
        tx.put(ALIASES, Alias(a.MODEL, "champion", 1))
    said = elsewhere("package", a.MODEL, "champion", "--as", "data")
    assert said.code == 0, said.err
    assert f"data   dist/{NAME}" in said.out
    assert f"{a.MODEL} 1: 60 golden rows as the original, at most" in said.out
    assert [path.name for path in (elsewhere.folder / "dist").iterdir()] == [NAME]

    again = elsewhere("package", a.MODEL, "1", "--as", "data", "-o", "other", "--json").json["forms"]
    assert (again[0]["path"], again[0]["same"]) == (f"other/{NAME}", True)
    assert (elsewhere.folder / "other" / NAME).read_bytes() == (elsewhere.folder / "dist" / NAME).read_bytes()
    assert "the same bytes as on" in elsewhere("package", a.MODEL, "1", "--as", "data").out

    (version,) = elsewhere("versions", a.MODEL, "--json").json
    assert [one["digest"] for one in version["forms"]] == [again[0]["versions"][0]["digest"]]
    assert "forms" in elsewhere("versions", a.MODEL).out


def test_what_answers_otherwise_is_refused_and_nothing_is_left(elsewhere: CommandLine, world: World, made: Fixture) -> None:
    golden = made.manifest.golden
    wrong = Golden(golden.inputs, [score + 0.01 for score in golden.scores], golden.tolerance)
    keep(world, made.changed(golden=wrong))
    said = elsewhere("package", a.MODEL, "1", "--as", "data")
    assert said.code == 3
    assert "does not answer as the original did" in said.err
    assert "row 0: " in said.err
    assert not any((elsewhere.folder / "dist").iterdir())


def test_who_acts_is_said_before_the_verb(elsewhere: CommandLine, world: World, made: Fixture) -> None:
    keep(world, made)
    for words in (
        ("--as", "olga", "package", a.MODEL, "1", "--as", "data"),
        ("package", a.MODEL, "1", "--as", "data", "--actor", "olga"),
    ):
        assert elsewhere(*words).code == 0
        assert builders_of(world) == ["olga"]
        with world.state.write() as tx:
            tx.remove(FORMS, a.MODEL, 1, "data")


def test_a_token_says_who_acts(elsewhere: CommandLine, world: World, made: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(world, made)
    monkeypatch.setenv("LOCKGATE_TOKEN", token_of(world, "dora", Scope.WRITE))
    assert elsewhere("package", a.MODEL, "1", "--as", "data").code == 0
    assert builders_of(world) == ["dora"]
    said = elsewhere("--as", "olga", "package", a.MODEL, "1", "--as", "data")
    assert said.code == 2
    assert "is dora's" in said.err


def test_a_version_without_papers_is_signed_first(elsewhere: CommandLine, world: World, made: Fixture) -> None:
    keep(world, made, signed=False)
    said = elsewhere("package", a.MODEL, "1", "--as", "data")
    assert said.code == 3
    assert f"lockgate sign {a.MODEL} 1" in said.err
    signed = elsewhere("sign", a.MODEL, "1", "--json").json
    assert signed["provenance"].startswith("sha256:")
    assert "was signed already" in elsewhere("sign", a.MODEL, "1").out
    assert elsewhere("package", a.MODEL, "1", "--as", "data").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Say what it is to become: --as wheel or --as data or --as image."),
        (("--as", "anna"), "'anna' is not one of 'wheel', 'data', 'image', 'all'"),
        (("--as", "data", "--push", "registry.example.org/a:1"), "--push found, which goes with --as image only"),
        (("--as", "wheel", "--base", "base.tar"), "--base found"),
        (("--as", "wheel", "--with", "other:1"), "--with found"),
        (("--as", "image", "--with", "other"), "'other' found, MODEL:VERSION expected"),
        (("--as", "data", "--actor", ""), "--actor"),
    ],
)
def test_usage(elsewhere: CommandLine, words: tuple[str, ...], said: str) -> None:
    found = elsewhere("package", a.MODEL, "1", *words)
    assert found.code == 2
    assert said in found.err


def test_what_is_not_there(elsewhere: CommandLine, world: World, made: Fixture) -> None:
    keep(world, made)
    for version, told in (
        ("7", "has no version 7"),
        ("best", "has no alias 'best'"),
        ("9" * 40, "has no version"),
        ("²", "alias"),
    ):
        said = elsewhere("package", a.MODEL, version, "--as", "data")
        assert said.code == 1
        assert told in said.err
    assert not (elsewhere.folder / "dist").exists()


def test_what_an_image_is_built_from_can_be_had_alone(elsewhere: CommandLine, world: World, made: Fixture) -> None:
    keep(world, made)
    keep(world, made, "other")
    said = elsewhere("package", a.MODEL, "1", "--with", "other:1", "--dockerfile", "context", "--json")
    assert said.code == 0, said.err
    assert said.json == {"forms": [], "dockerfile": "context/Dockerfile"}
    text = (elsewhere.folder / "context" / "Dockerfile").read_text()
    assert f'"--package", "/model/{a.MODEL}", "--package", "/model/other"' in text
    assert builders_of(world) == []  # nothing was built, so nothing is proven
    assert sorted(path.name for path in elsewhere.folder.iterdir()) == [".lockgate", "context"]
    again = elsewhere("package", a.MODEL, "1", "--dockerfile", "context")
    assert again.code == 1
    assert "context is there already" in again.err
