"""A model that answers in the program that asks: opened from the folder of its package, verified, asked with Python's values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from lockgate.embedded.datatypes import Array
from lockgate.embedded.inputs import Given, Inputs, Rows
from lockgate.embedded.package import Package, Signature, read
from lockgate.embedded.scores import Scorer
from lockgate.embedded.signature import names
from lockgate.kernel.errors import Invalid

_ONNX = "onnx"
Scores = NDArray[np.float64]


class Runs(Protocol):
    """What runs the model: see runtimes.model.Model."""

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]: ...


Load = Callable[[Package], Runs]


class Model:
    """May be asked by several threads at once if what runs it may, as ONNX may."""

    def __init__(self, package: Package, runs: Runs) -> None:
        self._package = package
        self._run = runs.run
        self._inputs = Inputs(package.signature)
        self._quickly = self._inputs.quickly
        scorer = Scorer(package.signature)
        self._scores, self._array = scorer.scores, scorer.array
        self._outputs = names(package.signature.outputs)

    @classmethod
    def open(cls, folder: Path, load: Load | None = None) -> Model:
        """The model of the package in that folder. load: for packages that are not ONNX.

        Raises:
            NotFound: a file is missing. Corrupt: a file is not what was packaged. Invalid: it is no package that can run here.
            RuntimeFailure: what runs it cannot load it.
        """
        package = read(folder)
        return cls(package, (load or _onnx(package))(package))

    @property
    def name(self) -> str:
        return self._package.model

    @property
    def version(self) -> int:
        return self._package.version

    @property
    def digest(self) -> str:
        """Of the package: it pins every file of it."""
        return self._package.digest

    @property
    def signature(self) -> Signature:
        return self._package.signature

    @overload
    def predict(self, rows: Mapping[str, Any]) -> Any: ...

    @overload
    def predict(self, rows: Rows) -> Scores: ...

    def predict(self, rows: Any) -> Any:
        """The judged score: a float for one dict, an array of shape (rows,) for everything else.

        rows: a dict (one row), a list of dicts, a NumPy array (inputs in the order of the signature; or with named fields), a
        data frame, an Arrow table or record batch, or a mapping of columns (name → list or array).

        Raises:
            InvalidInput: it does not fit the signature: missing and unknown inputs, values of other datatypes, missing values.
            RuntimeFailure: the model raised. Invalid: what it answered is no score.
        """
        if type(rows) is dict and (feeds := self._quickly(rows)) is not None:
            return self._scores(self._run(feeds), 1)[0]
        given = self._inputs.given(rows)
        scores = self._array(self._run(given.feeds), given.rows)
        return float(scores[0]) if given.one else scores

    def outputs(self, rows: Mapping[str, Any] | Rows) -> dict[str, Array]:
        """All outputs by name, each with rows first, of one row too; rows and errors as those of `predict`."""
        return self._answers(self._inputs.given(rows))

    @property
    def example(self) -> dict[str, Any]:
        """A row that it was checked with."""
        return {name: _cell(feed[0]) for name, feed in self._inputs.flat(self._package.golden.inputs).feeds.items()}

    def golden(self) -> Scores:
        """What it answers now to the rows that it was packaged with.

        Raises:
            InvalidInput, RuntimeFailure, Invalid: as `predict`.
        """
        given = self._inputs.flat(self._package.golden.inputs)
        return self._array(self._run(given.feeds), given.rows)

    def check(self) -> float:
        """The greatest difference between its answers and those of the original model, to the rows that it was packaged with.

        Raises:
            Invalid: it is more than was allowed when it was packaged.
        """
        golden = self._package.golden
        worst = float(np.abs(self.golden() - np.array(golden.scores)).max())
        if not worst <= golden.tolerance:
            raise Invalid(
                f"{self.name} {self.version} answers otherwise than the original: golden rows differ by up to {worst:.3g}, "
                f"{golden.tolerance:.3g} is allowed",
                hint="What runs it here is another version than it was checked with: see what the wheel requires.",
            )
        return worst

    def __repr__(self) -> str:
        return f"<Model {self.name} {self.version}>"

    def _answers(self, given: Given) -> dict[str, Array]:
        return dict(zip(self._outputs, self._run(given.feeds), strict=True))


def _onnx(package: Package) -> Load:
    if package.runtime != _ONNX:
        raise Invalid(f"{package.model} runs by {package.runtime!r}, and nothing that loads such a package was given")
    from lockgate.embedded.onnx import load  # noqa: PLC0415 - others do without its library

    return load


def _cell(cell: Any) -> Any:
    """As plain values: one, or nested lists."""
    array = np.asarray(cell)
    return array.item() if array.shape in ((), (1,)) else array.tolist()
