"""A form that needs nothing to run in: an archive of the members, asked by whoever holds it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from lockgate.boundary import archives, bundles
from lockgate.boundary.manifest import Manifest, decode
from lockgate.domain.forms import Asked, Contents, Form
from lockgate.kernel.digest import digest_file
from lockgate.kernel.errors import Invalid

Answers = Callable[[Manifest], Sequence[float]]


def as_the_original(manifest: Manifest) -> Sequence[float]:
    return manifest.golden.scores


class ArchiveBuilder:
    """A ports.forms.FormBuilder. answers: what the model in the archive says to its golden rows."""

    form = Form.DATA

    def __init__(self, answers: Answers = as_the_original, cold_start: float = 0.1) -> None:
        self._answers = answers
        self._cold_start = cold_start

    def build(self, contents: Sequence[Contents], folder: Path) -> Path:
        if len(contents) != 1:
            raise Invalid(f"{len(contents)} versions found, one expected")
        one = contents[0]
        path = folder / f"{one.release.model}-{one.release.version}{bundles.SUFFIX}"
        draft = path.with_name(f".{path.name}")
        try:
            with draft.open("wb") as file:
                archives.write(file, bundles.members(one.release, one.manifest_bytes, one.files, one.papers))
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return path

    def digest(self, file: Path) -> str:
        return digest_file(file)

    def ask(self, file: Path, contents: Contents) -> Asked:
        with archives.reading(file) as archive:
            archives.check_canonical(file, archive)
            manifest = decode(archive.read(bundles.MANIFEST), contents.release.digest)
        return Asked(tuple(self._answers(manifest)), self._cold_start, "this process")
