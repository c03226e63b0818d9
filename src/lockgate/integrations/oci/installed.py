"""Distributions of Python as they were installed, file by file: what of them belongs into an image.

Source: the core metadata of installed distributions (`*.dist-info`, PyPA specification «Recording installed projects»). RECORD
names every file with its digest; what an installer adds of its own (bytecode, scripts, where it came from) is left out, so the
same distributions give the same files on every machine.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from platform import libc_ver

from lockgate.integrations.oci.layers import Member, Members, file_of
from lockgate.kernel.digest import PREFIX, digest_file, digest_json
from lockgate.kernel.errors import Corrupt, Invalid, Unavailable

_OF_THE_INSTALLER = frozenset(("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"))
_DIST_INFO = re.compile(r"[^/]+\.dist-info/([^/]+)")
_MANYLINUX = re.compile(r"manylinux_2_(\d+)_")
_OLDER = {"manylinux2014": 17, "manylinux2010": 12, "manylinux1": 5}  # minor versions of glibc 2, PEP 600
_LOCAL = re.compile(r"-linux_\w+$")  # built on the machine that it runs on


@dataclass(frozen=True, slots=True)
class Installed:
    """name and version, as it calls itself. files: those that belong into an image, by path, with digest. glibc: the minor
    version of glibc 2 that its binaries need; 0: any.
    """

    name: str
    version: str
    root: Path
    files: dict[str, str]
    glibc: int


def find(name: str, version: str) -> Installed:
    """Among what this interpreter has.

    Raises:
        Unavailable: it is not there, or not so that it could be copied.
    """
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise Unavailable(f"{name} is needed and not installed here", hint=f"pip install {name}=={version}") from None
    if found.version != version:
        raise Unavailable(f"{name} {found.version} found, {version} expected", hint=f"pip install {name}=={version}")
    return _read(found)


def found_in(folder: Path) -> list[Installed]:
    """All that was installed there with `pip install --target`, by name."""
    return sorted(map(_read, metadata.distributions(path=[str(folder)])), key=lambda one: one.name.lower())


def key_of(distributions: Iterable[Installed]) -> str:
    """A digest that is another as soon as any file is."""
    return digest_json({one.name: [one.version, one.files] for one in distributions})


def members(distributions: Iterable[Installed], folder: str) -> Members:
    """Their files below a folder of the image. Every byte is what was installed.

    Raises:
        Corrupt: a file was altered since. Invalid: two of them bring the same path.
    """
    taken: dict[str, Member] = {}
    for one in distributions:
        for name, digest in one.files.items():
            path = one.root / name
            if f"{folder}/{name}" in taken:
                raise Invalid(f"{name} is brought by {one.name} and by another distribution", hint="Install one of them alone.")
            if not path.is_file() or digest_file(path) != digest:
                hint = f"Install it again: pip install --force-reinstall --no-deps {one.name}=={one.version}"
                raise Corrupt(f"{path} is not what {one.name} {one.version} installed there", hint=hint)
            taken[f"{folder}/{name}"] = file_of(path)
    return taken


def _read(found: metadata.Distribution) -> Installed:
    name = found.metadata["Name"]
    if found.files is None:
        raise Unavailable(f"{name} has no list of its files, so it cannot be copied", hint=f"Install it with pip: {name}")
    if "dir_info" in (found.read_text("direct_url.json") or ""):
        hint = f"Install it as a wheel: pip install --force-reinstall {name}=={found.version}"
        raise Unavailable(f"{name} runs from a folder of somebody's, which no image holds", hint=hint)
    root = Path(str(found.locate_file("")))
    return Installed(name, found.version, root, dict(_files(found.files)), _glibc(found.read_text("WHEEL") or ""))


def _files(recorded: Iterable[metadata.PackagePath]) -> Iterator[tuple[str, str]]:
    for path in recorded:
        name = path.as_posix()
        inside = _DIST_INFO.fullmatch(name)
        if name.startswith(("../", "/")) or name.endswith(".pyc") or (inside and inside[1] in _OF_THE_INSTALLER):
            continue  # scripts and manuals; bytecode; where and how it was installed
        if path.hash is None or path.hash.mode != "sha256":
            raise Unavailable(f"{name} stands in RECORD without a SHA-256 digest", hint="Install its distribution with pip.")
        value = path.hash.value
        yield name, PREFIX + urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()


def _glibc(wheel: str) -> int:
    """What the least demanding tag of its WHEEL file asks for."""
    tags = [line.removeprefix("Tag:").strip() for line in wheel.splitlines() if line.startswith("Tag:")]
    asked = [_asked(tag) for tag in tags]
    return min(asked, default=0)


def _asked(tag: str) -> int:
    if match := _MANYLINUX.search(tag):
        return int(match[1])
    for name, minor in _OLDER.items():
        if name in tag:
            return minor
    return int((libc_ver()[1] or "2.0").split(".")[1]) if _LOCAL.search(tag) else 0
