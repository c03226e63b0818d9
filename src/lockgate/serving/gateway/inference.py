"""The hot path: choose the arm, check the request by its signature, run it, answer; if the arm fails, the champion answers.

`solve` computes and touches nothing, so that a large request can be solved in another thread; `commit` counts and records, in the
event loop only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from random import getrandbits
from typing import Any

import msgspec

from lockgate.boundary import predictions
from lockgate.boundary.predictions import Prediction
from lockgate.boundary.records import Record
from lockgate.boundary.routes import Revision
from lockgate.boundary.selector import choose, unit_key
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid, InvalidInput
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.records import RecordLog
from lockgate.serving.gateway.plan import ReadyArm, RoutePlan
from lockgate.serving.protocol.answers import Parameters
from lockgate.serving.protocol.columns import Array, Batch
from lockgate.serving.protocol.problems import Answer, problem
from lockgate.serving.protocol.requests import InferenceRequest, parse
from lockgate.serving.runtimes.model import RuntimeFailure

UNASSIGNED = Revision()  # what ids and records of answers carry that no table assigned

Header = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Assignment:
    """judged: the table assigned this unit to this arm, so what happens is evidence. pinned: the caller named the version."""

    arm: ReadyArm
    key: int
    judged: bool
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """One version tried with one request. failure: its kind, or None."""

    arm: ReadyArm
    batch: Batch | None
    seconds: float = 0.0
    outputs: tuple[Array, ...] = ()
    scores: tuple[float, ...] = ()
    failure: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Solution:
    """An answer, and what is to be counted of how it came about: the trials, the first of them of the arm that was assigned."""

    answer: Answer
    assignment: Assignment | None = None
    trials: tuple[Trial, ...] = ()
    prediction_ids: tuple[str, ...] = ()
    at: float = 0.0
    rejected: bool = False


class Inference:
    def __init__(self, ledger: Ledger, records: RecordLog, secret: bytes, clock: Clock) -> None:
        self._ledger = ledger
        self._records = records
        self._secret = secret
        self._clock = clock
        self._serial = count(getrandbits(32))

    def solve(self, plan: RoutePlan, version: int | None, header: Header, body: bytes) -> Solution:
        """Answer one request. version: the one asked for by its number, else None. header: looks one of the request's up."""
        try:
            request = parse(body)
            if version is not None:
                return self._pinned(plan, version, request)
            assignment = assign(plan, header, request)
            if assignment is None:
                return Solution(_silent(plan.route.model))
            return self._answered(plan, assignment, request)
        except InvalidInput as error:
            return Solution(_invalid(error), rejected=True)

    def commit(self, solution: Solution) -> None:
        ledger = self._ledger
        if solution.rejected:
            ledger.count("rejected")
        if solution.assignment is None:
            return
        key, judged = solution.assignment.key, solution.assignment.judged
        if not judged and not solution.assignment.pinned:
            ledger.count("unassigned")
        for trial in solution.trials:
            tally = trial.arm.tally if judged else trial.arm.aside
            if trial.failure is None:
                ledger.success(tally, key, trial.seconds, solution.at)
            else:
                ledger.failure(tally, key, trial.failure, solution.at)
            self._records.append(_record(solution, trial, judged=judged))
            judged = False  # the arm that was assigned stands first; who answers in its place is no evidence
        if len(solution.trials) > 1:
            ledger.count("fallbacks")

    def _pinned(self, plan: RoutePlan, version: int, request: InferenceRequest) -> Solution:
        arm = plan.by_version.get(version)
        if arm is None:
            return Solution(_not_loaded(plan, version))
        batch = arm.package.decoder.decode(request)
        assignment = Assignment(arm, 0, judged=False, pinned=True)
        return self._solution(assignment, request, (self._run(arm, batch),))

    def _answered(self, plan: RoutePlan, assignment: Assignment, request: InferenceRequest) -> Solution:
        champion = plan.champion
        trial = self._try(assignment.arm, request, is_champion=assignment.arm is champion)
        if trial.failure is None or champion is None or assignment.arm is champion:
            return self._solution(assignment, request, (trial,))
        batch = champion.package.decoder.decode(request)
        return self._solution(assignment, request, (trial, self._run(champion, batch)))

    def _try(self, arm: ReadyArm, request: InferenceRequest, *, is_champion: bool) -> Trial:
        """What the champion's signature refuses is the caller's fault; what only another arm's refuses is that arm's failure."""
        try:
            batch = arm.package.decoder.decode(request)
        except InvalidInput as error:
            if is_champion:
                raise
            return Trial(arm, None, failure="signature", reason=error.message)
        return self._run(arm, batch)

    def _run(self, arm: ReadyArm, batch: Batch) -> Trial:
        begun = self._clock.monotonic()
        try:
            outputs = arm.package.model.run(batch.feeds)
            seconds = self._clock.monotonic() - begun
            scores = arm.package.scorer.scores(outputs, batch.rows)
        except RuntimeFailure as error:
            return Trial(arm, batch, failure="error", reason=error.message)
        except Invalid as error:
            return Trial(arm, batch, failure="output", reason=error.message)
        return Trial(arm, batch, seconds, tuple(outputs), tuple(scores))

    def _solution(self, assignment: Assignment, request: InferenceRequest, trials: tuple[Trial, ...]) -> Solution:
        now = self._clock.now().timestamp()
        last = trials[-1]
        if last.failure is not None:
            return Solution(_failed(last), assignment, trials, at=now)
        judged = assignment.judged and len(trials) == 1
        ids = self._prediction_ids(last, assignment.key, now, judged=judged)
        parameters = Parameters(fallback=len(trials) > 1)
        if len(ids) == 1:
            parameters.prediction_id = ids[0]
        else:
            parameters.prediction_ids = ids
        return Solution(_encoded(last, request, parameters), assignment, trials, ids, now)

    def _prediction_ids(self, trial: Trial, key: int, now: float, *, judged: bool) -> tuple[str, ...]:
        tally = trial.arm.tally
        revision = tally.revision if judged else UNASSIGNED
        version, secret, model, serial = trial.arm.version, self._secret, tally.model, self._serial
        return tuple(
            predictions.mint(secret, model, Prediction(version, revision, key, score, now, next(serial)))
            for score in trial.scores
        )


def assign(plan: RoutePlan, header: Header, request: InferenceRequest) -> Assignment | None:
    """The arm that a request belongs to; None while nothing can answer.

    A request without its unit goes to the champion and is no evidence: nobody is refused for a missing header, nobody meets a
    canary at random, and the two arms go on being filled by the same hash and by nothing else.
    """
    champion = plan.champion
    if champion is None:
        return None
    if plan.header is not None:
        unit = header(plan.header)
    elif plan.field is not None:
        unit = unit_of_rows(request, plan.field)
    else:
        return _assigned(plan, champion, getrandbits(64))
    if not unit:
        return Assignment(champion, 0, judged=plan.judged and not plan.split)
    return _assigned(plan, champion, unit_key(plan.route.salt, unit))


def _assigned(plan: RoutePlan, champion: ReadyArm, key: int) -> Assignment:
    arm = plan.arms[choose(key, plan.weights)] if plan.split else champion
    return Assignment(arm or champion, key, plan.judged)


def unit_of_rows(request: InferenceRequest, field: str) -> str | None:
    """The value that all rows have in a field; None if one has none, or if they differ."""
    if request.instances is not msgspec.UNSET:
        values: list[Any] = [row.get(field) for row in request.instances]
    elif request.inputs is not msgspec.UNSET:
        values = next((tensor.data for tensor in request.inputs if tensor.name == field), [])
    first = values[0] if values else None
    if not isinstance(first, str | int | float) or any(value != first for value in values):
        return None
    return str(first)


def _encoded(trial: Trial, request: InferenceRequest, parameters: Parameters) -> Answer:
    version = str(trial.arm.version)
    body = trial.arm.package.encoder.encode(
        request,
        trial.outputs,
        trial.scores,
        model_name=trial.arm.tally.model,
        model_version=version,
        id=request.id or f"{getrandbits(64):016x}",
        parameters=parameters,
    )
    return Answer(HTTPStatus.OK, [("content-type", "application/json"), ("x-lockgate-version", version)], body)


def _record(solution: Solution, trial: Trial, *, judged: bool) -> Record:
    answered = trial.failure is None
    return Record(
        prediction_ids=solution.prediction_ids if answered else (),
        model=trial.arm.tally.model,
        version=trial.arm.version,
        revision=trial.arm.tally.revision if judged else UNASSIGNED,
        answered_at=solution.at,
        inputs=trial.batch.values if trial.batch else {},
        scores=trial.scores,
        failure=None if answered else f"{trial.failure}: {trial.reason}",
    )


def _invalid(error: InvalidInput) -> Answer:
    first = error.faults[0]
    more = f" (and {len(error.faults) - 1} more)" if len(error.faults) > 1 else ""
    return problem(HTTPStatus.BAD_REQUEST, f"{first}{more}", error.faults, hint=error.hint)


def _silent(model: str) -> Answer:
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"no version of {model} is ready to answer", headers=[("retry-after", "1")])


def _not_loaded(plan: RoutePlan, version: int) -> Answer:
    model = plan.route.model
    if any(arm.version == version for arm in plan.route.arms):
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE, f"version {version} of {model} is not ready", headers=[("retry-after", "1")]
        )
    known = ", ".join(str(arm.version) for arm in plan.route.arms)
    return problem(HTTPStatus.NOT_FOUND, f"version {version} of {model} is not served here; served are {known}")


def _failed(trial: Trial) -> Answer:
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"version {trial.arm.version} failed ({trial.failure}): {trial.reason}")
