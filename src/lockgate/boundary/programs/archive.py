"""The archive of an exported program: a zip of records, read so that nothing hides in it, and written the same way every time.

PyTorch reads such a file leniently: it takes pickles where it finds them (weights, constants, example inputs), and loads compiled
libraries. Its reader and Python's may also see different things in one and the same damaged zip. So the records that are known to
be data are taken out here, and PyTorch is given an archive that was written anew from them.
"""

from __future__ import annotations

import io
import re
import zipfile

from lockgate.kernel.errors import Invalid, Refused

GRAPH = "models/model.json"
WEIGHTS, WEIGHTS_CONFIG = "data/weights/", "data/weights/model_weights_config.json"
CONSTANTS, CONSTANTS_CONFIG = "data/constants/", "data/constants/model_constants_config.json"
_EXAMPLES = "data/sample_inputs/model.pt"
_FIXED = {"archive_format": b"pt2", "archive_version": b"0", "byteorder": b"little", ".data/version": b"6\n"}
_NEEDED = (GRAPH, WEIGHTS_CONFIG, CONSTANTS_CONFIG)
_TENSOR = re.compile(r"data/(weights/weight|constants/tensor)_\d+")
# Read by nobody: example inputs are a pickle, and the others only say how the zip was written.
_DROPPED = {_EXAMPLES, ".data/serialization_id", ".format_version", ".storage_alignment"}
_ROOT = "archive"
_HINT = "Save it anew with torch.export.save."


def read_archive(content: bytes | memoryview) -> dict[str, bytes]:
    """The records by name, without the archive's own folder; only graph, configurations and raw tensors.

    Raises:
        Invalid: it is no such archive. Refused: it holds something that is not data; the message names it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            entries = file.infolist()
            _check_entries(entries, len(content))
            records = {_name(entry): file.read(entry) for entry in entries if _name(entry) not in _DROPPED}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, UnicodeDecodeError, ValueError) as error:
        raise Invalid(f"this is no exported program: {error}", hint=_HINT) from error
    for name, fixed in _FIXED.items():
        if records.pop(name, fixed) != fixed:
            raise Invalid(f"{name} of the exported program is not {fixed.decode().strip()}", hint=_HINT)
    if missing := [name for name in _NEEDED if name not in records]:
        raise Invalid(f"the exported program has no {', '.join(missing)}", hint=_HINT)
    return records


def write_archive(records: dict[str, bytes]) -> bytes:
    """An archive of these records that `torch.export.load` takes: the same bytes for the same records."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name, content in sorted({**_FIXED, **records, _EXAMPLES: b""}.items()):
            file.writestr(zipfile.ZipInfo(f"{_ROOT}/{name}"), content)
    return buffer.getvalue()


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    for entry in entries:
        name = _name(entry)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise Refused(f"{name} is compressed, and an exported program's records are not", hint=_HINT)
        if not (name in _FIXED or name in _NEEDED or name in _DROPPED or _TENSOR.fullmatch(name)):
            raise Refused(f"{name} is none of the records of an exported program that are data alone", hint=_HINT)
    names = [_name(entry) for entry in entries]
    if len(set(names)) != len(names) or sum(entry.file_size for entry in entries) > size:
        raise Refused("records of the exported program lie over one another", hint=_HINT)


def _name(entry: zipfile.ZipInfo) -> str:
    """Without the archive's own folder, whatever it is called."""
    return entry.filename.partition("/")[2]
