"""skops files that are the same for the same model: as skops writes them, they hold times and addresses in memory.

A skops file is a zip archive of arrays, and of a schema that names them. Each object in it is numbered by its address, arrays are
named by numbers of the same kind. Here they are numbered in the order in which the schema mentions them. Plain values get no
number: whether two equal numbers are one object depends on whether the model was pickled before, and on nothing else.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

SCHEMA = "schema.json"
_ID, _FILE = "__id__", "file"
_PLAIN = "JsonNode"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip knows no earlier time
_MODE = 0o644 << 16


def reproducible(content: bytes) -> bytes:
    """The same file, without what differs from one process to the next."""
    with ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files.pop(SCHEMA))
    renamed: dict[str, str] = {}
    numbers: dict[int, int] = {}
    for node in _nodes(schema):
        if node.get("__loader__") == _PLAIN:
            node.pop(_ID, None)
        elif isinstance(node.get(_ID), int):
            node[_ID] = numbers.setdefault(node[_ID], len(numbers) + 1)
        if node.get(_FILE) in files:
            node[_FILE] = renamed.setdefault(node[_FILE], f"{len(renamed) + 1}.{node[_FILE].rpartition('.')[2]}")
    ordered = {renamed[name]: files[name] for name in renamed}
    return _zipped({**ordered, SCHEMA: json.dumps(schema, sort_keys=False, separators=(",", ":")).encode()})


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in the schema, in one order, each before what is in it. No recursion: trees of models may be deep."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting.extend(reversed(found.values()))
        elif isinstance(found, list):
            waiting.extend(reversed(found))


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:
        for name, content in files.items():
            entry = ZipInfo(name, _EPOCH)
            entry.external_attr = _MODE
            archive.writestr(entry, content)
    return buffer.getvalue()
