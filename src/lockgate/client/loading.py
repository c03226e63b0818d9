"""Load a version in this process: every byte verified again, the golden rows asked, which also warms it up."""

from __future__ import annotations

from pathlib import Path

from lockgate.boundary import manifest as packages
from lockgate.boundary.releases import Release
from lockgate.embedded.model import Model
from lockgate.embedded.package import Golden, Package, Signature, Tensor
from lockgate.kernel.errors import Refused
from lockgate.runtimes.package import read
from lockgate.runtimes.registry import load_model


def load(artifacts: Path, release: Release) -> Model:
    """
    Raises:
        NotFound, Corrupt: a file is missing or damaged. Invalid: it is no package, or answers otherwise than the original.
        Refused: it is another model's, or cannot run inside a program. RuntimeFailure: its library is missing, or cannot load it.
    """  # noqa: D212 - there is nothing else to say
    manifest, files = read(artifacts, release.digest)
    if manifest.model != release.model:
        raise Refused(f"{release}: a package of {manifest.model!r:.120} found under its name")
    if manifest.requirements:
        raise Refused(
            f"{release} needs {len(manifest.requirements)} libraries of its own, which a running program cannot change",
            hint="Let it run as a service, in an environment of its own.",
        )
    model = Model(_package(artifacts, release, manifest), load_model(manifest, files))
    model.check()
    return model


def _package(artifacts: Path, release: Release, manifest: packages.Manifest) -> Package:
    golden, signature = manifest.golden, manifest.signature
    inputs, outputs = (tuple(map(_tensor, some)) for some in (signature.inputs, signature.outputs))
    return Package(
        folder=artifacts,
        model=release.model,
        version=release.version,
        digest=release.digest,
        runtime=manifest.runtime,
        signature=Signature(inputs, outputs, signature.score, signature.score_column),
        golden=Golden(golden.inputs, tuple(golden.scores), golden.tolerance),
        files={file.name: file.digest for file in manifest.files},
    )


def _tensor(tensor: packages.Tensor) -> Tensor:
    return Tensor(tensor.name, tensor.datatype, tensor.shape)
