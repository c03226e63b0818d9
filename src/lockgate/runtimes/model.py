"""What every runtime offers: a loaded model that answers feeds, and the one way in which it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from lockgate.embedded.failures import RuntimeFailure

__all__ = ["Array", "Model", "RuntimeFailure"]

Array = NDArray[Any]


class Model(Protocol):
    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order; rows come first.

        feeds: one array for each input of the signature, shape (rows, …), dtype as its datatype says (BYTES: object, of str).

        Raises:
            RuntimeFailure: the model raised.
        """
        ...
