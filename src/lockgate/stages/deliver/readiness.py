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
    """The workers that count: for each place its newest incarnation, if it was heard within `patience` seconds and stays.

    What was heard in the future was heard before the clock was set back: it must not stand in the way of what is heard now.
    """
    lately = [one for one in seen if abs(now - one.at) <= patience]
    newest = {one.acknowledgement.worker: one.acknowledgement for one in sorted(lately, key=lambda one: one.at)}
    return [one for one in newest.values() if not one.leaving]


def readiness(workers: Iterable[Acknowledgement], digest: str, since: Revision) -> tuple[Readiness, str]:
    """READY when every live worker is, FAILED with its reason when one is, LOADING otherwise; without workers LOADING.

    since: the first revision that asks for the package. What a worker said by an earlier one is of an earlier rollout: a package
    that it has let go of since, or could not load then.
    """
    states = [(worker.worker, worker.packages.get(digest) if worker.revision >= since else None) for worker in workers]
    for name, state in states:
        if state is not None and state.readiness is Readiness.FAILED:
            return Readiness.FAILED, f"worker {name}: {state.reason}"
    if states and all(state is not None and state.readiness is Readiness.READY for _, state in states):
        return Readiness.READY, ""
    return Readiness.LOADING, "no data plane worker is alive" if not states else ""


def readiness_of_all(workers: Iterable[Acknowledgement], digests: Iterable[str], since: Revision) -> tuple[Readiness, str]:
    """Of several packages: FAILED when one is, READY when all are."""
    known = list(workers)
    states = [readiness(known, digest, since) for digest in digests]
    worst = (Readiness.FAILED, Readiness.LOADING, Readiness.READY)
    return min(states, key=lambda state: worst.index(state[0]))


def enforced_at(workers: Iterable[Acknowledgement], revision: Revision) -> float | None:
    """When the last live worker began to route by `revision` or a later table; None while one has not, or there is none."""
    known = list(workers)
    if not known or any(worker.revision < revision for worker in known):
        return None
    return max(worker.applied_at for worker in known)
