"""Data as the build stage passes it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lockgate.kernel.digest import digest_json


@dataclass(frozen=True, slots=True)
class Split:
    """Examples to learn from and examples held out: `x_*` are data frames of features, `y_*` series of labels, rows aligned.

    The package's signature is read from the columns of `x_train`, its golden rows come from `x_test`, and the distribution of
    `x_train` is what drift is measured against.
    """

    x_train: Any
    y_train: Any
    x_test: Any
    y_test: Any


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """Data fixed by content: `digest` is the `dataset_digest` of `files`, which are paths in the project's folder, sorted."""

    name: str
    digest: str
    files: tuple[str, ...]
    size: int


def dataset_digest(files: dict[str, str]) -> str:
    """Of the sorted list of files with their digests."""
    return digest_json(sorted(files.items()))
