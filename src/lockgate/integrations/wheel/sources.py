"""The module that a wheel is imported as: typed functions, and a docstring that tells what goes in and comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.boundary.manifest import Manifest, Signature, Tensor
from lockgate.boundary.releases import Release
from lockgate.integrations.wheel.closure import PRIVATE
from lockgate.integrations.wheel.names import Names
from lockgate.integrations.wheel.parts import ONNX

MODEL = "_model"  # the folder of the package, in the wheel's own
_PYTHON = {"BOOL": "bool", "BYTES": "str"}
_WIDEST = 100

_INIT = '''"""{about}

{described}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypedDict, overload

from {private}.kernel.errors import InvalidInput, LockgateError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from {private}.embedded.inputs import Rows
    from {private}.embedded.model import Model
    from {private}.embedded.reported import Reported

__all__ = ["MODEL", "InvalidInput", "LockgateError", "Row", "__version__", "model", "outputs", "predict", "report_to"]

MODEL = {model!r}
__version__ = {version!r}
Row = TypedDict("Row", {{{row}}})
_opening = Lock()
_opened: Model | None = None
_reported: Reported | None = None


def model() -> Model:
    """The model itself, opened when it is first asked for: every file of it is verified then."""
    global _opened
    with _opening:
        if _opened is None:
            from {private}.embedded.model import Model{load_import}

            _opened = Model.open(Path(__file__).parent / "{folder}"{load})
        return _opened


@overload
def predict(rows: Row) -> float: ...


@overload
def predict(rows: Mapping[str, Any]) -> Any: ...


@overload
def predict(rows: Rows) -> NDArray[np.float64]: ...


def predict(rows: Any) -> Any:
    """{score}: a float for one dict, an array of shape (rows,) for everything else.

    rows: a dict (one row), a list of dicts, a NumPy array (columns in the order of the inputs, or named fields), a pandas data
    frame, an Arrow table or record batch, or a mapping of columns (name → list or array).

    Raises:
        InvalidInput: it does not fit; every fault is named.
        LockgateError: the model raised, or a file of it was altered.
    """
    return (_reported or _opened or model()).predict(rows)


def outputs(rows: Mapping[str, Any] | Rows) -> dict[str, NDArray[Any]]:
    """All outputs by name, rows first, of one row too. Rows and errors are those of `predict`."""
    return (_opened or model()).outputs(rows)


def report_to(url: str, token: str, **options: Any) -> Reported:
    """From now on, what `predict` answers is told to the control plane at that address. Gives what also tells prediction ids.

    token: a key of the scope `subscribe`. options: redact, inputs that are told to nobody; every, seconds between two reports.

    Raises:
        LockgateError: it is no address that a token may be sent to.
    """
    global _reported
    from {private}.embedded.reported import report_to as reported

    _reported = reported(model(), url, token, **options)
    return _reported
'''


def init(names: Names, release: Release, manifest: Manifest) -> str:
    """The text of `__init__.py`."""
    private = f"{names.package}.{PRIVATE}"
    native = manifest.runtime == ONNX
    signature = manifest.signature
    return _INIT.format(
        about=_in_quotes(f"{_shown(str(release))}: a model that answers in this process."),
        described=_in_quotes(described(names, manifest)),
        private=private,
        model=release.model,
        version=names.version,
        row=", ".join(f"{tensor.name!r}: {_type(tensor)!r}" for tensor in signature.inputs),
        load_import="" if native else f"\n            from {private}.runtimes.bundled import load",
        load="" if native else ", load",
        folder=MODEL,
        score="T" + _in_quotes(_score(signature))[1:],
    )


def described(names: Names, manifest: Manifest) -> str:
    """How it is called, what goes in and what comes out: for people who install it."""
    signature = manifest.signature
    return "\n".join(
        [
            f"    from {names.package} import predict",
            f"    predict({_example(manifest)})",
            "",
            "Inputs, one value a row unless a shape is told:",
            "",
            *(f"    {_told(tensor)}" for tensor in signature.inputs),
            "",
            "Outputs:",
            "",
            *(f"    {_told(tensor)}" for tensor in signature.outputs),
            "",
            f"`predict` gives {_score(signature)}; `outputs` gives all of them.",
        ]
    )


def _in_quotes(text: str) -> str:
    """As it stands between three quotation marks."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _score(signature: Signature) -> str:
    judged = next(tensor for tensor in signature.outputs if tensor.name == signature.score)
    column = f"column {signature.score_column} of " if len(judged.shape) > 1 and judged.shape[1] != 1 else ""
    return f"the score that this model is judged by, {column}`{_shown(signature.score)}`"


def _told(tensor: Tensor) -> str:
    shape = "" if tensor.shape[1:] in ((), (1,)) else f", shape {['rows', *tensor.shape[1:]]}".replace("'", "")
    return f"{_shown(tensor.name)}: {tensor.datatype} ({_python(tensor)}){shape}"


def _shown(name: str) -> str:
    """A table's column may be called anything."""
    return name if name.isprintable() else repr(name)[1:-1]


def _python(tensor: Tensor) -> str:
    return _PYTHON.get(tensor.datatype) or ("float" if "FP" in tensor.datatype or "BF" in tensor.datatype else "int")


def _type(tensor: Tensor) -> str:
    """As an annotation of one cell."""
    kind, nested = _python(tensor), tensor.shape[1:]
    return kind if nested in ((), (1,)) else "list[" * len(nested) + kind + "]" * len(nested)


def _example(manifest: Manifest) -> str:
    """The first golden row; shortened where it is long."""
    inputs: Mapping[str, Sequence[Any]] = manifest.golden.inputs
    if any(tensor.shape[1:] not in ((), (1,)) for tensor in manifest.signature.inputs):
        return "…"
    words = [f"{name!r}: {values[0]!r}" for name, values in inputs.items() if values]
    text = ", ".join(words)
    return f"{{{text}}}" if len(text) <= _WIDEST else "{\n        " + ",\n        ".join(words) + ",\n    }"
