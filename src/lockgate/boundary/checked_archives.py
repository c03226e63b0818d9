"""Data files and wheels, checked from their bytes and public keys alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

from lockgate.boundary import bundles
from lockgate.boundary.archives import check_canonical, reading
from lockgate.boundary.checking import Checked, Members, Steps, check_bundle
from lockgate.boundary.trust import Trust
from lockgate.boundary.wheels import RECORD, Member, record
from lockgate.kernel.digest import PREFIX, digest_file
from lockgate.kernel.errors import Corrupt, Invalid

DATA, WHEEL = "data", "wheel"
_CHUNK = 1 << 20
_MOST = 64 << 20  # bytes of a member that is read whole
_INFO = re.compile(r"[^/]+\.dist-info/")
_MODEL = f"/_model/{bundles.RELEASE}"


def check_archive(path: Path, trust: Trust) -> Checked:
    """Raises NotFound if there is no such file; whatever else is wrong with it stands in the steps."""
    steps = Steps()
    digest = digest_file(path) if path.is_file() else ""
    kind = WHEEL if path.suffix == ".whl" else DATA
    try:
        with reading(path) as archive:
            return _checked(steps, path, digest, archive, trust)
    except (Corrupt, Invalid) as error:
        steps.fail("archive", error)
        return Checked(kind, path.name, digest, tuple(steps.done))


def _checked(steps: Steps, path: Path, digest: str, archive: ZipFile, trust: Trust) -> Checked:
    names = archive.namelist()
    wheel = any(name.endswith(_MODEL) for name in names)
    prefix = _only([name for name in names if name.endswith(_MODEL)]).removesuffix(bundles.RELEASE) if wheel else ""
    info = _only([match[0] for name in names if (match := _INFO.match(name))]) if wheel else ""
    steps.look("archive", lambda: _canonical(path, archive))
    members = _members(archive)
    if wheel:
        steps.look(RECORD, lambda: _record(members, info + RECORD))
    beside = {info + RECORD} if wheel else set[str]()
    package, signer = check_bundle(steps, members, _under(members, prefix), info + bundles.SIGNATURE, beside, trust)
    return Checked(WHEEL if wheel else DATA, path.name, digest, tuple(steps.done), (package,), signer)


def _only(found: Iterable[str]) -> str:
    different = sorted(set(found))
    if len(different) != 1:
        raise Invalid(f"{len(different)} packaged models found, one expected")
    return different[0]


def _canonical(path: Path, archive: ZipFile) -> tuple[bool, str]:
    check_canonical(path, archive)
    return True, f"{len(archive.namelist())} members, whole, and nothing between them"


def _members(archive: ZipFile) -> Members:
    infos = {one.filename: one.file_size for one in archive.infolist()}
    return Members({name: _digest(archive, name) for name in infos}, infos, lambda name: _read(archive, name))


def _digest(archive: ZipFile, name: str) -> str:
    state = sha256()
    with archive.open(name) as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return PREFIX + state.hexdigest()


def _read(archive: ZipFile, name: str) -> bytes:
    if (size := archive.getinfo(name).file_size) > _MOST:
        raise Corrupt(f"{name} has {size} bytes, at most {_MOST} expected")
    return archive.read(name)


def _under(members: Members, prefix: str) -> Members:
    """Those of the package, by the names that they have there."""
    digests = {name.removeprefix(prefix): one for name, one in members.digests.items() if name.startswith(prefix)}
    sizes = {name.removeprefix(prefix): one for name, one in members.sizes.items() if name.startswith(prefix)}
    return Members(digests, sizes, lambda name: members.read(prefix + name))


def _record(members: Members, name: str) -> tuple[bool, str]:
    """Byte for byte what follows from the members."""
    others = {one: Member(digest, members.sizes[one]) for one, digest in members.digests.items() if one != name}
    if members.content(name) != record(others, name):
        raise Corrupt("it does not say what the members are")
    return True, f"{len(others)} members as they are"
