"""What the gates found of one candidate, as a document that can be kept, pinned by a digest, and read in years.

It is canonical JSON: one spelling, so one digest. A number without a bound (the ratio of two rates of which one is zero) has no
spelling in JSON and stands as null.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from lockgate.domain.verdicts import GateResult
from lockgate.kernel.digest import canonical_json
from lockgate.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """All digests as `sha256:…`. data: by name, what was learned and held out. package: of the manifest. evaluation: one row for
    each held-out example. reference: the distribution of the training features. release: the Lockgate that judged. gates: with
    what each measured, and with the waivers as they stood when it was judged.
    """

    model: str
    run: str
    judged_at: datetime
    release: str
    package: str
    gates: tuple[GateResult, ...]
    evaluation: str | None = None
    reference: str | None = None
    data: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    commit: str | None = None
    dirty: bool = False


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(GateEvidence)


def encode(evidence: GateEvidence) -> bytes:
    return canonical_json(msgspec.json.decode(_encoder.encode(evidence)))


def decode(content: bytes) -> GateEvidence:
    """The evidence that `encode` wrote.

    Raises:
        Invalid: the bytes are no evidence.
    """
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"these bytes are no evidence of gates: {error}") from error
