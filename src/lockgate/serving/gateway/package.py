"""A package ready to answer: its model, and how requests of its signature are read and its answers written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lockgate.boundary.manifest import Manifest
from lockgate.kernel.errors import InvalidInput, Refused
from lockgate.serving.protocol.answers import Encoder
from lockgate.serving.protocol.columns import Decoder
from lockgate.serving.runtimes.model import Model
from lockgate.serving.runtimes.package import read
from lockgate.serving.runtimes.registry import load_model
from lockgate.serving.runtimes.scores import Scorer


@dataclass(frozen=True, slots=True)
class Package:
    digest: str
    manifest: Manifest
    decoder: Decoder
    encoder: Encoder
    scorer: Scorer
    model: Model


def load(artifacts: Path, digest: str) -> Package:
    """Read, verify and try a package.

    Raises:
        NotFound, Corrupt, Invalid: see runtimes.package.read. RuntimeFailure: the runtime cannot load it, or raises on its
        golden rows. Refused: its golden rows come out otherwise than they should.
    """
    manifest, files = read(artifacts, digest)
    signature = manifest.signature
    package = Package(digest, manifest, Decoder(signature), Encoder(signature), Scorer(signature), load_model(manifest, files))
    check_golden(package)
    return package


def check_golden(package: Package) -> None:
    """Answer the golden rows as the original model did; this also warms the session up.

    Raises:
        Refused: a score is further from the original model's than the tolerance.
    """
    golden = package.manifest.golden
    try:
        batch = package.decoder.decode_columns(golden.inputs)
    except InvalidInput as error:
        raise Refused(f"golden rows do not fit the signature: {error.faults[0]}") from error
    scores = package.scorer.scores(package.model.run(batch.feeds), batch.rows)
    if len(scores) != len(golden.scores):
        raise Refused(f"{len(golden.scores)} golden scores found for {len(scores)} golden rows")
    worst = max((abs(found - expected) for found, expected in zip(scores, golden.scores, strict=True)), default=0.0)
    if worst > golden.tolerance:
        raise Refused(
            f"golden rows: scores differ from the original model's by up to {worst:.3g}, {golden.tolerance:.3g} is allowed",
            hint="Package the model again; this one would answer otherwise than the one that was evaluated.",
        )
