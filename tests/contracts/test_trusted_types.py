"""What a skops file may have the server rebuild is the platform's to say; whoever forges one runs nothing by it."""

from __future__ import annotations

import io
import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from lockgate.boundary import trusted_types
from lockgate.boundary.trusted_types import FILE, VARIABLE, TrustedTypes, refusal_of
from lockgate.integrations.sklearn.skops_file import SCHEMA, reproducible
from lockgate.kernel.errors import Invalid, Refused
from lockgate.runtimes.model import RuntimeFailure
from lockgate.runtimes.package import read
from lockgate.runtimes.registry import load_model
from lockgate.runtimes.trusted import SKLEARN, unpack
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
    with pytest.raises(Refused, match=r"model\.skops holds a pickle that names sklearn\.linear_model"):
        load_model(*read(tmp_path, fixture.with_file(harmful).digest))
    with pytest.raises(RuntimeFailure, match="this is no skops file"):
        unpack(harmful, SKLEARN)
    with pytest.raises(Refused, match=r"model\.pkl is a pickle by its name"):
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


class Plain:
    """A class that a platform's owners might add."""


def by(*types: str) -> Any:
    return replace(SKLEARN, policy=TrustedTypes("sha256:" + "0" * 64, types))


def as_object(module: str, name: str) -> bytes:
    """A file in which the function of a FunctionTransformer is an object of a class."""

    def change(node: dict[str, Any]) -> None:
        node.update({"__module__": module, "__class__": name, "__loader__": "ObjectNode", "content": None})

    return forged(change)


def test_a_policy_adds_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plain, "__module__", "company.models")
    company = ModuleType("company.models")
    company.Plain = Plain  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "company", ModuleType("company"))
    monkeypatch.setitem(sys.modules, "company.models", company)
    content = as_object("company.models", "Plain")
    with pytest.raises(RuntimeFailure, match=r"company\.models\.Plain.*Lockgate's own list\)"):
        unpack(content, SKLEARN)
    assert isinstance(unpack(content, by("company.models.Plain")).steps[0][1].func, Plain)
    company.harmless = print  # type: ignore[attr-defined]
    with pytest.raises(RuntimeFailure, match="and 1 types of the policy"):  # a function, and not defined there either
        unpack(as_object("company.models", "harmless"), by("company.models.harmless"))


NEVER = [
    *("builtins.eval", "builtins.getattr", "operator.methodcaller", "operator.attrgetter", "functools.partial", "os.system"),
    *("posix.system", "subprocess.Popen", "_io.open", "io.FileIO", "importlib.import_module", "runpy._run_code", "timeit.Timer"),
    *(
        "bdb.Bdb",
        "idlelib.run.Executive",
        "types.FunctionType",
        "types.CodeType",
        "ctypes.CDLL",
        "pickle.Unpickler",
        "_pickle.loads",
    ),
    *(
        "numpy.load",
        "numpy.lib.npyio.load",
        "numpy.lib._npyio_impl.load",
        "numpy.memmap",
        "numpy.vectorize",
        "numpy.f2py.run_main",
    ),
    *(
        "numpy.testing._private.utils.runstring",
        "joblib.load",
        "joblib.memory.Memory",
        "sklearn.externals._arff.load",
        "torch.load",
    ),
    *(
        "pandas.io.pickle.read_pickle",
        "scipy.stats._distn_infrastructure.rv_continuous",
        "cloudpickle.loads",
        "dill.loads",
        "pip.main",
    ),
    *(
        "skops.io.load",
        "lockgate.wiring.home.Home",
        "sklearn.datasets._base.load_files",
        "mlflow.pyfunc.load_model",
        "yaml.Loader",
    ),
    *("sklearn.preprocessing._function_transformer.FunctionTransformer", "sklearn.utils._testing.check_output"),
]


@pytest.mark.parametrize("name", NEVER)
def test_no_policy_can_allow_what_runs_code(name: str, tmp_path: Path) -> None:
    assert name in str(refusal_of(name))
    with pytest.raises(Invalid, match="the policy may not trust these types") as caught:
        trusted_types.lay_down(tmp_path, TrustedTypes("sha256:1", ("company.models.Plain", name)))
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "Plain", "a..b", ".a", "a.", "a.b c", "a.b()", "a/b.c", "a." + "b" * 300, "ä.b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert "MODULE.CLASS expected" in str(refusal_of(name))


@pytest.mark.parametrize(
    "name", ["company.models.Encoder", "category_encoders.ordinal.OrdinalEncoder", "collections.OrderedDict"]
)
def test_others_are_the_owners_to_trust(name: str) -> None:
    assert refusal_of(name) is None


def test_even_a_list_that_was_forged_on_its_way_trusts_nothing_that_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailure, match=r"posix\.system"):
        unpack(naming("posix", "system"), by("posix.system"))
    forged_list = trusted_types.encode(TrustedTypes("sha256:1", ("posix.system",)))
    (tmp_path / FILE).write_bytes(forged_list)
    with pytest.raises(Invalid, match="may not trust"):
        trusted_types.read(tmp_path)
    monkeypatch.setenv(VARIABLE, forged_list.decode())
    with pytest.raises(Invalid, match="may not trust"):
        load_model(*read(tmp_path, models.make(tmp_path).digest))


def test_the_list_lies_whole_and_is_written_only_when_it_is_another(tmp_path: Path) -> None:
    assert trusted_types.read(tmp_path) == TrustedTypes()
    some = TrustedTypes("sha256:1", ("company.models.Plain",))
    assert trusted_types.lay_down(tmp_path / "plane", some)
    assert not trusted_types.lay_down(tmp_path / "plane", some)
    assert trusted_types.read(tmp_path / "plane") == some
    assert [path.name for path in (tmp_path / "plane").iterdir()] == [FILE]
    (tmp_path / "plane" / FILE).write_text("{")
    with pytest.raises(Invalid, match="cannot be read"):
        trusted_types.read(tmp_path / "plane")
