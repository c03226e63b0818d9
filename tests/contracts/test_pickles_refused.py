"""Pickles that scanners are known to miss, as data: each is refused by every runtime for data before anything of it has run."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lockgate.boundary.pickles import refuse_pickle
from lockgate.kernel.errors import LockgateError, Refused
from lockgate.runtimes.package import read
from lockgate.runtimes.registry import RUNTIMES, load_model
from tests.contracts.runtime_models import onnx, sklearn

DONE = "LOCKGATE_TEST_PICKLE_RAN"  # a payload that runs sets it


def text(value: str) -> bytes:
    return b"V" + value.encode() + b"\n"


def called(module: str, name: str, *arguments: str) -> bytes:
    """Protocol 0: GLOBAL, the arguments, REDUCE."""
    return b"c" + f"{module}\n{name}\n".encode() + b"(" + b"".join(map(text, arguments)) + b"tR."


def stacked(module: str, name: str, *arguments: str) -> bytes:
    """Protocol 4: the name comes from the stack, so that no text `module name` is to be found."""
    words = [b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, name, *arguments)]
    return b"\x80\x04" + b"".join(words[:2]) + b"\x93(" + b"".join(words[2:]) + b"tR."


CODE = f"import os; os.environ['{DONE}'] = '1'"
SET = f"{DONE}=1"
PICKLES = {
    "builtins.exec": called("builtins", "exec", CODE),
    "the old name of builtins": called("__builtin__", "eval", f"exec({CODE!r})"),
    "STACK_GLOBAL": stacked("builtins", "exec", CODE),
    "STACK_GLOBAL from the memo": b"\x80\x04\x8c\x08builtins\x94\x8c\x04exec\x94h\x00h\x01\x93(" + text(CODE) + b"tR.",
    "INST": b"(" + text(CODE) + b"ibuiltins\nexec\n.",
    "OBJ": b"(cbuiltins\nexec\n" + text(CODE) + b"o.",
    "broken after its payload": called("builtins", "exec", CODE)[:-1] + b"\xff\xff\xff",
    "without an end": called("builtins", "exec", CODE)[:-1],
    "pip.main": called("pip", "main", "install", "harm"),
    "pip, its own name": called("pip._internal", "main", "install"),
    "_io.open": called("_io", "open", "/etc/hosts", "w"),
    "io.FileIO": stacked("io", "FileIO", "/etc/hosts", "w"),
    "bdb": called("bdb", "Bdb.run", CODE),
    "pdb": called("pdb", "run", CODE),
    "timeit": called("timeit", "timeit", "pass", CODE),
    "profile": called("cProfile", "run", CODE),
    "trace": called("trace", "Trace.run", CODE),
    "doctest": called("doctest", "debug_script", CODE),
    "runpy": called("runpy", "_run_code", CODE),
    "code": called("code", "InteractiveInterpreter.runcode", CODE),
    "idlelib.run": called("idlelib.run", "Executive.runcode", CODE),
    "idlelib.pyshell": called("idlelib.pyshell", "ModifiedInterpreter.runcode", CODE),
    "idlelib.calltip": called("idlelib.calltip", "get_entity", CODE),
    "idlelib.autocomplete": called("idlelib.autocomplete", "AutoComplete.get_entity", CODE),
    "lib2to3": called("lib2to3.pgen2.grammar", "Grammar.loads", "x"),
    "asyncio": called("asyncio.unix_events", "_UnixSubprocessTransport._start", SET),
    "distutils": called("distutils.file_util", "write_file", "/tmp/x", "x"),
    "ensurepip": called("ensurepip", "_run_pip", "x"),
    "operator.methodcaller": called("operator", "methodcaller", "system", "true"),
    "operator.attrgetter": called("operator", "attrgetter", "system"),
    "functools.partial": called("functools", "partial", "x"),
    "importlib": called("importlib", "import_module", "antigravity"),
    "pydoc.locate": called("pydoc", "locate", "os.system"),
    "pkgutil.resolve_name": called("pkgutil", "resolve_name", "os:system"),
    "numpy's testing": called("numpy.testing._private.utils", "runstring", CODE),
    "numpy.load": called("numpy", "load", "other.npy"),
    "numpy.f2py": called("numpy.f2py.crackfortran", "myeval", CODE),
    "torch.load": called("torch", "load", "other.pt"),
    "torch's storage": called("torch.storage", "_load_from_bytes", "x"),
    "joblib.load": called("joblib", "load", "other.joblib"),
    "cloudpickle": called("cloudpickle", "loads", "x"),
    "ctypes": called("ctypes", "CDLL", "libc.so.6"),
    "webbrowser": called("webbrowser", "open", "http://127.0.0.1"),
    "smtplib": called("smtplib", "SMTP", "127.0.0.1"),
    "urllib": called("urllib.request", "urlopen", "http://127.0.0.1"),
    "a library's own names": called("sklearn.utils._testing", "check_output", "true"),
    "a line longer than a page": text("x" * 10_000) + called("builtins", "exec", CODE),
    "an integer in hexadecimal": b"I0x10\n0" + called("builtins", "exec", CODE),
    "an integer in octal, with something behind a zero byte": b"I007\0.\n0" + called("builtins", "exec", CODE),
    "a long in hexadecimal": b"L0x10L\n0" + called("builtins", "exec", CODE),
    "a float with something behind a zero byte": b"F1.5\0.\n0" + called("builtins", "exec", CODE),
    "one text twice": b"\x80\x04\x8c\x03pdb2\x93.",
    "a long preamble": b"".join(b"K\x01" for _ in range(5000)) + called("builtins", "exec", CODE),
}

LAX = (
    "a line longer than a page",
    "an integer in hexadecimal",
    "an integer in octal, with something behind a zero byte",
    "a long in hexadecimal",
    "a float with something behind a zero byte",
)


def zipped(content: bytes, name: str = "data", method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def array(content: bytes) -> bytes:
    """An .npy file that numpy.load would unpickle."""
    return b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n" + content


WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    "bare": bytes,
    "zip": zipped,
    "deflated": lambda content: zipped(content, method=zipfile.ZIP_DEFLATED),
    "zip in zip": lambda content: zipped(zipped(content), "inner"),
    "as torch.save has it": lambda content: zipped(content, "archive/data.pkl"),
    "npy of objects": array,
    "npz": lambda content: zipped(array(content), "arr_0.npy"),
    "joblib in npz": lambda content: zipped(zlib.compress(content), "model.joblib"),
    "zlib, as joblib compresses": zlib.compress,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda content: lzma.compress(content, lzma.FORMAT_ALONE),
}


@pytest.fixture(autouse=True)
def _nothing_ran(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(DONE, raising=False)
    yield
    assert DONE not in os.environ


@pytest.mark.parametrize("name", PICKLES)
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_pickle_is_known_in_any_wrapping_under_a_harmless_name(name: str, wrapping: str) -> None:
    with pytest.raises(Refused, match=r"pickle.*may be code") as caught:
        refuse_pickle("model.bin", WRAPPINGS[wrapping](PICKLES[name]))
    assert caught.value.hint


def test_the_payloads_would_run() -> None:
    """So that the refusals above are for something: the same bytes, unpickled."""
    for name in ("builtins.exec", "STACK_GLOBAL", "STACK_GLOBAL from the memo", "INST", "OBJ", *LAX):
        pickle.loads(PICKLES[name])  # noqa: S301 - that is the point
        assert os.environ.pop(DONE) == "1", name
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(PICKLES["broken after its payload"])  # noqa: S301
    assert os.environ.pop(DONE) == "1"


FILES = {
    "sklearn": "model.skops",
    "xgboost": "model.json",
    "lightgbm": "model.txt",
    "torch": "model.pt2",
    "river": "model.river",
    "onnx": "model.onnx",
}


@pytest.mark.parametrize("runtime", FILES)
def test_no_runtime_for_data_takes_one(tmp_path: Path, runtime: str) -> None:
    fixture = sklearn.make(tmp_path)
    for wrap in WRAPPINGS.values():
        made = fixture.with_file(wrap(PICKLES["builtins.exec"]), name=FILES[runtime])
        with pytest.raises(LockgateError):
            load_model(*read(tmp_path, made.changed(runtime=runtime, options={}).digest))


def test_every_runtime_is_for_data_or_asks_whether_code_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {name for name, runtime in RUNTIMES.items() if not runtime.code} == set(FILES)
    monkeypatch.delenv("LOCKGATE_TRUST_CODE", raising=False)
    fixture = sklearn.make(tmp_path).with_file(PICKLES["builtins.exec"], name="model.py")
    with pytest.raises(Refused, match="runs code of its author"):
        load_model(*read(tmp_path, fixture.changed(runtime="python", options={}).digest))


@pytest.mark.parametrize("name", ["model.pkl", "MODEL.JOBLIB", "weights.pt", "checkpoint.pth"])
def test_names_of_pickles_are_refused_as_they_are(name: str) -> None:
    with pytest.raises(Refused, match="pickle by its name"):
        refuse_pickle(name, b"")


def test_data_are_no_pickles(tmp_path: Path) -> None:
    for content in (b"", b"cat\n", b"tree\nversion=v4\n", b'{"learner": {}}', np.arange(9.0).tobytes(), zipped(b"{}")):
        refuse_pickle("model.bin", content)
    numbers = io.BytesIO()
    np.save(numbers, np.arange(3.0))
    refuse_pickle("numbers.npy", numbers.getvalue())
    for fixture in (sklearn.make(tmp_path), onnx.make(tmp_path)):
        load_model(*read(tmp_path, fixture.digest))
    header = b'{"weight":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'  # as safetensors begins
    for length in range(len(header), 512):
        refuse_pickle("w.safetensors", length.to_bytes(8, "little") + header.ljust(length) + np.arange(9.0, dtype="f4").tobytes())
    refuse_pickle("labels.txt", b"Iris\ncat\ndog\n" + b"Some\ncode\nmore\n" + b"Fine\nidea\nthis\n")
    random = np.random.default_rng(1)
    for _ in range(3000):
        refuse_pickle("weights.bin", random.bytes(2000))
