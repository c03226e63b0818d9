"""Tensors as bytes: the binary tensor data extension of the Open Inference Protocol.

The body is a JSON object, whose length a header tells, and behind it the bytes of those tensors that have `binary_data_size`, in
their order: little-endian and row-major; BYTES are elements with their lengths before them. If the header tells 0, the whole body
is the only input of the model, and every output comes back as bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Any

import numpy as np

from lockgate.embedded.datatypes import DATATYPES, Array, Datatype, round_to_bf16, widen_bf16
from lockgate.kernel.errors import Fault
from lockgate.serving.protocol.requests import ABSENT, Form, InferenceRequest, InputTensor, RawRequest, parse, refused

LENGTH_HEADER = "inference-header-content-length"
SIZE = "binary_data_size"  # of an input or output: bytes of its data
WANTED = "binary_data"  # of a requested output: whether it comes as bytes
ALL_WANTED = "binary_data_output"  # of the request: the same for all outputs that do not say
_UNSPOKEN = ("classification", "shared_memory_region")  # extensions whose parameters change what an answer is
_LENGTH = struct.Struct("<I")
_MAX_DIGITS = 12
_FEW = 8  # up to so many numbers a list is quicker than an array, and one row goes the quick way


def parse_binary(body: bytes, told: str) -> InferenceRequest:
    """A request with tensors behind its JSON. told: what the header says of the JSON's length.

    Raises:
        InvalidInput: the sizes contradict each other, or the JSON is none; names the header or the input.
    """
    content = memoryview(body)
    length = int(told) if told.isdecimal() and told.isascii() and len(told) <= _MAX_DIGITS else -1
    if not 0 <= length <= len(content):
        message = f"{told[:40]!r} found, a number of bytes from 0 to the body's {len(content)} expected"
        raise refused([Fault(LENGTH_HEADER, message)])
    if length == 0:
        return RawRequest(content=content, form=Form.BINARY)
    request, rest = parse(content[:length]), content[length:]
    used = 0
    for tensor in request.inputs or ():
        try:
            used += _attach(tensor, rest[used:])
        except ValueError as error:
            raise refused([Fault(tensor.name, str(error))]) from error  # where the next one begins is not known
    if used != len(rest):
        raise refused([Fault(SIZE, f"{len(rest)} bytes follow the JSON, its inputs tell of {used}")])
    return request


def _attach(tensor: InputTensor, content: memoryview) -> int:
    """Give an input its bytes, if it has some; how many they are."""
    size = (tensor.parameters or {}).get(SIZE)
    if size is None:
        return 0
    if type(size) is not int or size < 0:
        raise ValueError(f"{SIZE}: {str(size)[:40]!r} found, a number of bytes expected")
    if size > len(content):
        raise ValueError(f"{SIZE}: {size} bytes are told, {len(content)} are left in the body")
    if tensor.data is not ABSENT:
        raise ValueError(f"has data and {SIZE}; expected one of them")
    tensor.data = tensor_of(content[:size], tensor.datatype)
    return size


def tensor_of(content: memoryview, datatype: str) -> Any:
    """The bytes of a tensor as a flat array that looks at the same memory, or as a list, for BYTES and where they are few.

    Raises:
        ValueError: they are not what the datatype says.
    """
    known = DATATYPES.get(datatype)
    if known is None:
        raise ValueError(f"datatype {datatype[:40]!r} found, one of {', '.join(DATATYPES)} expected")
    if known.wire is None:
        return elements_of(content)
    if len(content) % known.wire.itemsize:
        raise ValueError(f"{SIZE}: {len(content)} bytes found, a multiple of {known.wire.itemsize} expected for {datatype}")
    array: Array = np.frombuffer(content, known.wire)
    if known.kind == "bool" and array.size and array.view(np.uint8).max() > 1:
        raise ValueError("a truth value is neither 0 nor 1")
    if known.name == "BF16":
        array = widen_bf16(array)
    return array if array.size > _FEW else array.tolist()


def elements_of(content: memoryview) -> list[str] | list[bytes]:
    """The elements of a BYTES tensor; strings if all of them are UTF-8.

    Raises:
        ValueError: a length points behind the end.
    """
    whole = bytes(content)  # its slices cost less than those of a view
    elements: list[bytes] = []
    offset, end = 0, len(whole)
    while offset < end:
        start = offset + _LENGTH.size
        if start > end:
            raise ValueError(f"element {len(elements)}: its length is cut off")
        (length,) = _LENGTH.unpack_from(whole, offset)
        offset = start + length
        if offset > end:
            raise ValueError(f"element {len(elements)}: {length} bytes are told, {end - start} are left")
        elements.append(whole[start:offset])
    try:
        return [element.decode() for element in elements]
    except UnicodeDecodeError:
        return elements


def element_of(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def check_wanted(request: InferenceRequest, known: Collection[str]) -> None:
    """Raises InvalidInput if a request asks for an output that there is not, for one twice, or in a way that is not spoken."""
    faults = [] if _is_told(request.parameters, ALL_WANTED) else [Fault(f"parameters.{ALL_WANTED}", "expected true or false")]
    seen: set[str] = set()
    for index, output in enumerate(request.outputs or ()):
        if output.name not in known:
            expected = ", ".join(sorted(known))
            faults.append(Fault(f"outputs[{index}]", f"unknown output {output.name[:80]!r}; expected {expected}"))
        if output.name in seen:
            faults.append(Fault(f"outputs[{index}]", f"output {output.name[:80]!r} is asked for twice"))
        if not _is_told(output.parameters, WANTED):
            faults.append(Fault(f"outputs[{index}].parameters.{WANTED}", "expected true or false"))
        faults += (
            Fault(f"outputs[{index}].parameters.{name}", "this extension is not spoken here")
            for name in _UNSPOKEN
            if output.parameters and name in output.parameters
        )
        seen.add(output.name)
    if faults:
        raise refused(faults)


def _is_told(parameters: dict[str, Any] | None, name: str) -> bool:
    return not parameters or isinstance(parameters.get(name, False), bool)


def bytes_of(array: Array, datatype: Datatype) -> bytes:
    """An output as its bytes.

    Raises:
        ValueError: the array is not of the datatype.
    """
    if datatype.wire is None:
        return b"".join(part for element in array.ravel().tolist() for part in _element(element))
    if array.dtype.kind != datatype.dtype.kind:
        raise ValueError(f"the model gave {array.dtype}, its signature says {datatype.name}")
    if datatype.name == "BF16":
        array = round_to_bf16(array)
    return array.astype(datatype.wire, copy=False).tobytes()


def _element(element: Any) -> tuple[bytes, bytes]:
    if not isinstance(element, str | bytes):
        raise ValueError(f"the model gave {type(element).__name__}, its signature says BYTES")  # noqa: TRY004 - see bytes_of
    content = element.encode() if isinstance(element, str) else element
    return _LENGTH.pack(len(content)), content
