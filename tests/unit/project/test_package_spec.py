"""`package` in the project file: which form the model is to travel in, and what its environment holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.kernel.errors import InvalidInput
from lockgate.project.load import load
from lockgate.stages.build.spec import PackageSpec

LEAST = "model: tiny\npipeline: pipeline.py\ndata: {rows: {path: rows.csv}}\n"


def package(folder: Path, said: str) -> PackageSpec:
    (folder / "pipeline.py").write_text("")
    (folder / "lockgate.yaml").write_text(LEAST + said)
    return load(folder).build.package


def fault(folder: Path, said: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        package(folder, said)
    assert [one.line for one in caught.value.faults] == [4]
    return str(caught.value.faults[0])


def test_without_it_the_form_is_found_and_the_servers_libraries_serve(tmp_path: Path) -> None:
    assert package(tmp_path, "") == PackageSpec(runtime="auto", requirements=())


def test_a_form_and_pinned_requirements_can_be_asked_for(tmp_path: Path) -> None:
    found = package(tmp_path, "package: {runtime: native, requirements: [scikit-learn==1.7.2, 'uvicorn[standard]==0.38.0']}\n")
    assert found == PackageSpec(runtime="native", requirements=("scikit-learn==1.7.2", "uvicorn[standard]==0.38.0"))


def test_a_form_that_there_is_not_is_a_fault_that_says_what_was_meant(tmp_path: Path) -> None:
    said = fault(tmp_path, "package: {runtime: nativ}\n")
    assert "package.runtime" in said
    assert "(did you mean 'native'?)" in said


@pytest.mark.parametrize(
    "line",
    ["scikit-learn", "scikit-learn>=1.7", "./here", "-r other.txt", "a==1 b==2", "x @ https://example.org/x.whl", "", "a==1\n"],
)
def test_a_requirement_that_is_not_pinned_is_a_fault(tmp_path: Path, line: str) -> None:
    said = fault(tmp_path, f"package: {{requirements: [{line!r}]}}\n".replace("'a==1\\n'", '"a==1\\n"'))
    assert "a pinned requirement expected, such as scikit-learn==1.7.2" in said


def test_the_same_package_twice_is_a_fault(tmp_path: Path) -> None:
    assert "scikit-learn found more than once" in fault(tmp_path, "package: {requirements: [scikit-learn==1, Scikit_Learn==2]}\n")


def test_requirements_of_a_model_that_must_be_onnx_are_a_fault(tmp_path: Path) -> None:
    assert "one that is ONNX needs none" in fault(tmp_path, "package: {runtime: onnx, requirements: [a==1]}\n")
