"""The datatypes of the Open Inference Protocol: how numpy holds each, how many bytes it takes, and which numbers it can hold."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lockgate.embedded.signature import Tensor
from lockgate.kernel.errors import Invalid

Array = NDArray[Any]


class Datatype(NamedTuple):
    """dtype: of the arrays that models take. wire: of the binary form, little-endian; BYTES has none.

    kind: float, int, bool or bytes. largest: the largest finite number, for floats.
    """

    name: str
    kind: str
    dtype: np.dtype[Any]
    wire: np.dtype[Any] | None
    largest: float = 0.0


_BF16_MAX = float(np.array(0x7F7F0000, np.uint32).view(np.float32))


def _of(name: str, kind: str, code: str, largest: float = 0.0) -> Datatype:
    return Datatype(name, kind, np.dtype(code), np.dtype("<" + code), largest)


DATATYPES: dict[str, Datatype] = {
    one.name: one
    for one in (
        _of("BOOL", "bool", "?"),
        *(_of(f"INT{size * 8}", "int", f"i{size}") for size in (1, 2, 4, 8)),
        *(_of(f"UINT{size * 8}", "int", f"u{size}") for size in (1, 2, 4, 8)),
        *(_of(f"FP{size * 8}", "float", f"f{size}", float(np.finfo(f"f{size}").max)) for size in (2, 4, 8)),
        # numpy has no BF16, and every BF16 number is an FP32 number: models take and give FP32, rounded.
        Datatype("BF16", "float", np.dtype("f4"), np.dtype("<u2"), _BF16_MAX),
        Datatype("BYTES", "bytes", np.dtype(object), None),
    )
}


def datatype_of(what: str, tensor: Tensor) -> Datatype:
    """Raises Invalid if nothing here can read or write the tensor's datatype."""
    datatype = DATATYPES.get(tensor.datatype)
    if datatype is None:
        raise Invalid(f"{what} {tensor.name!r} has datatype {tensor.datatype!r}; expected one of {', '.join(DATATYPES)}")
    return datatype


def round_to_bf16(array: Array) -> Array:
    """FP32 numbers as the upper halves of their bits, rounded to the nearest, ties to even; what is not finite stays so."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    return np.where(np.isfinite(array), rounded, (bits >> 16) | (np.isnan(array) * np.uint32(0x40))).astype(np.uint16)


def widen_bf16(halves: Array) -> Array:
    return (halves.astype(np.uint32) << 16).view(np.float32)
