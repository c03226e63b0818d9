"""Packages that name their own libraries run in an environment that has these, msgspec and numpy, and nothing of the server's."""

from __future__ import annotations

import asyncio
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.kernel.errors import Invalid
from lockgate.runtimes.model import RuntimeFailure
from lockgate.serving.isolation.children import environment, installing
from lockgate.serving.isolation.venvs import Venvs
from tests.integration.serving.isolation_keeping import Home, answer_of, feeds, new_home, run

pytestmark = pytest.mark.integration
MODEL = '''
"""A library with a model, as a team would publish it."""
import sys
import numpy as np

class Model:
    def run(self, feeds):
        assert sorted(set(sys.modules) & {"onnxruntime", "uvloop", "scipy"}) == []
        letters = np.array([[len(text) for text in row] for row in feeds["text"].tolist()], float)
        return [2.0 * feeds["x"] + letters]

def load(manifest, files):
    return Model()
'''


def wheel(folder: Path, version: str = "1.0") -> Path:
    """A wheel of one module, made by hand."""
    folder.mkdir(exist_ok=True)
    path = folder / f"lockgate_test_library-{version}-py3-none-any.whl"
    info = f"lockgate_test_library-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lockgate_test_library.py", MODEL)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: lockgate-test-library\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"lockgate_test_library.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return folder


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip finds the wheel and nothing else."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(tmp_path / "wheels")))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with new_home(tmp_path, monkeypatch) as one:
        yield one


@pytest.mark.usefixtures("offline")
def test_an_environment_is_built_once_for_all_who_ask_and_is_complete_or_not_there(tmp_path: Path) -> None:
    async def main() -> None:
        one = Venvs(tmp_path / "venvs", installing(environment(1)), base=())
        other = Venvs(tmp_path / "venvs", installing(environment(1)), base=())  # as another process would
        wanted = ["lockgate-test-library==1.0"]
        found = await asyncio.gather(one.python(wanted), one.python(wanted), other.python(wanted))
        assert len(set(found)) == 1
        installed = "from importlib.metadata import version; version('lockgate-test-library')"
        check = await asyncio.create_subprocess_exec(found[0], "-c", installed)
        assert await check.wait() == 0
        assert [path.name for path in (tmp_path / "venvs").iterdir()] == [found[0].parents[1].name]

    run(main, 60.0)


@pytest.mark.parametrize(
    "requirement", ["numpy", "numpy>=1", "-r file", "--index-url=http://elsewhere", "a==1 ; b", "./a==1", "a @ b"]
)
def test_only_pinned_names_are_installed(tmp_path: Path, requirement: str) -> None:
    with pytest.raises(Invalid, match="is not pinned"):
        run(lambda: Venvs(tmp_path, {}, base=()).python([requirement]))


@pytest.mark.usefixtures("offline")
def test_a_package_whose_libraries_cannot_be_had_fails_with_the_reason(home: Home) -> None:
    async def main() -> None:
        async with home.worker() as hosts:
            with pytest.raises(RuntimeFailure, match="No matching distribution found for lockgate-test-library"):
                await hosts.open(home.packages.make(requirements=("lockgate-test-library==3.0",)))

    with home.kept():
        run(main, 60.0)


@pytest.mark.slow
def test_a_package_runs_with_its_own_libraries_and_none_of_the_servers(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Msgspec and numpy come from where pip finds them; without a network or a store of wheels there is no test."""
    links = os.environ.get("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{links} {wheel(tmp_path / 'wheels')}".strip())

    async def main() -> None:
        async with home.worker() as hosts:
            try:
                model = await hosts.open(home.packages.make(requirements=("lockgate-test-library==1.0",)))
            except RuntimeFailure as error:
                if os.environ.get("CI") == "true" or "msgspec" not in error.message:
                    raise
                pytest.skip(f"msgspec cannot be installed here: {error.message}")
            (scores,) = await model.run(feeds(1.0, 2.0), 5.0)
            assert scores.tolist() == answer_of(1.0, 2.0)

    with home.kept(loader="lockgate_test_library:load"):
        run(main, 100.0)
    assert sys.prefix not in {str(path) for path in (home.path / "venvs").iterdir()}
