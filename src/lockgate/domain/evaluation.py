"""What a model said of the held-out examples, beside the truth: what gates measure and champions are compared on."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from lockgate.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One entry for each held-out example; all columns have the same length and the ids are unique.

    prediction: the score (for a classifier the probability of the positive class).
    slices: name of a column → the value of each example, by which results may be looked at separately.
    """

    ids: list[str]
    prediction: list[float]
    label: list[float]
    slices: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns: dict[str, list[float] | list[str]] = {"prediction": self.prediction, "label": self.label, **self.slices}
        for name, column in columns.items():
            if len(column) != len(self.ids):
                raise Invalid(f"an evaluation of {len(self.ids)} examples has {len(column)} values of {name!r}")
        if len(set(self.ids)) != len(self.ids):
            raise Invalid(f"an evaluation names {len(self.ids) - len(set(self.ids))} of its examples twice")

    def __len__(self) -> int:
        return len(self.ids)


_decoder = msgspec.msgpack.Decoder(Evaluation)


def encode(evaluation: Evaluation) -> bytes:
    return msgspec.msgpack.encode(evaluation, order="deterministic")


def decode(content: bytes) -> Evaluation:
    """The evaluation that `encode` wrote.

    Raises:
        Invalid: the bytes are no evaluation.
    """
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, Invalid) as error:
        raise Invalid(f"these bytes are no evaluation: {error}") from error
