"""Can the data plane answer with a package? Only what the workers acknowledge counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lockgate.boundary.acknowledgements import Acknowledgement, Readiness
from lockgate.boundary.routes import Revision


@dataclass(frozen=True, slots=True)
class Seen:
    at: float  # Unix seconds, by the control plane's clock
    acknowledgement: Acknowledgement


def live(seen: Iterable[Seen], now: float, patience: float) -> list[Acknowledgement]:
    """The workers that count: for each place its newest incarnation, if it was heard within `patience` seconds."""
    newest: dict[str, Seen] = {}
    for one in sorted(seen, key=lambda one: one.at):
        newest[one.acknowledgement.worker] = one
    return [one.acknowledgement for one in newest.values() if now - one.at <= patience]


def readiness(workers: Iterable[Acknowledgement], digest: str) -> tuple[Readiness, str]:
    """READY when every live worker is, FAILED with its reason when one is, LOADING otherwise; without workers LOADING."""
    states = [(worker.worker, worker.packages.get(digest)) for worker in workers]
    for name, state in states:
        if state is not None and state.readiness is Readiness.FAILED:
            return Readiness.FAILED, f"worker {name}: {state.reason}"
    if states and all(state is not None and state.readiness is Readiness.READY for _, state in states):
        return Readiness.READY, ""
    return Readiness.LOADING, "no data plane worker is alive" if not states else ""


def enforced_at(workers: Iterable[Acknowledgement], revision: Revision) -> float | None:
    """When the last live worker began to route by `revision` or a later table; None while one has not, or there is none."""
    known = list(workers)
    if not known or any(worker.revision < revision for worker in known):
        return None
    return max(worker.applied_at for worker in known)
