"""A package's files in a folder of their own, under their names: for libraries and models that read files by themselves.

They are copies, so that nothing that is written there reaches the artifacts. A process that is killed leaves its folder behind;
the next one to make a folder removes it, which the lock that died with its owner allows.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from shutil import rmtree
from tempfile import mkdtemp
from weakref import finalize

from lockgate.kernel.errors import Invalid

_LONGEST = 500  # bytes of a name
_PREFIX = "lockgate-package-"


class Folder:
    """The files for as long as this object lives. files: content by name, a path with slashes.

    Raises:
        Invalid: see `check_names`.
    """

    def __init__(self, files: Mapping[str, bytes | memoryview]) -> None:
        check_names(files)
        self.path = _locked(self, _PREFIX)[0]
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


class Scratch:
    """A new folder for as long as this object lives, or until it is closed.

    prefix: of its name, as `lockgate-serve-`. place: where it lies; None: where the system keeps what is temporary.

    Raises:
        OSError: there is no place to write.
    """

    def __init__(self, prefix: str, place: Path | None = None) -> None:
        self.path, self._removal = _locked(self, prefix, place)

    def close(self) -> None:
        self._removal()


def check_names(files: Iterable[str]) -> None:
    """Raises Invalid if one is no plain path below its folder, or is the name of a file and of a folder."""
    names = set(files)
    for name in names:
        if _leaves(name) or len(name.encode()) > _LONGEST:
            raise Invalid(f"file name {name[:100]!r} found in the package, a plain path below its folder expected")
    if both := sorted({str(parent) for name in names for parent in PurePosixPath(name).parents} & names):
        raise Invalid(f"{both[0]!r} is the name of a file and of a folder in the package")


def _leaves(name: str) -> bool:
    return any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name or "\0" in name


def _locked(owner: object, prefix: str, place: Path | None = None) -> tuple[Path, Callable[[], object]]:
    """A new folder, locked as long as its owner lives: nobody else takes it for one that was left behind. And what removes it.

    Until it is locked it has a name that nobody sweeps.
    """
    draft = Path(mkdtemp(prefix=f".{prefix}", dir=place))
    descriptor = os.open(draft, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    path = draft.rename(draft.with_name(draft.name.removeprefix(".")))
    removal = finalize(owner, _remove, path, descriptor, os.getpid())  # with its owner, or with the process
    _sweep(path.parent, prefix)
    return path, removal


def _remove(path: Path, descriptor: int, maker: int) -> None:
    """maker: the process whose folder it is. One that it forked ends with the same duty, and must leave the folder to it."""
    if os.getpid() == maker:
        rmtree(path, ignore_errors=True)
    os.close(descriptor)


def _sweep(place: Path, prefix: str) -> None:
    """Remove what processes left behind that were killed."""
    for path in place.glob(f"{prefix}*"):
        with suppress(OSError):  # it is in use, another's, or gone by now
            descriptor = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                rmtree(path)
            finally:
                os.close(descriptor)
