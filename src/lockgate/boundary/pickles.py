"""Tell a pickle from data: reading one runs whatever it names, so no package that is data may hold one, in whatever wrapping.

That nothing runs does not hang on this: no runtime for data ever unpickles, so what is not seen here is refused there as damaged.
It is said early, and by its name. What is looked for is a name that would be imported, as protocols 0 to 5 write it, also where
the rest is broken: a pickle has run what it names before it comes to its broken part.
"""

from __future__ import annotations

import bz2
import io
import lzma
import pickle
import pickletools
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from lockgate.kernel.errors import Refused

_ENDINGS = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".ckpt", ".sav", ".p")
_NAME = re.compile(r"[^\W\d][\w.]* [^\W\d][\w.]*")
_STRINGS = frozenset(
    {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "BINSTRING", "SHORT_BINSTRING", "STRING"}
    | {"BINGET", "LONG_BINGET", "GET"}  # one that was said before
)
_STRINGS_OF_A_NAME = 2  # module and attribute
_LONGEST = 1_000_000  # operations: no data begins with so many by chance
_DEEPEST = 3  # archives in archives
_LARGEST = 64 << 20  # bytes of an archive's file, or of what was compressed, that are looked at
_OWN_ARCHIVE = ".pt2"  # an exported program, whose records are looked at one by one where it is read
_OPERATIONS = {operation.code.encode("latin-1"): operation for operation in pickletools.opcodes}
_NPY = b"\x93NUMPY"
_COMPRESSED: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x78", zlib.decompressobj),
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lzma.LZMADecompressor),
    (b"\x5d\x00\x00", lzma.LZMADecompressor),
)
_HINT = "Store the model in its library's own format, or as ONNX: see docs/explanation/isolation.md."


def refuse_pickle(name: str, content: memoryview | bytes) -> None:
    """Let pass or raise.

    Raises:
        Refused: the file is a pickle, or holds one.
    """
    if name.lower().endswith(_ENDINGS):
        raise Refused(f"{name} is a pickle by its name, which may be code", hint=_HINT)
    if (what := _found(name, memoryview(content), _DEEPEST)) is not None:
        raise Refused(f"{name} holds a pickle{what}, which may be code", hint=_HINT)


def _found(name: str, content: memoryview, depth: int) -> str | None:
    """Where the pickle is and what it names, in words; None where there is none."""
    if bytes(content[:6]) == _NPY:
        return " (an array of Python objects)" if _holds_objects(content) else None
    if bytes(content[:4]) == b"PK\x03\x04":
        return None if name.endswith(_OWN_ARCHIVE) or not depth else _in_archive(content, depth)
    if (bare := _decompressed(content)) is not None:
        return _found(name, memoryview(bare), depth - 1) if depth else None
    named = _named(content)
    return f" that names {named}" if named is not None else None


def _in_archive(content: memoryview, depth: int) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                if info.filename.lower().endswith(_ENDINGS):
                    return f" ({info.filename})"
                with archive.open(info) as member:
                    inner = member.read(_LARGEST)
                if (what := _found(info.filename, memoryview(inner), depth - 1)) is not None:
                    return f" in {info.filename}{what}"
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError, ValueError):
        return None  # damaged, encrypted: whoever reads it will say so
    return None


def _decompressed(content: memoryview) -> bytes | None:
    """As joblib compresses: zlib, gzip, bzip2, xz, or the older lzma."""
    for begins, decompressor in _COMPRESSED:
        if bytes(content[: len(begins)]) == begins:
            try:
                return bytes(decompressor().decompress(content, _LARGEST))
            except (zlib.error, lzma.LZMAError, OSError, EOFError):
                return None
    return None


def _holds_objects(content: memoryview) -> bool:
    """By the header of an .npy file, which says the type of its elements."""
    return re.search(rb"'descr'[^}]*\|O|\('[^']*', '\|?O", bytes(content[:65536]).split(b"\n", 1)[0]) is not None


def _named(content: memoryview) -> str | None:
    """What a pickle would import first."""
    strings: list[str] = []
    try:
        with warnings.catch_warnings():  # data that are no pickle have odd texts where one would have a name
            warnings.simplefilter("ignore")
            for count, (operation, argument) in enumerate(_operations(_Reader(content))):
                if operation in ("GLOBAL", "INST") and _NAME.fullmatch(str(argument)):
                    return str(argument).replace(" ", ".")
                if operation == "STACK_GLOBAL" and len(strings) >= _STRINGS_OF_A_NAME:
                    return ".".join(strings[-_STRINGS_OF_A_NAME:])
                if operation == "DUP":
                    strings += strings[-1:]
                if operation in _STRINGS:
                    strings.append(str(argument))
                if count > _LONGEST:
                    return "more than can be looked through"
    except (ValueError, OverflowError, MemoryError):
        return None  # no pickle from here on
    return None


def _operations(reader: _Reader) -> Iterator[tuple[str, Any]]:
    """Up to STOP: as `pickletools.genops`, which is stricter about lines than the unpickler is, and so can be led astray.

    Raises:
        ValueError: here the unpickler would stop too.
    """
    while (code := reader.read(1)) not in (b"", pickle.STOP):
        operation = _OPERATIONS.get(code)
        if operation is None:
            raise ValueError(f"no operation: {code!r}")
        if operation.name in ("GLOBAL", "INST"):
            yield operation.name, " ".join(reader.line().decode(errors="replace") for _ in range(_STRINGS_OF_A_NAME))
        elif operation.name in ("INT", "LONG"):
            yield operation.name, _whole(reader.line())
        elif operation.name == "FLOAT":
            yield operation.name, float(reader.line().split(b"\0")[0])
        else:
            argument = operation.arg.reader(cast("IO[bytes]", reader)) if operation.arg else None
            yield operation.name, argument


def _whole(line: bytes) -> int:
    """As C reads it: in base 10, 16, 8 or 2, up to a zero byte, and perhaps with an L behind it."""
    text = line.split(b"\0")[0].strip().removesuffix(b"L")
    try:
        return int(text, 0)
    except ValueError:
        return int(text)  # 007


class _Reader:
    """A file over bytes in memory, of which nothing is copied but what is asked for."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._at = 0

    def read(self, count: int) -> bytes:
        found = bytes(self._content[self._at : self._at + count])
        self._at += len(found)
        return found

    def readline(self) -> bytes:
        end = self._at
        while end < len(self._content):
            part = bytes(self._content[end : end + 4096])
            found = part.find(b"\n")
            if found >= 0:
                return self.read(end + found + 1 - self._at)
            end += len(part)
        return self.read(end - self._at)

    def line(self) -> bytes:
        """Without its end.

        Raises:
            ValueError: it has none.
        """
        found = self.readline()
        if not found.endswith(b"\n"):
            raise ValueError("a line without an end")
        return found[:-1]
