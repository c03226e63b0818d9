"""A worker's memory: values by digest, so that what one step gave need not be read again for the next.

Every reader gets a value of its own: whatever a step does to its input, no other step sees it, and a step sees the same value
whether the one before it ran just now or last week.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

from lockgate.domain.data import dataset_digest
from lockgate.integrations.local.values import LocalValues
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Conflict, Invalid, NotFound
from lockgate.ports.executor import Dataset

_KEPT = 16  # values: enough for the neighbours in a pipeline, and a bound on memory
_PARQUET = b"PAR1"
_PROTOCOL = 5


class Memory:
    def __init__(self, values: LocalValues, data: Path) -> None:
        self._values = values
        self._data = data
        self._kept: OrderedDict[str, Any] = OrderedDict()  # frames, and the bytes of pickles

    def keep(self, value: Any) -> str:
        """Store a value; its digest.

        Raises:
            Invalid: it cannot be pickled.
        """
        content = _stored(value)
        digest = self.store(content)
        if not content.startswith(_PARQUET):
            self._remember(digest, content)
        return digest

    def store(self, content: bytes) -> str:
        return self._values.put(content)

    def get(self, digest: str) -> Any:
        """The value, for this reader alone.

        Raises:
            NotFound, Corrupt: the value is gone, or was altered.
        """
        if digest not in self._kept:
            content = self._values.get(digest)
            self._remember(digest, _frame(content) if content.startswith(_PARQUET) else content)
        kept = self._kept[digest]
        self._kept.move_to_end(digest)
        return pickle.loads(kept) if isinstance(kept, bytes) else _own(kept)  # noqa: S301 - written by a step of this project

    def data(self, dataset: Dataset) -> Any:
        """All files of the data, verified, as one frame.

        Raises:
            Conflict: they are no longer those that the digest names. Invalid: they cannot be read.
        """
        if dataset.digest not in self._kept:
            contents = {file: self._read(dataset, file) for file in dataset.files}
            found = dataset_digest({file: digest_bytes(content) for file, content in contents.items()})
            if found != dataset.digest:
                raise Conflict(f"the files of data {dataset.name!r} changed while the pipeline ran", hint="Run it again.")
            self._remember(dataset.digest, _joined(dataset, contents))
        return _own(self._kept[dataset.digest])

    def _read(self, dataset: Dataset, file: str) -> bytes:
        try:
            return (self._data / file).read_bytes()
        except OSError as error:
            raise NotFound(f"data {dataset.name!r}: {file} cannot be read: {error.strerror}") from None

    def _remember(self, digest: str, value: Any) -> None:
        self._kept[digest] = value
        self._kept.move_to_end(digest)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def _stored(value: Any) -> bytes:
    """Parquet for plain data frames, a pickle for everything else."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and type(value) is pandas.DataFrame and _is_plain(value):
        buffer = io.BytesIO()
        value.to_parquet(buffer)
        return buffer.getvalue()
    try:
        return pickle.dumps(value, protocol=_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - pickling runs the value's own code, which may raise anything
        raise Invalid(
            f"returned a value of type {type(value).__name__} that cannot be kept: {error}",
            hint="Return plain values, data frames, arrays or fitted estimators, without open files, locks or lambdas.",
        ) from None


def _is_plain(frame: Any) -> bool:
    """Whether Parquet gives the very same frame back: columns other than numbers, strings and times may not survive."""
    if frame.columns.nlevels > 1 or frame.index.nlevels > 1 or frame.attrs:
        return False
    names = [*frame.columns, *(name for name in frame.index.names if name is not None)]
    named = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return named and all(_survives(dtype) for dtype in (*frame.dtypes, frame.index.dtype))


def _survives(dtype: Any) -> bool:
    return str(dtype) in ("str", "string") or (dtype.kind in "biufM" and str(dtype) != "float16")


def _frame(content: bytes) -> Any:
    import pandas as pd  # noqa: PLC0415 - only pipelines with data frames need it

    return pd.read_parquet(io.BytesIO(content))


def _own(frame: Any) -> Any:
    """A copy that costs nothing where writes copy (pandas 3); else a whole one."""
    major = int(sys.modules["pandas"].__version__.partition(".")[0])
    return frame.copy(deep=major < 3)  # noqa: PLR2004


def _joined(dataset: Dataset, contents: dict[str, bytes]) -> Any:
    """The files one after the other, in the order of their names."""
    import pandas as pd  # noqa: PLC0415

    frames = {file: _parsed(file, content) for file, content in contents.items()}
    (first, columns), *others = [(file, list(frame.columns)) for file, frame in frames.items()]
    for file, found in others:
        if set(found) != set(columns):
            differing = ", ".join(str(name) for name in sorted(set(found) ^ set(columns), key=str))
            raise Invalid(f"data {dataset.name!r}: {first} and {file} have different columns ({differing})")
    return pd.concat(frames.values(), ignore_index=True) if len(frames) > 1 else next(iter(frames.values()))


def _parsed(file: str, content: bytes) -> Any:
    import pandas as pd  # noqa: PLC0415

    buffer = io.BytesIO(content)
    try:
        if file.endswith((".parquet", ".pq")):
            return pd.read_parquet(buffer)
        if file.endswith((".csv", ".csv.gz")):
            return pd.read_csv(buffer, compression="gzip" if file.endswith(".gz") else None)
    except (ValueError, OSError, EOFError) as error:  # pyarrow's errors are ValueErrors and OSErrors
        raise Invalid(f"data file {file} cannot be read: {str(error).splitlines()[0]}") from None
    raise Invalid(f"data file {file}: a name that ends in .parquet, .csv or .csv.gz expected")
