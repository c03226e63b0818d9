"""What pages and routes show out of files: the manifest of a package, the end of a log."""

from __future__ import annotations

from pathlib import Path

from lockgate.boundary.manifest import Manifest, decode
from lockgate.domain.runs import Run, StepRun
from lockgate.kernel.errors import NotFound
from lockgate.ports.artifacts import ArtifactStore

LONGEST_TAIL = 256 * 1024  # bytes


def manifest_of(artifacts: ArtifactStore, digest: str) -> Manifest | None:
    """The manifest of a package; None where the store does not hold it.

    Raises:
        Corrupt: what the store holds is not what was stored.
    """
    if not artifacts.has(digest):
        return None
    return decode(artifacts.get(digest), digest)


def log_tail(home: Path | None, run: Run, step: str, most: int = LONGEST_TAIL) -> str:
    """The last `most` bytes of a step's log, from the first whole line on.

    Raises:
        NotFound: the run has no such step, the step has not logged, or its log was cleaned away.
    """
    path = _log_path(home, run, _step(run, step))
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - most))
        content = file.read(most)
    if size > most:
        content = content.partition(b"\n")[2]
    return content.decode("utf-8", errors="replace")


def _step(run: Run, name: str) -> StepRun:
    for step in run.steps:
        if step.name == name:
            return step
    known = ", ".join(step.name for step in run.steps) or "none"
    raise NotFound(f"run {run.id} has no step {name!r}; its steps: {known}")


def _log_path(home: Path | None, run: Run, step: StepRun) -> Path:
    """Inside the home's folder of runs, wherever the stored path claims to lead."""
    if home is not None and step.log:
        runs = (home / "runs").resolve()
        path = (home / step.log).resolve()
        if path.is_relative_to(runs) and path.is_file():
            return path
    raise NotFound(f"run {run.id} has no log of step {step.name!r}")
