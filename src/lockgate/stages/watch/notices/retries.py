"""When an attempt is made again, and when a delivery is given up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from lockgate.domain.notices import Delivery, DeliveryState

FIRST = 5.0  # seconds
GROWTH = 4.0
LONGEST = 12 * 3600.0
ATTEMPTS = 14  # from 5 s to 12 h: given up after 40 to 80 hours, which is a weekend
REFUSALS = 5  # of a receiver that says that it will not have it: after 4 to 7 minutes
LONGEST_ANSWER = 200  # characters that are kept of what it said
_PATIENT = frozenset({408, 409, 425, 429})  # answers of the 4xx kind that say: later
_GONE = 410
_OK, _REDIRECT, _BROKEN = 200, 300, 500


class Result(StrEnum):
    DELIVERED = "delivered"
    LATER = "later"  # it may go well another time
    REFUSED = "refused"  # it hardly will, unless somebody changes something
    GONE = "gone"  # the receiver wants nothing any more


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one. retry_after: seconds that the receiver asks for; None: it does not say."""

    result: Result
    answer: str
    retry_after: float | None = None


def result_of(status: int) -> Result:
    """What an HTTP status says. A redirect is followed by nobody, so it is a refusal."""
    if _OK <= status < _REDIRECT:
        return Result.DELIVERED
    if status == _GONE:
        return Result.GONE
    return Result.LATER if status >= _BROKEN or status in _PATIENT else Result.REFUSED


def pause(attempts: int, luck: float) -> float:
    """Seconds until the next attempt after so many. luck: in [0, 1), by which those that failed together come back apart.

    At least half of the pause that grows: with less, a receiver that restarts would use up attempts in a second.
    """
    ceiling = min(LONGEST, FIRST * GROWTH ** (attempts - 1))
    return ceiling * (1 + luck) / 2


def after(delivery: Delivery, attempt: Attempt, now: datetime, luck: float) -> Delivery:
    """The delivery after one more attempt: delivered, dead, or due again."""
    tried = replace(delivery, attempts=delivery.attempts + 1, answer=attempt.answer[:LONGEST_ANSWER])
    if attempt.result is Result.DELIVERED:
        return replace(tried, state=DeliveryState.DELIVERED, ended_at=now)
    allowed = {Result.LATER: ATTEMPTS, Result.REFUSED: REFUSALS}.get(attempt.result, 0)
    if tried.attempts >= allowed:
        return replace(tried, state=DeliveryState.DEAD, ended_at=now)
    asked = min(attempt.retry_after or 0.0, LONGEST)
    return replace(tried, next_at=now.timestamp() + max(asked, pause(tried.attempts, luck)))
