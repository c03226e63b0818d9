"""Models that are their author's own Python: packaged with what they read, and run only where that is trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate.integrations.python.model import PythonModel, python_model
from lockgate.kernel.errors import Invalid
from lockgate.ports.executor import Packing
from lockgate.runtimes.trust import VARIABLE
from lockgate.wiring.pipelines import NATIVES
from tests.integration.packaging.examples import FRAME, MINUTES, NUMBERS, TRAIN, split
from tests.integration.packaging.made import asked, check_golden, packed

CODE = """
import json
import numpy as np


class Late:
    def __init__(self, folder):
        self.weights = json.loads((folder / "weights" / "carriers.json").read_text())

    def predict(self, columns):
        carriers = np.array([self.weights.get(one, 0.0) for one in columns["carrier"]])
        origins = np.array([one == "EWR" for one in columns["origin"]])
        odds = columns["wind"] + columns["hour"] / 12 - carriers - origins / 4 - ~columns["weekend"]
        return 1 / (1 + np.exp(-odds))


def minutes(columns):
    return columns["distance"] / 7 + 10 * columns["wind"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "late"
    (place / "weights").mkdir(parents=True)
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "model.cpython-311.pyc").write_bytes(b"no business of a package")
    (place / "model.py").write_text(CODE)
    (place / "weights" / "carriers.json").write_text(json.dumps({"AA": 1.0}))
    return place


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")


def late(folder: Path, **options: Any) -> PythonModel:
    return python_model(folder, entry="Late", classes=(0, 1), **options)


@pytest.mark.usefixtures("trusting")
def test_texts_categories_and_truth_arrive_as_in_the_pipeline(folder: Path, tmp_path: Path) -> None:
    model = late(folder)
    made = packed(model, split(), model.predict(FRAME[TRAIN:]))
    assert made.runtime == "python"
    assert set(made.files) == {"model.py", "weights/carriers.json"}
    assert made.options == {
        "entry": "Late",
        "dtypes": {"weekend": "bool"},
        "method": ["argmax", "predict_proba"],
        "classes": [0, 1],
    }
    check_golden(made, tmp_path / "artifacts")


@pytest.mark.usefixtures("trusting")
def test_a_function_may_answer_instead_of_a_class(folder: Path, tmp_path: Path) -> None:
    model = python_model(folder / "model.py", entry="minutes", classes=None)
    examples = split(FRAME[NUMBERS], MINUTES)
    made = packed(model, examples, model.predict(examples.x_test))
    assert [tensor.name for tensor in made.signature.outputs] == ["prediction"]
    check_golden(made, tmp_path / "artifacts")


def test_without_trust_it_is_packaged_and_not_run(folder: Path, tmp_path: Path) -> None:
    model = late(folder)
    said = asked(packed(model, split(), model.predict(FRAME[TRAIN:])), tmp_path / "artifacts")
    assert said.scores is None
    assert said.error == "the package of flights runs code of its author (model.py), which this platform does not trust"
    assert said.hint == "Set LOCKGATE_TRUST_CODE=1 where the server is started, if you trust whoever may publish models here."


def test_what_trust_means_is_not_guessed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "perhaps")
    model = late(folder)
    said = asked(packed(model, split(), model.predict(FRAME[TRAIN:])), tmp_path / "artifacts")
    assert said.error == "LOCKGATE_TRUST_CODE is 'perhaps', 0 or 1 expected"


def test_its_requirements_go_along_unless_the_project_names_others(folder: Path) -> None:
    model = late(folder, requirements=("numpy==2.0.0",))
    answers = model.predict(FRAME[TRAIN:])
    assert packed(model, split(), answers).requirements == ("numpy==2.0.0",)
    assert packed(model, split(), answers, Packing(natives=NATIVES, requirements=("numpy==2.1.0",))).requirements == (
        "numpy==2.1.0",
    )


# Refusals


def refusal(path: Path, entry: str = "Late", classes: Any = (0, 1)) -> str:
    with pytest.raises(Invalid) as caught:
        packed(python_model(path, entry=entry, classes=classes), split(), np.full(len(FRAME) - TRAIN, 0.5))
    return caught.value.message


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"has no file model\.py"):
        python_model(tmp_path, classes=None)


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "secret").symlink_to("/etc/hostname")
    with pytest.raises(Invalid, match="secret is a link, a file expected"):
        late(folder)


def test_an_entry_that_is_not_there_is_named(folder: Path) -> None:
    assert refusal(folder, "Early") == "model.py has no class 'Early' with a method predict, and no such function"


def test_code_that_raises_says_what(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import nowhere_to_be_found")
    assert refusal(tmp_path) == "model.py cannot be loaded: ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    (tmp_path / "model.py").write_text("def Late(columns):\n    return columns['altitude']")
    assert refusal(tmp_path) == "the model cannot answer the held-out rows of the split: KeyError: 'altitude'"
    (tmp_path / "model.py").write_text("def Late(columns):\n    return [[1, 2, 3]] * len(columns['wind'])")
    assert refusal(tmp_path) == "the model answers 400 rows with shape [400, 3], one score for each row expected"


def test_a_model_that_keeps_something_outside_its_files_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import itertools, os\n"
        "os.environ.setdefault('SEEN', '0')\n"
        "class Late:\n"
        "    def __init__(self, folder):\n"
        "        self.turn = int(os.environ['SEEN'])\n"
        "        os.environ['SEEN'] = str(self.turn + 1)\n"
        "    def predict(self, columns):\n"
        "        return columns['wind'] * 0 + self.turn / 10\n"
    )
    assert "stored and read back, does not say what the original says" in refusal(tmp_path)
