"""What a skops file may have the server rebuild is the platform's to say; whoever forges one runs nothing by it."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from lockgate.integrations.sklearn.skops_file import SCHEMA, reproducible
from lockgate.kernel.errors import Invalid
from lockgate.serving.runtimes.model import RuntimeFailure
from lockgate.serving.runtimes.package import read
from lockgate.serving.runtimes.registry import load_model
from lockgate.serving.runtimes.trusted import SKLEARN, unpack
from tests.contracts.runtime_models import sklearn as models

skops = pytest.importorskip("skops.io")


def forged(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A file in which the function of a FunctionTransformer is another one."""
    model = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(np.eye(3), [0, 1, 1])
    with ZipFile(io.BytesIO(skops.dumps(model))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files[SCHEMA])
    (node,) = [node for node in nodes(schema) if node.get("content") == "log1p" or node.get("__class__") == "log1p"]
    change(node)
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, content in {**files, SCHEMA: json.dumps(schema).encode()}.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def nodes(value: Any) -> list[dict[str, Any]]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return ([value] if isinstance(value, dict) else []) + [node for one in inner for node in nodes(one)]


def naming(module: str, name: str) -> bytes:
    def change(node: dict[str, Any]) -> None:
        node["__module__"], node["__class__"] = module, name
        if isinstance(node.get("content"), dict):
            node["content"].update({"module_path": module, "function": name})

    return forged(change)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("posix", "system"),
        ("builtins", "eval"),
        ("subprocess", "Popen"),
        ("sklearn.datasets._base", "urlretrieve"),  # imported there, and defined elsewhere
        ("sklearn.utils._testing", "check_output"),
        ("sklearn.externals._arff", "load"),
        ("sklearn.model_selection._search", "Parallel"),  # a trusted module that does not define it
        ("sklearn.pipeline", "Memory"),
        ("sklearn.metrics.tests.test_common", "check_array"),
        ("scipy.stats._distn_infrastructure", "rv_continuous"),  # runs text when its state is set
        ("lightgbm.basic", "Dataset"),
        ("tests.contracts.test_trusted_types", "forged"),
    ],
)
def test_what_is_not_on_the_list_is_refused_by_its_name(module: str, name: str) -> None:
    with pytest.raises(RuntimeFailure) as caught:
        unpack(naming(module, name), SKLEARN)
    assert f"the file holds {module}.{name}, which the platform does not trust" in caught.value.message
    assert caught.value.hint


def test_a_forged_file_is_otherwise_as_good_as_any() -> None:
    """So that the refusals above are for what was forged."""
    assert unpack(naming("numpy", "log1p"), SKLEARN).steps[0][1].func is np.log1p


def test_a_module_that_nobody_trusts_is_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "harmful.py").write_text("open(__file__ + '.ran', 'w')\nclass Thing: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RuntimeFailure, match=r"harmful\.Thing"):
        unpack(naming("harmful", "Thing"), SKLEARN)
    assert not (tmp_path / "harmful.py.ran").exists()


def test_an_artifact_cannot_lengthen_the_list(tmp_path: Path) -> None:
    fixture = models.make(tmp_path)
    for option in ({"trusted": ["posix.system"]}, {"trust": True}):
        with pytest.raises(Invalid, match="unknown field"):
            load_model(*read(tmp_path, fixture.changed(options={**fixture.manifest.options, **option}).digest))


def test_pickle_is_refused_under_any_name(tmp_path: Path) -> None:
    fixture = models.make(tmp_path)
    harmful = pickle.dumps(LogisticRegression())
    with pytest.raises(RuntimeFailure, match="this is no skops file"):
        load_model(*read(tmp_path, fixture.with_file(harmful).digest))
    with pytest.raises(Invalid, match=r"0 files of the package end in \.skops"):
        load_model(*read(tmp_path, fixture.with_file(harmful, name="model.pkl").digest))


def test_every_name_on_the_list_exists() -> None:
    """A list of names that nothing bears any more protects nobody and helps nobody."""
    for name in SKLEARN.by_name:
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute), name
    for part in (*SKLEARN.classes_of, *SKLEARN.functions_of):
        assert import_module(part), part


def test_a_file_made_reproducible_still_opens() -> None:
    model = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(np.eye(3), [0, 1, 1])
    once = reproducible(skops.dumps(model))
    assert once == reproducible(once) == reproducible(skops.dumps(model))
    np.testing.assert_array_equal(unpack(once, SKLEARN).predict_proba(np.eye(3)), model.predict_proba(np.eye(3)))
