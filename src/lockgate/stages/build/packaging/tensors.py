"""Columns as the tensors that a signature asks for: one input of shape (rows, 1) for each feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.kernel.errors import Invalid

_DTYPES: dict[str, type] = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64, "BYTES": np.object_}


def tensors(signature: Signature, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The inputs of one inference request, in the order of the signature.

    Raises:
        Invalid: a column is missing, or its values do not fit the datatype.
    """
    return {tensor.name: _tensor(tensor, columns) for tensor in signature.inputs}


def _tensor(tensor: Tensor, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> NDArray[Any]:
    if tensor.name not in columns:
        raise Invalid(f"input {tensor.name!r} is missing; {', '.join(columns)} found")
    if tensor.datatype not in _DTYPES:
        raise Invalid(f"input {tensor.name!r} has datatype {tensor.datatype!r}; {', '.join(_DTYPES)} can be read")
    try:
        return np.asarray(columns[tensor.name], dtype=_DTYPES[tensor.datatype]).reshape(-1, 1)
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"input {tensor.name!r} is no {tensor.datatype}: {error}") from error
