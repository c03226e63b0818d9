"""An exported program as a package keeps it: a graph that was looked through, raw tensors, and weights in a file of their own.

The weights of two versions differ, their graphs seldom do: apart, each is stored once, and any tool that knows safetensors reads
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, NamedTuple

import msgspec

from lockgate.boundary.programs import archive
from lockgate.boundary.programs.graph import check_graph, cleaned
from lockgate.kernel.errors import Invalid, Refused

# PyTorch's numbers for datatypes, and what safetensors calls them.
DATATYPES = {1: "U8", 2: "I8", 3: "I16", 4: "I32", 5: "I64", 6: "F16", 7: "F32", 8: "F64", 12: "BOOL", 13: "BF16"}
_BYTES = {"U8": 1, "I8": 1, "BOOL": 1, "I16": 2, "F16": 2, "BF16": 2, "I32": 4, "F32": 4, "I64": 8, "F64": 8}
_STRIDED = 7
_HINT = "Export the program for the CPU, with plain tensors as weights."


class _Size(msgspec.Struct, forbid_unknown_fields=True):
    as_int: Annotated[int, msgspec.Meta(ge=0, lt=2**40)]


class _Device(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    index: int | None


class _Meta(msgspec.Struct, forbid_unknown_fields=True):
    dtype: int
    sizes: tuple[_Size, ...]
    requires_grad: bool
    device: _Device
    strides: tuple[_Size, ...]
    storage_offset: _Size
    layout: int


class _Payload(msgspec.Struct, forbid_unknown_fields=True):
    path_name: str
    is_param: bool
    use_pickle: bool
    tensor_meta: _Meta | None


class _Config(msgspec.Struct, forbid_unknown_fields=True):
    config: dict[str, _Payload]


class Weight(NamedTuple):
    """name: that of the first parameter or buffer that lies in the record. datatype: as safetensors calls it."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    size: int  # bytes


class Program(NamedTuple):
    """records: of the archive. apart: the weights that are in a file of their own, by record."""

    records: dict[str, bytes]
    apart: dict[str, Weight]


def prepare(content: bytes) -> tuple[bytes, frozenset[str]]:
    """What `torch.export.save` wrote, as it goes into a package, and the names of the weights that it no longer holds.

    Raises:
        Refused: it does more than compute with tensors. Invalid: it is no exported program.
    """
    records = _records(content)
    taken = {record: weight for record, weight in _weights(records).items() if weight.size == len(records[record]) > 0}
    _constants(records)
    return archive.write_archive({**records, **dict.fromkeys(taken, b"")}), frozenset(weight.name for weight in taken.values())


def read(content: bytes | memoryview) -> Program:
    """A program that does nothing but compute with tensors.

    Raises:
        Refused: it may do more, or holds what is no plain tensor; the message names it. Invalid: it is no exported program.
    """
    records = _records(content)
    weights = _weights(records)
    _constants(records)
    return Program(records, {record: weight for record, weight in weights.items() if weight.size and not records[record]})


def whole(program: Program, weights: Mapping[str, tuple[str, tuple[int, ...], bytes]]) -> bytes:
    """The archive for `torch.export.load`, with the weights back in their places.

    weights: name → datatype, shape and bytes, as safetensors has them.

    Raises:
        Invalid: one is missing, or has another datatype or shape than the program.
    """
    records = dict(program.records)
    for record, weight in program.apart.items():
        if weight.name not in weights:
            raise Invalid(f"the weights lack {weight.name}", hint="Package the model anew.")
        datatype, shape, content = weights[weight.name]
        if (datatype, tuple(shape), len(content)) != (weight.datatype, weight.shape, weight.size):
            raise Invalid(
                f"weight {weight.name} is {datatype} of shape {list(shape)}, the program takes {weight.datatype} "
                f"of shape {list(weight.shape)}",
                hint="Package the model anew.",
            )
        records[record] = content
    return archive.write_archive(records)


def _records(content: bytes | memoryview) -> dict[str, bytes]:
    records = archive.read_archive(content)
    records[archive.GRAPH] = cleaned(records[archive.GRAPH])
    check_graph(records[archive.GRAPH])
    return records


def _weights(records: dict[str, bytes]) -> dict[str, Weight]:
    """By record. What is not a whole, plain tensor has size 0, and stays where it is."""
    found: dict[str, Weight] = {}
    for name, payload in _payloads(records, archive.WEIGHTS_CONFIG):
        record, meta = _checked(records, archive.WEIGHTS, name, payload)
        shape = _shape(meta)
        size = prod(shape) * _BYTES[DATATYPES[meta.dtype]] if _is_plain(meta) else 0
        if not records[record] and not size and 0 not in shape:
            raise Refused(f"weight {name} has no content", hint=_HINT)
        found.setdefault(record, Weight(name, DATATYPES[meta.dtype], shape, size))
    return found


def _constants(records: dict[str, bytes]) -> None:
    for name, payload in _payloads(records, archive.CONSTANTS_CONFIG):
        record, meta = _checked(records, archive.CONSTANTS, name, payload)
        elements = prod(_shape(meta))
        if elements and not records[record]:
            raise Refused(f"constant {name} has no content", hint=_HINT)


def _payloads(records: dict[str, bytes], config: str) -> list[tuple[str, Any]]:
    try:
        return sorted(msgspec.json.decode(records[config], type=_Config).config.items())
    except msgspec.DecodeError as error:
        raise Invalid(f"{config} of the exported program cannot be read: {error}", hint=_HINT) from error


def _checked(records: dict[str, bytes], folder: str, name: str, payload: _Payload) -> tuple[str, _Meta]:
    record, meta = folder + payload.path_name, payload.tensor_meta
    if payload.use_pickle or meta is None:
        raise Refused(f"{name} of the program is a pickle, which may be code", hint=_HINT)
    if record not in records:
        raise Refused(f"{name} of the program lies in {payload.path_name!r:.100}, which is no record of it", hint=_HINT)
    if meta.dtype not in DATATYPES or meta.device.type != "cpu" or meta.layout != _STRIDED:
        raise Refused(f"{name} of the program is no plain tensor on the CPU", hint=_HINT)
    if records[record] and _reach(meta) * _BYTES[DATATYPES[meta.dtype]] > len(records[record]):
        raise Refused(f"{name} of the program reaches beyond its record", hint=_HINT)
    return record, meta


def _shape(meta: _Meta) -> tuple[int, ...]:
    return tuple(size.as_int for size in meta.sizes)


def _is_plain(meta: _Meta) -> bool:
    """Whether the tensor is its record, from the first byte to the last, in C order."""
    step, strides = 1, []
    for size in reversed(meta.sizes):
        strides.append(step)
        step *= size.as_int
    pairs = zip(meta.sizes, meta.strides, reversed(strides), strict=True)
    return meta.storage_offset.as_int == 0 and all(size.as_int == 1 or stride.as_int == step for size, stride, step in pairs)


def _reach(meta: _Meta) -> int:
    """How many elements of the record the tensor needs, from its first byte on."""
    if any(size.as_int == 0 for size in meta.sizes):
        return 0
    steps = zip(meta.sizes, meta.strides, strict=True)
    return meta.storage_offset.as_int + 1 + sum((size.as_int - 1) * stride.as_int for size, stride in steps)
