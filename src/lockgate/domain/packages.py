"""A fitted model made ready to travel: what a packaging worker hands back, before anything is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lockgate.boundary.manifest import Golden, Signature


@dataclass(frozen=True, slots=True)
class Packaged:
    """All bytes and descriptions of one model package; manifest and lineage are added by whoever stores it.

    files: name → content of what the runtime loads.
    environment: library → version that made it.
    options, requirements: as manifests keep them.
    notes: what whoever reads the run should know of the form that the model got.
    reference: the distribution of the training features and of the predictions, as `stages.watch.reference` encodes it.
    evaluation: an encoded `domain.evaluation.Evaluation`.
    held_out: the features of the evaluation's rows, by column, so that other versions can be asked about the same rows; empty
        where the evaluation's index is not that of the split's held-out rows.
    """

    runtime: str
    files: dict[str, bytes]
    signature: Signature
    golden: Golden
    environment: dict[str, str]
    reference: bytes
    evaluation: bytes
    held_out: dict[str, list[Any]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
