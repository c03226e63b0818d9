"""Tables as Arrow IPC streams: the columns of a request by their names, and the outputs of an answer as columns.

The library is an extra, and is imported when the first such request comes. What a stream can claim is bounded by what it brings:
compressed buffers, views and runs, of which a few bytes can stand for gigabytes, are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.util import find_spec
from typing import Any

import numpy as np

from lockgate.embedded.datatypes import Array
from lockgate.kernel.errors import Fault
from lockgate.serving.protocol.requests import Form, TableRequest, Unsupported, refused

STREAM = "application/vnd.apache.arrow.stream"
ID_COLUMN = "prediction_id"
_INSTALL = "Install it where the gateway runs: pip install 'lockgate[arrow]'"
_DICTIONARY, _BATCH = 2, 3  # kinds of messages
_MOST_WRITTEN_OUT = 64 << 20  # characters of all elements of a dictionary, each as often as it is named


def installed() -> bool:
    return find_spec("pyarrow") is not None


def _library(status: HTTPStatus, header: str) -> Any:
    """Raises Unsupported if it is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and half a second
    except ImportError as error:
        raise Unsupported(status, Fault(header, f"{STREAM} is not spoken here: pyarrow is missing"), hint=_INSTALL) from error
    return pa


def check_installed() -> None:
    """Raises Unsupported (406) if answers cannot be given as Arrow."""
    _library(HTTPStatus.NOT_ACCEPTABLE, "accept")


def parse(body: bytes) -> TableRequest:
    """The table of a stream; answered as one, unless the caller asks for another form.

    Raises:
        Unsupported: pyarrow is not installed. InvalidInput: it is no whole stream, or a column's type is not read.
    """
    pa = _library(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content-type")
    try:
        for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(body)):
            if _is_compressed(message.metadata.to_pybytes()):
                raise refused([Fault("", "compressed buffers are not read here; send them as they are")])
        table = pa.ipc.open_stream(pa.py_buffer(body)).read_all()
        table.validate(full=True)
        return TableRequest(columns=_columns(pa, table), rows=table.num_rows, form=Form.ARROW)
    except (pa.ArrowException, OSError, UnicodeDecodeError, struct.error) as error:
        raise refused([Fault("", f"this is no whole Arrow stream: {str(error)[:200]}")]) from error


def _columns(pa: Any, table: Any) -> dict[str, Any]:
    faults = []
    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in columns:
            faults.append(Fault(name, "this column is given twice"))
            continue
        try:
            _check(pa, column.type)
            columns[name] = _cells(pa, _whole(pa, column))
        except ValueError as error:
            faults.append(Fault(name, str(error)))
    if faults:
        raise refused(faults)
    return columns


def _check(pa: Any, kind: Any) -> None:
    """Looks at a type before at any array of it: of some types the library can read arrays and cannot give them.

    Raises:
        ValueError: it is not read here.
    """
    types = pa.types
    if types.is_null(kind):  # any number of them in no bytes, so nothing may be made of it
        raise ValueError("row 0: null found")
    if types.is_dictionary(kind):
        if types.is_nested(kind.value_type):
            raise ValueError("a dictionary of lists found; numbers, booleans, strings and binaries in one are read")
        _check(pa, kind.value_type)
    elif isinstance(kind, pa.FixedShapeTensorType) or _is_list(types, kind):
        _check(pa, kind.value_type)
    elif not (_is_number(types, kind) or _is_text(types, kind)):
        raise ValueError(f"Arrow type {str(kind)[:80]} found; numbers, booleans, strings, binaries and lists of them are read")


def _is_number(types: Any, kind: Any) -> bool:
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _is_text(types: Any, kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def _is_list(types: Any, kind: Any) -> bool:
    return bool(types.is_list(kind) or types.is_large_list(kind) or (types.is_fixed_size_list(kind) and kind.list_size > 0))


def _whole(pa: Any, column: Any) -> Any:
    """One array of a column's pieces."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _cells(pa: Any, array: Any) -> Any:
    """A column of a type that is read here, as an array, looking at the same memory where it can, or as a list.

    Raises:
        ValueError: it has a null, or stands for too much.
    """
    kind = array.type
    if array.null_count:
        raise ValueError(f"row {array.is_null().index(True).as_py()}: null found")
    if pa.types.is_dictionary(kind):
        values, indices = _cells(pa, array.dictionary), array.indices.to_numpy()
        if isinstance(values, list) and int(np.array([*map(len, values)], np.int64)[indices].sum()) > _MOST_WRITTEN_OUT:
            raise ValueError(f"a dictionary that stands for more than {_MOST_WRITTEN_OUT} characters found")
        return [values[index] for index in indices.tolist()]
    if isinstance(array, pa.FixedShapeTensorArray):
        return array.to_numpy_ndarray()
    if pa.types.is_fixed_size_list(kind):
        inner = _cells(pa, array.flatten())
        if isinstance(inner, np.ndarray):
            return inner.reshape(len(array), kind.list_size, *inner.shape[1:])
        return array.to_pylist()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        _cells(pa, array.flatten())
        return array.to_pylist()
    return array.to_pylist() if _is_text(pa.types, kind) else array.to_numpy(zero_copy_only=False)


def write(columns: Mapping[str, Array], ids: Sequence[str], metadata: Mapping[str, str]) -> bytes:
    """A stream of one batch: each output a column, and the prediction ids. metadata: the schema's.

    Raises:
        ValueError: an output is no column of one type.
    """
    pa = _library(HTTPStatus.NOT_ACCEPTABLE, "accept")
    arrays = {name: _column(pa, array) for name, array in columns.items()}
    name = ID_COLUMN
    while name in arrays:
        name = f"_{name}"
    arrays[name] = pa.array(ids, pa.string())
    try:
        batch = pa.record_batch(arrays).replace_schema_metadata(dict(metadata))
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _column(pa: Any, array: Array) -> Any:
    """(rows,) and (rows, 1): values. (rows, n): lists of n. More: tensors."""
    if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):  # noqa: PLR2004 - rank
        return _values(pa, array.reshape(-1))
    if array.ndim == 2 or array.dtype == object:  # noqa: PLR2004
        flat = _values(pa, array.reshape(-1))
        for length in reversed(array.shape[1:]):
            flat = pa.FixedSizeListArray.from_arrays(flat, length)
        return flat
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(array))


def _values(pa: Any, flat: Array) -> Any:
    if flat.dtype != object:
        return pa.array(flat)
    elements = flat.tolist()
    kinds = set(map(type, elements))
    if not kinds <= {str, bytes}:
        raise ValueError(f"the model gave {', '.join(sorted(kind.__name__ for kind in kinds))}, its signature says BYTES")
    return pa.array(elements, pa.binary() if bytes in kinds else pa.string())


def _is_compressed(metadata: bytes) -> bool:
    """Whether a message's buffers are compressed. The library does not say, so its FlatBuffers table is read here.

    Message: 1 is its header's kind, 2 the header. Dictionary batch: 1 is its record batch. Record batch: 3 is the compression.
    """
    message = struct.unpack_from("<I", metadata)[0]
    kind = _field(metadata, message, 1)
    header = _field(metadata, message, 2)
    if not kind or not header or metadata[kind] not in (_DICTIONARY, _BATCH):
        return False
    batch = _followed(metadata, header)
    if metadata[kind] == _DICTIONARY:
        batch = _followed(metadata, _field(metadata, batch, 1))
    return _field(metadata, batch, 3) != 0


def _field(content: bytes, table: int, number: int) -> int:
    """Where a field of a FlatBuffers table lies; 0 if it is absent."""
    fields = table - struct.unpack_from("<i", content, table)[0]
    (size,) = struct.unpack_from("<H", content, fields)
    place = 4 + 2 * number
    offset = struct.unpack_from("<H", content, fields + place)[0] if place < size else 0
    return table + offset if offset else 0


def _followed(content: bytes, place: int) -> int:
    return place + int(struct.unpack_from("<I", content, place)[0])
