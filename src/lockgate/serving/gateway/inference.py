"""The hot path: choose the arm, check the request by its signature, run it, answer; if the arm fails, the champion answers.

What runs here is answered in one go, without a task or an await. What runs elsewhere (a process of its own, the thread for large
requests) and what sleeps is awaited. Either way the same steps follow each other: prepare, admit, run, conclude.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from itertools import count
from random import getrandbits
from typing import Any, NamedTuple

from lockgate.boundary.predictions import Mint, Prediction
from lockgate.boundary.routes import Revision
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid, InvalidInput
from lockgate.runtimes.model import RuntimeFailure
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.records import RecordLog
from lockgate.serving.gateway.assignment import Header
from lockgate.serving.gateway.attempt import (
    OUTPUT,
    Attempt,
    Outcome,
    compute,
    failed,
    fall_back,
    judge,
    prepare,
    refused,
    written,
)
from lockgate.serving.gateway.plan import RoutePlan
from lockgate.serving.gateway.shadows import Pair, Shadows
from lockgate.serving.gateway.waking import Waking
from lockgate.serving.isolation.remote import Overloaded
from lockgate.serving.protocol.parsing import parse
from lockgate.serving.protocol.problems import Answer, refusal
from lockgate.serving.protocol.requests import InferenceRequest

UNASSIGNED = Revision()  # what ids and records of answers carry that no table assigned

Answering = Answer | Coroutine[Any, Any, Answer]
Parse = Callable[[bytes, Header], InferenceRequest]


class Sealed(NamedTuple):
    ids: tuple[str, ...]
    answer: Answer


class Inference:
    """Used by the event loop only. large: a thread for requests that would hold others up."""

    def __init__(
        self,
        ledger: Ledger,
        records: RecordLog,
        secret: bytes,
        clock: Clock,
        large: Executor,
        waking: Waking,
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._secret = secret
        self._clock = clock
        self._large = large
        self._waking = waking
        self.shadows = Shadows(ledger, clock, self.keep_shadow)
        self._serial = count(getrandbits(32))
        self._mints: dict[str, Mint] = {}

    def answer(self, plan: RoutePlan, version: int | None, header: Header, body: bytes, parse: Parse = parse) -> Answering:
        """The answer to one request, or what will be its answer. version: the one asked for by its number, else None.

        parse: reads the form in which requests come at this address.
        """
        try:
            step = prepare(plan, version, header, parse(body, header), len(body))
        except InvalidInput as error:
            return self._rejected(error)
        return self._go_on(step)

    async def answer_large(
        self, plan: RoutePlan, version: int | None, header: Header, body: bytes, parse: Parse = parse
    ) -> Answer:
        """The same with everything that takes long in another thread: small requests go on being answered in between."""
        elsewhere = partial(asyncio.get_running_loop().run_in_executor, self._large)
        try:
            step = await elsewhere(lambda: prepare(plan, version, header, parse(body, header), len(body)))
        except InvalidInput as error:
            return self._rejected(error)
        while isinstance(step, Attempt):
            attempt = step
            refusal = await self._ready(attempt)
            if refusal is not None:
                return refusal
            self._admit(attempt)
            with self._minded(attempt):
                model = attempt.arm.package.engine.inline
                outcome = await (self._ask(attempt) if model is None else elsewhere(compute, attempt, model, self._clock))
                if isinstance(outcome, Answer):
                    return outcome
                at = self._clock.unix()
                sealed = await elsewhere(self._seal, attempt, outcome, at)
            step = self._close(attempt, outcome, sealed, at)
        return step

    def _go_on(self, step: Attempt | Answer) -> Answering:
        while isinstance(step, Attempt):
            model = step.arm.package.engine.inline
            if model is None:
                return self._await(step)
            self._admit(step)
            step = self._conclude(step, compute(step, model, self._clock))
        return step

    async def _await(self, step: Attempt | Answer) -> Answer:
        while isinstance(step, Attempt):
            refusal = await self._ready(step)
            if refusal is not None:
                return refusal
            self._admit(step)
            with self._minded(step):
                model = step.arm.package.engine.inline
                outcome = await self._ask(step) if model is None else compute(step, model, self._clock)
            step = outcome if isinstance(outcome, Answer) else self._conclude(step, outcome)
        return step

    @contextmanager
    def _minded(self, attempt: Attempt) -> Iterator[None]:
        """What ends in the middle, because this process ends or by a fault of ours, is not the version's failure."""
        try:
            yield
        except BaseException:
            self._ledger.withdraw(attempt.entry)
            raise

    async def _ready(self, attempt: Attempt) -> Answer | None:
        """None once the model can be asked; else why it cannot."""
        engine = attempt.arm.package.engine
        refusal = await self._waking.wake(engine, attempt.plan.timeout) if engine.asleep else None
        if refusal is None and engine.remote is not None and engine.remote.full:
            refusal = self._waking.crowded()
        if refusal is not None:
            self.turned_away(attempt.tally.model, "too many requests wait for this model")
        return refusal

    def turned_away(self, model: str, reason: str, number: int = 1) -> None:
        """Count and record requests that were refused for lack of room."""
        self._ledger.count("shed", number)
        self._records.turn_away(model, self._clock.unix(), reason, number)

    async def _ask(self, attempt: Attempt) -> Outcome | Answer:
        """Ask a model that runs in another process; an answer if that takes no more."""
        remote = attempt.arm.package.engine.remote
        if attempt.batch is None or remote is None:
            return refused(attempt)
        begun = attempt.arm.package.engine.asked_at = self._clock.monotonic()
        try:
            outputs = await remote.run(attempt.batch.feeds, attempt.plan.timeout)
        except Overloaded as error:  # its queue is full: that was not to be seen from here
            self._ledger.withdraw(attempt.entry)
            self.turned_away(attempt.tally.model, error.message)
            return self._waking.crowded()
        except RuntimeFailure as error:
            return Outcome(failure=error.kind, reason=error.message)
        return judge(attempt, outputs, self._clock.monotonic() - begun)

    def _admit(self, attempt: Attempt) -> None:
        attempt.entry = self._ledger.admit(attempt.tally, attempt.assignment.key)

    def _conclude(self, attempt: Attempt, outcome: Outcome) -> Attempt | Answer:
        at = self._clock.unix()
        return self._close(attempt, outcome, self._seal(attempt, outcome, at), at)

    def _seal(self, attempt: Attempt, outcome: Outcome, at: float) -> Sealed | InvalidInput | None:
        """The answer and its prediction ids; None if there is none, and then `outcome` says why."""
        if outcome.failure is not None:
            return None
        ids = self._prediction_ids(attempt, outcome, at)
        try:
            return Sealed(ids, written(attempt, outcome, ids))
        except InvalidInput as error:
            return error
        except Invalid as error:
            outcome.failure, outcome.reason = OUTPUT, error.message
            return None

    def _close(self, attempt: Attempt, outcome: Outcome, sealed: Sealed | InvalidInput | None, at: float) -> Attempt | Answer:
        """Count and record what became of it; what is tried next, or the answer."""
        if sealed is None:
            return self._next(attempt, outcome, at)
        if isinstance(sealed, InvalidInput):
            self._ledger.withdraw(attempt.entry)
            return self._rejected(sealed)
        self._commit(attempt, outcome, sealed.ids, at)
        return sealed.answer

    def _commit(self, attempt: Attempt, outcome: Outcome, ids: tuple[str, ...], at: float) -> None:
        """Count and record an answer."""
        tally = attempt.tally
        score = tally.place(outcome.scores[0]) if tally.scored else 0
        self._ledger.succeed(attempt.entry, outcome.seconds, at, score)
        self._keep(attempt, outcome, ids, at)
        assignment = attempt.assignment
        if attempt.first and not assignment.judged and not assignment.chosen:
            self._ledger.count("unassigned")
        if attempt.plan.shadows and attempt.arm is attempt.plan.champion and not attempt.named:
            attempt.ids = ids
            self.shadows.answered(attempt, outcome, ids[0])

    def _next(self, attempt: Attempt, outcome: Outcome, at: float) -> Attempt | Answer:
        """Count and record a failure; what is tried next, or the answer if nothing is."""
        assert outcome.failure is not None  # noqa: S101 - see the callers
        self._ledger.fail(attempt.entry, outcome.failure, at)
        self._keep(attempt, outcome, (), at)
        following = fall_back(attempt)
        if following is None:
            return failed(attempt, outcome)
        self._ledger.count("fallbacks")
        return following

    def _keep(self, attempt: Attempt, outcome: Outcome, ids: tuple[str, ...], at: float) -> None:
        revision = attempt.tally.revision if _judged(attempt) else UNASSIGNED
        self._records.keep(attempt.tally, revision, ids, at, attempt.batch, outcome.scores, _failure(outcome), size=attempt.size)

    def keep_shadow(self, pair: Pair, at: float, scores: Sequence[float], failure: str | None) -> None:
        """Record what a shadow said, beside the answer that was given."""
        tally, batch = pair.shadow.tally, pair.attempt.batch
        self._records.keep(tally, tally.revision, pair.attempt.ids, at, batch, scores, failure, pair=pair.prediction_id)

    def _prediction_ids(self, attempt: Attempt, outcome: Outcome, at: float) -> tuple[str, ...]:
        tally, serial = attempt.tally, self._serial
        revision = tally.revision if _judged(attempt) else UNASSIGNED
        mint = self._mints.get(tally.model)
        if mint is None:
            mint = self._mints[tally.model] = Mint(self._secret, tally.model)
        version, key, segment = attempt.arm.version, attempt.assignment.key, _segment(attempt)
        return tuple(mint(Prediction(version, revision, key, score, at, next(serial), segment)) for score in outcome.scores)

    def _rejected(self, error: InvalidInput) -> Answer:
        self._ledger.count("rejected")
        return refusal(error)


def _judged(attempt: Attempt) -> bool:
    return attempt.first and attempt.assignment.judged


def _failure(outcome: Outcome) -> str | None:
    return None if outcome.failure is None else f"{outcome.failure}: {outcome.reason}"


def _segment(attempt: Attempt) -> int:
    """Its place among those that the route declares, from 1; 0 for none."""
    declared, value = attempt.plan.route.segments, attempt.assignment.segment
    return declared.values.index(value) + 1 if declared is not None and value else 0
