"""Models that learn: what a package's files become, row by row. One `Learners` for each runtime that can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from lockgate.boundary.manifest import Manifest


class Learner(Protocol):
    """A model in memory. Opened again from its own files it goes on as if nothing had happened, bit for bit."""

    def score(self, row: Mapping[str, Any]) -> float:
        """What the data plane would judge this row by. row: the signature's inputs by name, values as its runtime sees them.

        Raises:
            LockgateError: the model raised, or its score is no finite number.
        """
        ...

    def learn(self, row: Mapping[str, Any], label: float) -> None:
        """label: of a classifier, true from 0.5 on.

        Raises:
            LockgateError: the model raised.
        """
        ...

    def files(self) -> dict[str, bytes]:
        """What a package of the model holds, under the names that it was opened from.

        Raises:
            LockgateError: it holds by now what cannot be kept.
        """
        ...


class Learners(Protocol):
    def open(self, manifest: Manifest, files: Mapping[str, bytes]) -> Learner:
        """files: the package's, by name. The same files and rows make the same files, in any process, at any time.

        Raises:
            Invalid, Refused: the package holds no model that can learn. MissingExtra: its library is not installed.
        """
        ...
