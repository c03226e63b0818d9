"""What goes into a model and comes out, as everybody here may hand it over: boundary.manifest's signatures are such."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Tensor(Protocol):
    """`datatype` as in the Open Inference Protocol (FP32, INT64, BYTES, …); −1 in `shape` is any length; rows come first."""

    @property
    def name(self) -> str: ...

    @property
    def datatype(self) -> str: ...

    @property
    def shape(self) -> Sequence[int]: ...


class Signature(Protocol):
    """score: the output that is judged; score_column: which column of it."""

    @property
    def inputs(self) -> Sequence[Tensor]: ...

    @property
    def outputs(self) -> Sequence[Tensor]: ...

    @property
    def score(self) -> str: ...

    @property
    def score_column(self) -> int: ...


def names(tensors: Sequence[Tensor]) -> tuple[str, ...]:
    return tuple(tensor.name for tensor in tensors)
