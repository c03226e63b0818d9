"""The golden rows of a package: rows with the answers of the original model, which every load must repeat before it answers."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.boundary.manifest import Manifest
from lockgate.embedded.scores import Scorer
from lockgate.kernel.errors import InvalidInput, LockgateError, Refused
from lockgate.runtimes.model import Array, Model
from lockgate.serving.protocol.columns import Batch, Decoder

_ALONE = 8  # rows that are asked one by one


class GoldenRows:
    """Raises Refused if the rows do not fit the signature, Invalid if the signature itself is none."""

    def __init__(self, manifest: Manifest) -> None:
        self._golden = manifest.golden
        self._scorer = Scorer(manifest.signature)
        self.batch = _decoded(manifest)
        if len(self._golden.scores) != self.batch.rows:
            raise Refused(f"{len(self._golden.scores)} golden scores found for {self.batch.rows} golden rows")

    def check(self, model: Model) -> None:
        """Answer the golden rows as the original model did; this also warms the model up.

        Raises:
            Refused: a score is further from the original model's than the tolerance.
            Invalid: the outputs are not what the signature promises. RuntimeFailure: the model raised.
        """
        worst = self._worst(model.run(self.batch.feeds), 0, self.batch.rows)
        if worst > self._golden.tolerance:
            raise Refused(
                f"golden rows: scores differ from the original model's by up to {worst:.3g}, "
                f"{self._golden.tolerance:.3g} is allowed",
                hint="Package the model again; this one would answer otherwise than the one that was evaluated.",
            )

    def answers_rows_alone(self, model: Model) -> bool:
        """Whether a row's score is the same by itself as among others: only then may requests of several callers share a run."""
        try:
            return all(self._alone(model, row) <= self._golden.tolerance for row in range(min(_ALONE, self.batch.rows)))
        except LockgateError:
            return False

    def _alone(self, model: Model, row: int) -> float:
        feeds = {name: array[row : row + 1].copy() for name, array in self.batch.feeds.items()}
        return self._worst(model.run(feeds), row, 1)

    def _worst(self, outputs: Sequence[Array], first: int, rows: int) -> float:
        expected = self._golden.scores[first : first + rows]
        scores = self._scorer.scores(outputs, rows)
        return max((abs(found - told) for found, told in zip(scores, expected, strict=True)), default=0.0)


def _decoded(manifest: Manifest) -> Batch:
    try:
        return Decoder(manifest.signature).decode_columns(manifest.golden.inputs)
    except InvalidInput as error:
        raise Refused(f"golden rows do not fit the signature: {error.faults[0]}") from error
