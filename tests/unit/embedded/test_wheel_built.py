"""A wheel as it is built: the same bytes each time, everything in it listed and signed, and nothing that it does not need."""

from __future__ import annotations

import ast
import base64
import csv
import hashlib
import os
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from lockgate.boundary import bundles, statements
from lockgate.boundary.archives import check_canonical, reading
from lockgate.boundary.manifest import Manifest, Tensor
from lockgate.boundary.releases import Release
from lockgate.boundary.trust import trusting
from lockgate.domain.forms import Contents
from lockgate.integrations.wheel import metadata, names, requirements, sources
from lockgate.integrations.wheel.builder import WheelBuilder
from lockgate.integrations.wheel.closure import carried, closure, modules_in
from lockgate.integrations.wheel.parts import Part
from lockgate.kernel.errors import Invalid
from lockgate.ports.forms import FormBuilder
from lockgate.testing.signer import KeySigner
from tests.unit.embedded import packaged

SIGNER = KeySigner("anna")
INFO = "sum_model-3.dist-info"


def build(folder: Path, one: Contents) -> Path:
    builder: FormBuilder = WheelBuilder(SIGNER, folder / "cache")
    return builder.build([one], folder)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return build(tmp_path, packaged.contents(tmp_path))


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_is_named_for_the_model_and_its_version_and_nothing_is_left_beside_it(wheel: Path) -> None:
    assert wheel.name == "sum_model-3-py3-none-any.whl"
    assert {path.name for path in wheel.parent.iterdir()} == {"model.onnx", wheel.name}


def test_the_package_is_in_it_as_it_is(tmp_path: Path) -> None:
    one = packaged.contents(tmp_path)
    found = members(build(tmp_path, one))
    assert found["sum_model/_model/manifest.json"] == one.manifest_bytes
    assert found["sum_model/_model/files/model.onnx"] == one.files["model.onnx"].read_bytes()
    assert bundles.decode(found["sum_model/_model/release.json"]) == one.release


def test_the_record_lists_every_file_with_its_digest_and_size(wheel: Path) -> None:
    found = members(wheel)
    listed = {name: (digest, size) for name, digest, size in csv.reader(found[f"{INFO}/RECORD"].decode().splitlines())}
    assert listed.keys() == found.keys()
    assert listed.pop(f"{INFO}/RECORD") == ("", "")
    for name, (digest, size) in listed.items():
        expected = base64.urlsafe_b64encode(hashlib.sha256(found[name]).digest()).rstrip(b"=").decode()
        assert (digest, size) == (f"sha256={expected}", str(len(found[name])))


def test_its_signature_is_of_all_members_but_the_record(wheel: Path) -> None:
    found = members(wheel)
    signed = found.pop(f"{INFO}/{bundles.SIGNATURE}")
    del found[f"{INFO}/RECORD"]
    stated, _ = statements.hear(signed, statements.RELEASE, trusting([SIGNER.public_key]), "the wheel")
    assert stated.digests() == {name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in found.items()}
    assert stated.predicate["purl"] == "pkg:generic/sum-model@3"


def test_it_is_a_canonical_archive(wheel: Path) -> None:
    with reading(wheel) as archive:
        check_canonical(wheel, archive)


def test_it_requires_numpy_and_onnxruntime_and_nothing_else(wheel: Path) -> None:
    told = message_from_bytes(members(wheel)[f"{INFO}/METADATA"])
    assert told.get_all("Requires-Dist") == ["numpy>=1.26", "onnxruntime>=1.22"]
    assert (told["Name"], told["Version"], told["Requires-Python"]) == ("sum-model", "3", ">=3.11")
    assert told["Keywords"].startswith("pkg:generic/sum-model@3,sha256:")


_AGAIN = """
import os, sys, time
from pathlib import Path
from tests.unit.embedded.test_wheel_built import build
from tests.unit.embedded import packaged
umask, folder = int(sys.argv[1]), Path(sys.argv[2])
os.umask(umask)
os.chdir("/")
folder.mkdir()
one = packaged.contents(folder)
os.utime(one.files["model.onnx"], (1, 1))
build(folder, one)
"""


def test_it_is_the_same_bytes_whenever_and_wherever_it_is_built(wheel: Path, tmp_path: Path) -> None:
    """Under another umask, in another folder, with files of another time, with other hashes of names."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "7",
        "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path]),
        "TZ": "Pacific/Kiritimati",
        "LANG": "C",
    }
    subprocess.run([sys.executable, "-c", _AGAIN, str(0o077), str(tmp_path / "there")], env=environment, check=True)
    assert (tmp_path / "there" / wheel.name).read_bytes() == wheel.read_bytes()


@pytest.mark.parametrize("model", ["x\nRequires-Dist: evil", 'x"""\nimport os', "\ud800", "a\\"])
def test_a_models_name_says_nothing_to_installers_or_to_python(model: str, tmp_path: Path) -> None:
    """Names that came over MLflow's protocol are anybody's."""
    called = names.names_of(Release(model, 1, ""))
    one = packaged.contents(tmp_path)
    told = metadata.metadata(called, Release(model, 1, ""), ["numpy>=1.26"], "about")
    assert message_from_bytes(told).get_all("Requires-Dist") == ["numpy>=1.26"]
    tree = ast.parse(sources.init(called, Release(model, 1, ""), one.manifest))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import) and node.names[0].name == "os"]


def test_a_wheel_holds_one_version(tmp_path: Path) -> None:
    one = packaged.contents(tmp_path)
    builder = WheelBuilder(SIGNER, tmp_path)
    with pytest.raises(Invalid, match="2 versions found; a wheel holds one"):
        builder.build([one, one], tmp_path)


# What it carries of ours


def test_what_programs_of_others_carry_needs_numpy_and_onnxruntime_alone() -> None:
    libraries = {library for module in closure(modules_in("lockgate.embedded")).values() for library in module.libraries}
    assert libraries - sys.stdlib_module_names == {"numpy", "onnxruntime"}


def test_the_parts_that_need_neither_do_not_import_them() -> None:
    """What reads and checks a package is the standard library's."""
    assert closure(["lockgate.embedded.package"])["lockgate.embedded.package"].libraries <= sys.stdlib_module_names


def test_all_of_ours_is_imported_under_the_wheels_own_name(wheel: Path) -> None:
    found = members(wheel)
    for name, content in found.items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("lockgate"), name
                inside = (node.module or "").replace(".", "/")
                if inside.startswith("sum_model"):
                    assert {f"{inside}.py", f"{inside}/__init__.py"} & found.keys(), f"{name} imports {node.module}"
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("lockgate") for alias in node.names), name


def test_an_import_that_cannot_be_renamed_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lockgate.integrations.wheel.closure.PACKAGE", tmp_path)
    (tmp_path / "one.py").write_text("import lockgate.other\n")
    (tmp_path / "other.py").write_text("from . import one\n")
    for name in ("lockgate.one", "lockgate.other"):
        with pytest.raises(Invalid, match="can be renamed"):
            closure([name])
    with pytest.raises(Invalid, match=r"there is no module lockgate\.none"):
        closure(["lockgate.none"])


def test_a_line_that_only_looks_like_an_import_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lockgate.integrations.wheel.closure.PACKAGE", tmp_path)
    (tmp_path / "one.py").write_text('"""\nfrom lockgate.x import y\n"""\nfrom lockgate.two import a\n')
    (tmp_path / "two.py").write_text("a = 1\n")
    source = carried(closure(["lockgate.one"]), "own")["own/_lockgate/one.py"].decode()
    assert source == '"""\nfrom lockgate.x import y\n"""\nfrom own._lockgate.two import a\n'


# What it is called


@pytest.mark.parametrize(
    ("model", "package"),
    [
        ("flight-delay", "flight_delay"),
        ("flight.delay_x", "flight_delay_x"),
        ("2024-model", "model_2024_model"),
        ("class", "class_model"),
        ("json", "json_model"),
        ("numpy", "numpy_model"),
        ("lockgate", "lockgate_model"),
        ("xgboost", "xgboost_model"),
        ("scikit-learn", "scikit_learn_model"),
        ("SKLearn", "sklearn_model"),
        ("mlflow.skinny", "mlflow_skinny_model"),
        ("Späte Flüge/2", "sp_te_fl_ge_2"),
        ("../../etc", "etc"),
        ("延误", "model"),
    ],
)
def test_a_models_name_becomes_one_that_can_be_imported(model: str, package: str) -> None:
    found = names.names_of(Release(model, 12, "sha256:" + "0" * 64))
    assert (found.package, found.distribution) == (package, package.replace("_", "-"))
    assert found.file == f"{package}-12-py3-none-any.whl"


@pytest.mark.parametrize("extra", ["ml", "skops", "xgboost", "lightgbm", "torch", "river", "mlflow"])
def test_no_model_takes_the_place_of_a_library_that_answers(extra: str) -> None:
    """By the name by which it is installed: an installer would replace the library, or skip it."""
    told = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    named = {Requirement(one).name for one in told["project"]["optional-dependencies"][extra]}
    for name in named - {"protobuf", "pandera", "skl2onnx"}:  # which turn models into others, and never answer
        assert names.names_of(Release(name, 1, "")).distribution == f"{name}-model"


def test_no_model_is_called_as_what_it_requires(tmp_path: Path) -> None:
    one = packaged.contents(tmp_path, requirements=("Sum.Model==1.0",))
    with pytest.raises(Invalid, match="called sum-model, as a library it requires"):
        build(tmp_path, one)
    assert not list(tmp_path.glob("*.whl"))


@given(st.text(min_size=1, max_size=12), st.sampled_from(packaged.SCALARS), st.text(max_size=12))
def test_the_module_is_python_whatever_its_inputs_are_called(name: str, like: Tensor, value: str) -> None:
    """Names come from people's tables, and stand in a docstring and in a type."""
    inputs = (Tensor(name, like.datatype, like.shape),)
    golden = type(packaged.golden())({name: [value]}, [0.0], 0.0)
    manifest: Any = _Told(packaged.signature(inputs), golden)
    called = names.Names("own", "own", "1")
    tree = ast.parse(sources.init(called, Release("own", 1, "sha256:" + "0" * 64), manifest))
    assert ast.get_docstring(tree)
    compile(tree, "own", "exec")


class _Told:
    runtime = "onnx"

    def __init__(self, signature: Any, golden: Any) -> None:
        self.signature, self.golden = signature, golden


# What it requires


def required(tmp_path: Path, runtime: str, *more: str, **changed: Any) -> list[str]:
    manifest: Manifest = packaged.contents(tmp_path, runtime=runtime, **changed).manifest
    return requirements.requirements([Part(manifest, (runtime, *more))])


def test_formats_that_newer_libraries_read_are_required_from_a_version_on(tmp_path: Path) -> None:
    found = required(tmp_path, "xgboost", environment={"xgboost": "3.2.1", "numpy": "2.4.6"})
    assert found == ["msgspec>=0.20", "numpy>=1.26", "xgboost>=3.2.1"]
    assert required(tmp_path, "torch", environment={"torch": "2.13.0+cpu"})[-1] == "torch>=2.13.0"


def test_libraries_whose_own_objects_are_restored_are_required_in_the_same_minor_release(tmp_path: Path) -> None:
    found = required(tmp_path, "sklearn", environment={"scikit-learn": "1.9.1", "xgboost": "3.2.0"})
    assert "scikit-learn~=1.9.1" in found
    assert "xgboost>=3.2.0" in found
    assert not any(one.startswith("lightgbm") for one in found)
    assert "river~=0.26.1" in required(tmp_path, "river", environment={"river": "0.26.1"})


def test_what_a_package_pins_stays_pinned(tmp_path: Path) -> None:
    found = required(tmp_path, "python", requirements=("NumPy==2.2.0", "holidays==0.60"))
    assert found == ["holidays==0.60", "msgspec>=0.20", "NumPy==2.2.0"]


def test_a_flavour_of_mlflows_that_needs_no_mlflow_does_not_require_it(tmp_path: Path) -> None:
    native = required(tmp_path, "mlflow", "xgboost", options={"flavor": "xgboost"})
    assert native == ["msgspec>=0.20", "numpy>=1.26", "pyyaml>=6", "xgboost>=3.1"]
    assert "mlflow-skinny>=3.4" in required(tmp_path, "mlflow")
