"""Build a version as a wheel, the same bytes each time, and have it answer where nothing else is installed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lockgate.boundary import bundles
from lockgate.boundary.archives import Content, write
from lockgate.boundary.wheels import RECORD, Member, record
from lockgate.domain.forms import Asked, Contents, Form
from lockgate.integrations.wheel import metadata, sources
from lockgate.integrations.wheel.clean import Rooms
from lockgate.integrations.wheel.closure import ROOT, carried, closure, modules_in
from lockgate.integrations.wheel.names import Names, names_of
from lockgate.integrations.wheel.parts import ONNX, Part, parts_of
from lockgate.integrations.wheel.requirements import requirements
from lockgate.kernel.digest import digest_bytes, digest_file
from lockgate.kernel.errors import Invalid
from lockgate.ports.signer import Signer

_EMBEDDED, _RUNTIMES = f"{ROOT}.embedded", f"{ROOT}.runtimes"


class WheelBuilder:
    """A ports.forms.FormBuilder. cache: a folder for environments with the libraries that wheels require."""

    form = Form.WHEEL

    def __init__(self, signer: Signer, cache: Path) -> None:
        self._signer = signer
        self._rooms = Rooms(cache)

    def build(self, contents: Sequence[Contents], folder: Path) -> Path:
        """See ports.forms.FormBuilder."""
        if len(contents) != 1:
            raise Invalid(f"{len(contents)} versions found; a wheel holds one", hint="Build one wheel for each.")
        one = contents[0]
        names = names_of(one.release)
        members = self._signed(_members(one, names), one, names)
        target = folder / names.file
        draft = target.with_suffix(".draft")
        try:
            with draft.open("wb") as file:
                write(file, members)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return target

    def digest(self, file: Path) -> str:
        return digest_file(file)

    def ask(self, file: Path, contents: Contents) -> Asked:
        """See ports.forms.FormBuilder: in a virtual environment with the wheel, and what it requires, and nothing else."""
        return self._rooms.ask(file, names_of(contents.release).package)

    def _signed(self, members: dict[str, Content], one: Contents, names: Names) -> dict[str, Content]:
        known = {name: _member(content) for name, content in members.items()}
        signed = bundles.signature({name: member.digest for name, member in known.items()}, one.release, self._signer)
        signature, listed = f"{names.dist_info}/{bundles.SIGNATURE}", f"{names.dist_info}/{RECORD}"
        known[signature] = _member(signed)
        return members | {signature: signed, listed: record(known, listed)}


def _members(one: Contents, names: Names) -> dict[str, Content]:
    """All but the signature and the list of files."""
    release, manifest, package = one.release, one.manifest, names.package
    parts = parts_of(manifest, one.files)
    bundle = bundles.members(release, one.manifest_bytes, one.files, one.papers)
    described = f"# {release}\n\n{sources.described(names, manifest)}\n\nPackage `{release.digest}`, built by Lockgate."
    return {
        **carried(closure(_entries(parts)), package),
        **{f"{package}/{sources.MODEL}/{name}": content for name, content in bundle.items()},
        f"{package}/__init__.py": sources.init(names, release, manifest).encode(),
        f"{package}/py.typed": b"",
        f"{names.dist_info}/METADATA": metadata.metadata(names, release, _required(parts, names), described),
        f"{names.dist_info}/WHEEL": metadata.wheel(),
    }


def _required(parts: Sequence[Part], names: Names) -> list[str]:
    """Raises Invalid if one is what the wheel is called itself: installed, it would take that one's place."""
    found = requirements(parts)
    if canonicalize_name(names.distribution) in {canonicalize_name(Requirement(one).name) for one in found}:
        raise Invalid(
            f"the model's wheel would be called {names.distribution}, as a library it requires", hint="Rename the model."
        )
    return found


def _entries(parts: Sequence[Part]) -> list[str]:
    runtimes = {runtime for part in parts for runtime in part.runtimes}
    if runtimes == {ONNX}:
        return modules_in(_EMBEDDED)
    return [*modules_in(_EMBEDDED), f"{_RUNTIMES}.bundled", *(f"{_RUNTIMES}.{runtime}" for runtime in sorted(runtimes))]


def _member(content: Content) -> Member:
    if isinstance(content, bytes):
        return Member(digest_bytes(content), len(content))
    return Member(digest_file(content), content.stat().st_size)
