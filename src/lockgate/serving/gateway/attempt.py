"""One version tried with one request: what is tried, what comes of it, what is answered. Nothing here touches the world."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from random import getrandbits
from typing import Any

import msgspec

from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid, InvalidInput
from lockgate.runtimes.model import Array, Model, RuntimeFailure
from lockgate.serving.capture.tally import Tally
from lockgate.serving.gateway.assignment import Assignment, Header, assign, segment_of
from lockgate.serving.gateway.plan import ReadyArm, RoutePlan, versions_of
from lockgate.serving.protocol.answers import Parameters
from lockgate.serving.protocol.columns import Batch
from lockgate.serving.protocol.problems import Answer, problem
from lockgate.serving.protocol.requests import InferenceRequest

SIGNATURE, OUTPUT, TIMEOUT = "signature", "output", "timeout"  # kinds of failures beside those that runtimes name


class Attempt(msgspec.Struct, gc=False):
    """batch: None if the arm's signature refuses the request, and then `refusal` says why.

    named: the caller asked for the version by its number: no other may answer. first: the version that was assigned, and not the
    champion in its place. entry: where the ledger keeps it, once admitted. size: bytes of the request's body. ids: of the answer,
    once it is given.
    """

    plan: RoutePlan
    assignment: Assignment
    arm: ReadyArm
    tally: Tally
    request: InferenceRequest
    batch: Batch | None
    refusal: str = ""
    named: bool = False
    first: bool = True
    entry: int = -1
    size: int = 0
    ids: tuple[str, ...] = ()


class Outcome(msgspec.Struct, gc=False):
    """failure: its kind, or None."""

    seconds: float = 0.0
    outputs: Any = ()
    scores: Any = ()
    failure: str | None = None
    reason: str = ""


def prepare(plan: RoutePlan, version: int | None, header: Header, request: InferenceRequest, size: int = 0) -> Attempt | Answer:
    """What is to be tried first; an answer if nothing can be. version: the one asked for by its number, else None.

    What the champion's signature refuses is the caller's fault; what only another arm's refuses is that arm's failure.

    Raises:
        InvalidInput: the caller's fault.
    """
    assignment = assign(plan, header, request) if version is None else _named(plan, version, header, request)
    if assignment is None:
        return _silent(plan) if version is None else _not_loaded(plan, version)
    if assignment.part is not None:
        plan = assignment.part
    arm = assignment.arm
    tally = arm.by_segment.get(assignment.segment, arm.tally) if assignment.judged else arm.aside
    try:
        batch = arm.package.decoder.decode(request)
    except InvalidInput as error:
        if version is not None or arm is plan.champion or plan.champion is None:
            raise
        plan.champion.package.decoder.decode(request)
        return Attempt(plan, assignment, arm, tally, request, None, error.message, size=size)
    return Attempt(plan, assignment, arm, tally, request, batch, "", version is not None, size=size)


def fall_back(attempt: Attempt) -> Attempt | None:
    """The champion in place of what failed; None if it may not, or is what failed."""
    plan, champion = attempt.plan, attempt.plan.champion
    if attempt.named or not attempt.first or not plan.falls_back or champion is None or champion is attempt.arm:
        return None
    try:
        batch = champion.package.decoder.decode(attempt.request)
    except InvalidInput:  # only the version that failed took such a request
        return None
    return Attempt(plan, attempt.assignment, champion, champion.aside, attempt.request, batch, first=False, size=attempt.size)


def compute(attempt: Attempt, model: Model, clock: Clock) -> Outcome:
    """Ask a model that runs here."""
    if attempt.batch is None:
        return refused(attempt)
    begun = attempt.arm.package.engine.asked_at = clock.monotonic()
    try:
        outputs = model.run(attempt.batch.feeds)
    except RuntimeFailure as error:
        return Outcome(failure=error.kind, reason=error.message)
    return judge(attempt, outputs, clock.monotonic() - begun)


def judge(attempt: Attempt, outputs: Sequence[Array], seconds: float) -> Outcome:
    """Whether what a model gave is an answer: one finite score for each row, within the time that it had."""
    assert attempt.batch is not None  # noqa: S101 - what was refused is not run
    if seconds > attempt.plan.timeout:
        return Outcome(failure=TIMEOUT, reason=f"took {seconds:.3g} s, {attempt.plan.timeout:g} s are allowed")
    try:
        scores = attempt.arm.package.scorer.scores(outputs, attempt.batch.rows)
    except Invalid as error:
        return Outcome(failure=OUTPUT, reason=error.message)
    return Outcome(seconds, outputs, scores)


def refused(attempt: Attempt) -> Outcome:
    return Outcome(failure=SIGNATURE, reason=attempt.refusal)


def written(attempt: Attempt, outcome: Outcome, ids: Sequence[str]) -> Answer:
    """The answer to the caller.

    Raises:
        InvalidInput: the form that the caller asked for cannot hold it. Invalid: an output is not of its datatype.
    """
    parameters = Parameters(fallback=not attempt.first)
    if len(ids) == 1:
        parameters.prediction_id = ids[0]
    else:
        parameters.prediction_ids = ids
    arm, request = attempt.arm, attempt.request
    version = str(arm.version)
    headers, body = arm.package.encoder.answer(
        request,
        outcome.outputs,
        outcome.scores,
        model_name=attempt.plan.route.model,
        model_version=version,
        id=request.id or f"{getrandbits(64):016x}",
        parameters=parameters,
    )
    return Answer(HTTPStatus.OK, [*headers, ("x-lockgate-version", version)], body)


def failed(attempt: Attempt, outcome: Outcome) -> Answer:
    status = HTTPStatus.GATEWAY_TIMEOUT if outcome.failure == TIMEOUT else HTTPStatus.INTERNAL_SERVER_ERROR
    return problem(status, f"version {attempt.arm.version} failed ({outcome.failure}): {outcome.reason}")


def _named(plan: RoutePlan, version: int, header: Header, request: InferenceRequest) -> Assignment | None:
    arm = plan.by_version.get(version)
    if arm is None:
        return None
    segment = segment_of(plan.segments, header, request) if plan.segments is not None else ""
    return Assignment(arm, 0, judged=False, segment=segment, chosen=True)


def _silent(plan: RoutePlan) -> Answer:
    message = f"no version of {plan.route.model} is ready to answer"
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, message, headers=[("retry-after", "1")])


def _not_loaded(plan: RoutePlan, version: int) -> Answer:
    model = plan.route.model
    served = versions_of(plan.route)
    if version in served:
        message = f"version {version} of {model} is not ready"
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, message, headers=[("retry-after", "1")])
    known = ", ".join(map(str, served))
    return problem(HTTPStatus.NOT_FOUND, f"version {version} of {model} is not served here; served are {known}")
