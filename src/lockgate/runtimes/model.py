"""What every runtime offers: a loaded model that answers feeds, and the one way in which it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from lockgate.kernel.errors import LockgateError

Array = NDArray[Any]


class RuntimeFailure(LockgateError):
    """The runtime could not load the model, or the model raised, hung or died on a request.

    kind: what the failure is counted as: error, timeout, crashed, output.
    """

    def __init__(self, message: str, *, kind: str = "error", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class Model(Protocol):
    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order; rows come first.

        feeds: one array for each input of the signature, shape (rows, …), dtype as its datatype says (BYTES: object, of str).

        Raises:
            RuntimeFailure: the model raised.
        """
        ...
