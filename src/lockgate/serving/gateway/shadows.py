"""Versions that are asked too and whose answers nobody gets: offered to their process, and paired with what was answered.

A shadow must cost the caller nothing. It always runs in a process of its own, it is offered a request after the caller has its
answer, and an offer is one write that never waits: what finds no room is shed and counted. It may use the time that the event
loop has to spare, and a twentieth more: at saturation shadows are shed first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple, Protocol

from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid
from lockgate.runtimes.model import Array
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.gateway.attempt import SIGNATURE, Attempt, Outcome
from lockgate.serving.gateway.plan import ReadyShadow
from lockgate.serving.isolation import wire
from lockgate.serving.isolation.shadow import CANCELLED

_SCALE = 2.0**64
SPARE = 0.9  # share of a core up to which the loop has time to spare
FLOOR = 0.05  # share of a core that shadows may always use
_LATER = 0.003  # seconds after an answer
_FIRST_GUESS = 5e-5  # seconds for one offer with its pairing, until there are measurements
_SMOOTHING = 0.2
_BURST = 0.25  # seconds' worth of allowance that can be saved up


class Shown(Protocol):
    """What became of one offer. scores: one for each row. failure: its kind, or None."""

    @property
    def request_id(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def scores(self) -> Sequence[float]: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def message(self) -> str: ...


class Keep(Protocol):
    def __call__(self, pair: Pair, at: float, scores: Sequence[float], failure: str | None) -> None: ...


class Pair(NamedTuple):
    """A request that a shadow has in its hands, with the answer that was given."""

    shadow: ReadyShadow
    entry: int
    attempt: Attempt
    scores: Sequence[float]
    prediction_id: str


class Allowance:
    """Seconds of the event loop that shadows may use: what it has to spare, and a little more."""

    def __init__(self) -> None:
        self._left = _BURST * FLOOR
        self._cost = _FIRST_GUESS
        self._taken = 0
        self._used = self._elsewhere = 0.0
        self._crowded = False

    @property
    def spent_up(self) -> bool:
        return self._left < self._cost

    def take(self) -> bool:
        """Whether one more shadow may be asked now."""
        if self.spent_up:
            return False
        self._left -= self._cost
        self._taken += 1
        return True

    def spent(self, seconds: float) -> None:
        """What a part of the work for one shadow took."""
        self._used += seconds

    def computed(self, seconds: float) -> None:
        """What a shadow's own process took: it counts while the machine is busy, for it computes in the primary's place then."""
        if self._crowded:
            self._elsewhere += seconds

    def refill(self, busy: float, seconds: float, *, crowded: bool = False) -> None:
        """busy: the share of a core that the loop took in these seconds, shadows included. crowded: there was always somebody
        waiting, so there is nothing to spare even if the loop had less than a core: others compute on it too.
        """
        self._used += min(self._elsewhere, seconds)  # offers that shared a run each tell of all of it
        self._left -= self._used - self._taken * self._cost  # what it took beyond the guess is owed
        if self._taken:
            self._cost += _SMOOTHING * (self._used / self._taken - self._cost)
        share = FLOOR if crowded else max(FLOOR, SPARE - busy + self._used / max(seconds, 1e-9))
        self._left = min(self._left + share * seconds, _BURST * share)
        self._taken, self._used, self._elsewhere, self._crowded = 0, 0.0, 0.0, crowded


class Shadows:
    """Used by the event loop only. keep: records a shadow's answer."""

    def __init__(self, ledger: Ledger, clock: Clock, keep: Keep) -> None:
        self._ledger = ledger
        self._clock = clock
        self._keep = keep
        self._allowance = Allowance()
        self._numbers = count(1)
        self._pending: dict[str, Pair] = {}
        self._alike: dict[tuple[str, str], bool] = {}  # digests of two packages → whether they take the same inputs

    def answered(self, attempt: Attempt, outcome: Outcome, prediction_id: str) -> None:
        """Ask the route's shadows the same a little later: callers who came at the same time get their answers first."""
        if self._allowance.spent_up:
            self.offer(attempt, outcome, prediction_id)  # in vain, and counted so
        else:
            asyncio.get_running_loop().call_later(_LATER, self.offer, attempt, outcome, prediction_id)

    def offer(self, attempt: Attempt, outcome: Outcome, prediction_id: str) -> None:
        """Ask the route's shadows what was answered."""
        for shadow in attempt.plan.shadows:
            if attempt.assignment.key / _SCALE < shadow.told.share:
                self._offer(shadow, attempt, outcome, prediction_id)

    def took(self, outcomes: Sequence[Shown]) -> None:
        """What became of some offers."""
        begun, at = self._clock.monotonic(), self._clock.unix()
        for shown in outcomes:
            pair = self._pending.pop(shown.request_id)
            self._allowance.computed(shown.seconds)
            if shown.failure == CANCELLED:  # nobody wants the shadow any more: no fault of its
                self._ledger.withdraw(pair.entry)
                self._ledger.count("shadows_shed")
            elif shown.failure is None:
                delta, agreed = compare(pair, shown.scores)
                self._ledger.paired(pair.entry, shown.seconds, at, delta, agreed=agreed)
                self._keep(pair, at, shown.scores, None)
            else:
                self._ledger.fail(pair.entry, shown.failure, at)
                self._keep(pair, at, (), f"{shown.failure}: {shown.message}")
        self._allowance.spent(self._clock.monotonic() - begun)

    def refill(self, busy: float, seconds: float, *, crowded: bool) -> None:
        """See Allowance.refill. Called a few times a second."""
        self._allowance.refill(busy, seconds, crowded=crowded)

    def _offer(self, shadow: ReadyShadow, attempt: Attempt, outcome: Outcome, prediction_id: str) -> None:
        line = shadow.package.engine.shadow
        if line is None or not self._allowance.take():
            self._ledger.count("shadows_shed")
            return
        begun = self._clock.monotonic()
        tally = shadow.by_segment.get(attempt.assignment.segment, shadow.tally)
        entry = self._ledger.admit(tally, attempt.assignment.key)
        try:
            packed = wire.pack(self._feeds(shadow, attempt))
        except Invalid as error:
            self._refused(Pair(shadow, entry, attempt, outcome.scores, prediction_id), error.message)
            return
        request_id = str(next(self._numbers))
        self._pending[request_id] = Pair(shadow, entry, attempt, outcome.scores, prediction_id)
        if not line.offer(request_id, len(outcome.scores), packed):
            del self._pending[request_id]
            self._ledger.withdraw(entry)
            self._ledger.count("shadows_shed")
        self._allowance.spent(self._clock.monotonic() - begun)

    def _refused(self, pair: Pair, reason: str) -> None:
        """Its signature refuses what the version that answered accepted."""
        at = self._clock.unix()
        self._ledger.fail(pair.entry, SIGNATURE, at)
        self._keep(pair, at, (), f"{SIGNATURE}: {reason}")

    def _feeds(self, shadow: ReadyShadow, attempt: Attempt) -> Mapping[str, Array]:
        """What the shadow is given: the same arrays, if it takes the same inputs."""
        ours, theirs = attempt.arm.package, shadow.package
        pair = ours.digest, theirs.digest
        if pair not in self._alike:
            self._alike[pair] = ours.manifest.signature.inputs == theirs.manifest.signature.inputs
        if self._alike[pair] and attempt.batch is not None:
            return attempt.batch.feeds
        return theirs.decoder.decode(attempt.request).feeds


def compare(pair: Pair, scores: Sequence[float]) -> tuple[float, bool]:
    """(largest difference, whether all rows agree): on the same side of the threshold, or without one close to each other."""
    told = pair.shadow.told
    delta = max(abs(ours - theirs) for ours, theirs in zip(pair.scores, scores, strict=True))
    if told.threshold is None:
        return delta, delta <= told.tolerance
    limit = told.threshold
    return delta, all((ours >= limit) == (theirs >= limit) for ours, theirs in zip(pair.scores, scores, strict=True))
