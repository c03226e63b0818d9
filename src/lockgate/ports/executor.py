"""Where the work of a run is done: checks as commands, everything else by workers that hold values in memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from lockgate.boundary.routes import LabelEvent


class Dataset(msgspec.Struct, frozen=True, tag="data", kw_only=True):
    """Files that are read as one data frame. Their content is verified against `digest` (see domain.data.DatasetVersion)."""

    name: str
    digest: str
    files: tuple[str, ...]


class Value(msgspec.Struct, frozen=True, tag="value"):
    """What an earlier step gave."""

    digest: str


class Constant(msgspec.Struct, frozen=True, tag="constant"):
    value: Any


Source = Dataset | Value | Constant


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """key: what the outcome is called by. log: where all that it prints goes. timeout: seconds until it is killed."""

    key: str
    log: str
    timeout: float


class RunCommand(Work, frozen=True, tag="command", kw_only=True):
    words: tuple[str, ...]


class LoadData(Work, frozen=True, tag="load", kw_only=True):
    """Read the data and, where there is a contract, have `checker` (`module:function`) hold it against it.

    at: Unix seconds, what the data's freshness is judged by.
    """

    data: Dataset
    contract: dict[str, Any] | None
    checker: str
    at: float


class CallStep(Work, frozen=True, tag="step", kw_only=True):
    module: str
    function: str
    arguments: dict[str, Source]


class Packing(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is to be packaged: what the project file says (see stages.build.spec.PackageSpec).

    natives: library → `module:function` that puts its models into the library's own format (see `ports.natives`).
    """

    runtime: Literal["auto", "onnx", "native"] = "auto"
    requirements: tuple[str, ...] = ()
    natives: dict[str, str] = {}


class PackageModel(Work, frozen=True, tag="package", kw_only=True):
    """Have `packager` (`module:function`) make a package. The Split is the one among `inputs`, which the model step was given."""

    packager: str
    model: Value
    inputs: tuple[Value, ...]
    evaluation: Value
    event: LabelEvent | None
    packing: Packing = Packing()


AnyWork = RunCommand | LoadData | CallStep | PackageModel


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """output: digest of what was made and kept. error: what went wrong, in one line. refused: a check or a contract said no."""

    key: str
    seconds: float
    output: str | None = None
    error: str | None = None
    refused: bool = False


class Executor(Protocol):
    """Does the work of one run. Whatever a piece of work does, `next` has an outcome for it, at the latest after its time-out."""

    def warm(self, libraries: Sequence[str]) -> None:
        """Start a worker now and have it import these, so that the first step need not wait for them."""
        ...

    def submit(self, work: AnyWork) -> None: ...

    def next(self) -> Outcome:
        """The next outcome of what was submitted, in the order in which they come."""
        ...

    def close(self) -> None:
        """End all that still runs."""
        ...


class Executors(Protocol):
    def open(self, project: Path, roots: Sequence[str], data: Path, log: Path) -> AbstractContextManager[Executor]:
        """An executor for one run.

        project: the folder in which code runs. roots: folders in it that modules are imported from. data: where data files lie.
        log: for what workers print outside of any piece of work.
        """
        ...


class Values(Protocol):
    """What steps gave, by digest. Only workers look into it; what they keep is verified whenever it is read."""

    def get(self, digest: str) -> bytes:
        """The stored bytes.

        Raises:
            NotFound: no such value. Corrupt: its bytes are no longer those that were stored.
        """
        ...

    def holds(self, digest: str) -> bool:
        """Whether it is there, unaltered."""
        ...
