"""A fitted model made ready to travel: what a packaging worker hands back, before anything is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lockgate.boundary.manifest import Golden, Signature


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """What a split says about itself. overlapping: of `held_out` rows those whose features, all of them, a training row has too.

    single: by feature, how well it alone tells the held-out labels: the AUC of two classes, else the share of the variance.
    """

    held_out: int
    overlapping: int
    single: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Packaged:
    """All bytes and descriptions of one model package; manifest and lineage are added by whoever stores it.

    files: name → content of what the runtime loads.
    environment: library → version that made it.
    options, requirements: as manifests keep them.
    split: what the split that it learned from says about itself; None: nothing is known of it.
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
    split: SplitFacts | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a package cost while the real server ran it alone, with one worker.

    cold_start: seconds from the start of the server's processes to the first answer. latencies: seconds of each request, as its
    caller saw it. memory: bytes of all the server's processes together, each page counted once (PSS); None where the system does
    not tell. size: bytes of the package's files.
    """

    cold_start: float
    latencies: tuple[float, ...]
    memory: int | None
    size: int
