"""Which rollouts are under way, and which was promoted last? The machine says which phases are final; all others are not over."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.rollouts import Phase, Rollout
from lockgate.ports.state import ROLLOUTS, Reader
from lockgate.stages.deliver.rollout import UNDER_WAY

_PAGE = 20  # rollouts


def rollouts_under_way(tx: Reader, model: str | None = None) -> list[Rollout]:
    """Of one model, or of all; by phase, in the order in which they started."""
    asked: dict[str, Any] = {} if model is None else {"model": model}
    return [rollout for phase in UNDER_WAY for rollout in tx.find(ROLLOUTS, phase=phase.value, **asked)]


def rollouts_of(tx: Reader, model: str, version: int) -> list[Rollout]:
    """Those under way that are about this version, or have it among their contestants."""
    found = rollouts_under_way(tx, model)
    return [one for one in found if version == one.version or any(version == arm.version for arm in one.contestants)]


def last_into_each(tx: Reader, model: str, segments: Collection[str]) -> dict[str, Rollout]:
    """By segment of Production, the last rollout that was promoted there, if one was; "": into all that has no own champion."""
    found: dict[str, Rollout] = {}
    ended = promoted(tx, model)
    while len(found) < len(segments) and (rollout := next(ended, None)):
        if rollout.environment == PRODUCTION and rollout.segment in segments:
            found.setdefault(rollout.segment, rollout)
    return found


def promoted(tx: Reader, model: str) -> Iterator[Rollout]:
    """Newest first. There may be any number of them into one environment since the last one into another."""
    offset = 0
    while page := tx.find(ROLLOUTS, model=model, phase=Phase.PROMOTED.value, newest_first=True, limit=_PAGE, offset=offset):
        yield from page
        offset += _PAGE
