"""What a shared library says that it needs: the dynamic section of an ELF file, read without any tool of the system.

Source: System V Application Binary Interface, «ELF header», «program header», «dynamic section»; both classes, both byte orders.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from lockgate.kernel.errors import Corrupt

_MAGIC = b"\x7fELF"
_IDENT = 16  # bytes that begin every ELF file
_LOAD, _DYNAMIC = 1, 2  # kinds of program headers
_NULL, _NEEDED, _STRTAB, _STRSZ, _RPATH, _RUNPATH = 0, 1, 5, 10, 15, 29  # tags of the dynamic section
_MOST = 16 << 20  # bytes of one of its tables


class Needed(NamedTuple):
    """names: of libraries (DT_NEEDED). folders: where they are looked for first (DT_RUNPATH, DT_RPATH), as `$ORIGIN/../lib`."""

    names: tuple[str, ...]
    folders: tuple[str, ...]


class _Form(NamedTuple):
    """By the class of 32 or 64 bits. header: from behind the ident. at: of a program header's kind, offset, address, size."""

    header: str
    program: str
    at: tuple[int, int, int, int]
    entry: str


_FORMS = {
    1: _Form("HHIIIIIHHH", "IIIIIIII", (0, 1, 2, 4), "iI"),
    2: _Form("HHIQQQIHHH", "IIQQQQQQ", (0, 2, 3, 5), "qQ"),
}
_ORDERS = {1: "<", 2: ">"}


def needed_by(path: Path) -> Needed | None:
    """None where it is no ELF file, or is linked to nothing.

    Raises:
        Corrupt: it is cut short, or leads out of itself.
    """
    with path.open("rb") as file:
        ident = file.read(_IDENT)
        if not ident.startswith(_MAGIC):
            return None
        try:
            return _read(file, _FORMS[ident[4]], _ORDERS[ident[5]])
        except (struct.error, KeyError, IndexError, StopIteration, ValueError, OverflowError, OSError) as error:
            raise Corrupt(f"{path} is no whole ELF file: {error!r:.100}", hint="Install its distribution again.") from error


def _read(file: IO[bytes], form: _Form, order: str) -> Needed | None:
    header = _unpacked(file, order + form.header, _IDENT)
    start, size, count = header[4], header[8], header[9]
    programs = [_unpacked(file, order + form.program, start + number * size) for number in range(count)]
    told = [tuple(one[place] for place in form.at) for one in programs]
    dynamic = next((one for one in told if one[0] == _DYNAMIC), None)
    if dynamic is None:
        return None
    entries = list(_entries(_at(file, dynamic[1], dynamic[3]), order + form.entry))
    tags = dict(entries)
    strings = _at(file, _offset(told, tags[_STRTAB]), tags[_STRSZ])
    names = tuple(_string(strings, value) for tag, value in entries if tag == _NEEDED)
    folders = [_string(strings, value) for tag, value in entries if tag in (_RPATH, _RUNPATH)]
    return Needed(names, tuple(one for each in folders for one in each.split(":") if one))


def _unpacked(file: IO[bytes], form: str, offset: int) -> tuple[int, ...]:
    return struct.unpack(form, _at(file, offset, struct.calcsize(form)))


def _entries(section: bytes, form: str) -> Iterator[tuple[int, int]]:
    whole = len(section) - len(section) % struct.calcsize(form)
    for tag, value in struct.iter_unpack(form, section[:whole]):
        if tag == _NULL:
            return
        yield tag, value


def _offset(programs: list[tuple[int, ...]], address: int) -> int:
    """In the file, of what is loaded to an address."""
    _, offset, begins, _ = next(one for one in programs if one[0] == _LOAD and one[2] <= address < one[2] + one[3])
    return offset + address - begins


def _at(file: IO[bytes], offset: int, size: int) -> bytes:
    if size > _MOST:
        raise struct.error(f"a table of {size} bytes found, at most {_MOST} expected")
    file.seek(offset)
    content = file.read(size)
    if len(content) < size:
        raise struct.error(f"{len(content)} bytes found at {offset}, {size} expected")
    return content


def _string(table: bytes, offset: int) -> str:
    return table[offset : table.index(b"\0", offset)].decode(errors="replace")
