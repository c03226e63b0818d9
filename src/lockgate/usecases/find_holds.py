"""Which versions are held back at present, and which one a rollout left behind?"""

from __future__ import annotations

from lockgate.domain.holds import Hold, HoldState
from lockgate.kernel.errors import NotFound
from lockgate.ports.state import HOLDS, Reader
from lockgate.usecases.find_things import rollout_by


def holds_under_way(tx: Reader) -> list[Hold]:
    """In the order in which they began; a model has at most one."""
    return tx.find(HOLDS, state=HoldState.HELD.value)


def hold_on(tx: Reader, model: str) -> Hold | None:
    """The model's hold-back that is under way."""
    found = tx.find(HOLDS, model=model, state=HoldState.HELD.value)
    return found[0] if found else None


def hold_after(tx: Reader, rollout: str) -> Hold | None:
    """What a rollout's promotion left behind, whether it is over or not."""
    found = tx.find(HOLDS, rollout=rollout)
    return found[0] if found else None


def hold_by(tx: Reader, rollout: str) -> Hold:
    """As `hold_after`, or say clearly that there is none.

    Raises:
        NotFound: no such rollout, or it left nothing behind.
    """
    found = hold_after(tx, rollout_by(tx, rollout).id)
    if found is None:
        hint = "`hold_back: 5%` in lockgate.yaml makes the next one do so."
        raise NotFound(f"after {rollout} no version is held back", hint=hint)
    return found
