"""Images of versions, built without an engine: a base's layers, and ours upon them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lockgate.boundary.images import LAYER, TITLE
from lockgate.domain.forms import Asked, Contents, Form
from lockgate.integrations.oci import archive, asking, base_files, base_registry, bases, layers, native
from lockgate.integrations.oci.bases import Base
from lockgate.integrations.oci.blobs import Blobs
from lockgate.integrations.oci.contained import Part, Trusted, none_trusted, parts, planned
from lockgate.integrations.oci.documents import entrypoint, image_of, layout_index, name_of, saved_index
from lockgate.integrations.oci.media import Descriptor
from lockgate.integrations.oci.needed import Needs
from lockgate.integrations.oci.references import parse, usual_base
from lockgate.ports.signer import Signer

SUFFIX = ".oci.tar"


class ImageBuilder:
    """A ports.forms.FormBuilder. base: a name in a registry, or the path of a file or a folder that holds an image; None: the
    image of this machine's Python on Docker Hub. cache: a folder for parts of bases and for libraries, which may be emptied while
    nobody builds. needs: what a package runs by, of what is installed here. trusted: which types beside
    Lockgate's own list packages may be made of; an image of such packages carries them.
    """

    def __init__(
        self, signer: Signer, base: str | Path | None, cache: Path, needs: Needs, trusted: Trusted = none_trusted
    ) -> None:
        self._signer = signer
        self._base = base
        self._cache = cache
        self._blobs = Blobs(cache)
        self._needs = needs
        self._trusted = trusted

    @property
    def form(self) -> Form:
        return Form.IMAGE

    def build(self, contents: Sequence[Contents], folder: Path) -> Path:
        plan = planned(contents, self._needs, self._signer, self._cache, self._trusted)
        base = self._take_base()
        python = bases.check(base, plan.installed)
        native.check(base.facts, plan, self._blobs)
        with TemporaryDirectory(dir=folder, prefix=".layers-") as draft:
            own = Blobs(Path(draft))
            put = [self._layer(part, own) for part in parts(plan)]
            image = image_of(base, put, entrypoint(python, contents, plan.types), contents, self._signer)
            places = {one.digest: self._place(one.digest, own) for one in image.manifest.layers}
            path = folder / ("-".join(name_of(contents)) + SUFFIX)
            archive.write(path, layout_index(image, contents), saved_index(image, contents), image.documents, places)
        return path

    def digest(self, file: Path) -> str:
        return archive.digest(file)

    def ask(self, file: Path, contents: Contents) -> Asked:
        return asking.ask(file, contents, os.environ)

    def _take_base(self) -> Base:
        named = self._base if self._base is not None else usual_base()
        if _is_path(named):
            return base_files.take(Path(named), self._blobs)
        return base_registry.take(parse(str(named)), self._blobs)

    def _layer(self, part: Part, own: Blobs) -> Descriptor:
        blobs = self._blobs if part.key else own
        noted = blobs.note(part.key) if part.key else None
        digest = noted.decode() if noted is not None else ""
        if not digest or not blobs.has(digest):
            digest = blobs.made(lambda file: layers.write(file, part.members()))
            if part.key:
                blobs.take_note(part.key, digest.encode())
        return Descriptor(LAYER, digest, blobs.size(digest), {TITLE: part.title})

    def _place(self, digest: str, own: Blobs) -> Path:
        return own.path(digest) if own.has(digest) else self._blobs.path(digest)


def _is_path(named: str | Path) -> bool:
    """What is there is one, and so is what could be nothing else."""
    text = str(named)
    return isinstance(named, Path) or Path(text).exists() or text.startswith((".", "/", "~")) or text.endswith(".tar")
