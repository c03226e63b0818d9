"""Takes lessons in: rows with their truth, for a model that learns while it serves. Read as the champion reads them for answers,
kept on disk, then acknowledged; they reach the control plane inside the blocks.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from secrets import token_hex

import msgspec

from lockgate.boundary.observations import Lesson
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import InvalidInput
from lockgate.serving.capture.kept import Kept
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.gateway.accepting import Accepting
from lockgate.serving.gateway.assignment import Header
from lockgate.serving.gateway.plan import ReadyArm, RoutePlan
from lockgate.serving.protocol.lessons import TooLarge, parse
from lockgate.serving.protocol.problems import Answer, answer, problem

LARGEST = 4 << 20  # bytes of one lesson as it is kept: it must fit into a block
_SOON = [("retry-after", "1")]
_encoder = msgspec.msgpack.Encoder()


class LessonDesk:
    """Used by the event loop only."""

    def __init__(self, accepting: Accepting, ledger: Ledger, clock: Clock) -> None:
        self._accepting = accepting
        self._ledger = ledger
        self._clock = clock

    async def take(self, plan: RoutePlan, header: Header, body: bytes) -> Answer:
        """202 once a killed process can no longer lose it."""
        champion = self._champion(plan)
        if isinstance(champion, Answer):
            return champion
        try:
            lesson = await self._accepting.read(partial(self._lesson, plan.route.model, champion, header, body), len(body))
        except TooLarge as error:
            return self._accepting.refused(error, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except InvalidInput as error:
            return self._accepting.refused(error)
        refusal = await self._accepting.keep("lessons", [Kept(lessons=(lesson,))])
        return refusal or answer({"accepted": len(lesson.labels), "id": lesson.id}, HTTPStatus.ACCEPTED)

    def _champion(self, plan: RoutePlan) -> ReadyArm | Answer:
        """The champion of the whole model (segments learn nothing of their own), or why nothing is learned now."""
        route = plan.route
        if route.learns is None:
            detail, hint = f"{route.model} does not learn online", "That takes `strategy: online` in lockgate.yaml."
            return self._conflict(detail, hint)
        if not route.learns:
            detail, hint = f"the learning of {route.model} is stopped", f"`lockgate learning status {route.model}` says why."
            return self._conflict(detail, hint)
        ready = plan.by_version.get(route.champion.version) if route.champion is not None else None
        if ready is None:
            detail = f"the version of {route.model} that is to learn is not ready"
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=_SOON)
        return ready

    def _conflict(self, detail: str, hint: str) -> Answer:
        self._ledger.count("rejected")
        return problem(HTTPStatus.CONFLICT, detail, hint=hint)

    def _lesson(self, model: str, champion: ReadyArm, header: Header, body: bytes) -> Lesson:
        taught = parse(body, header, champion.package.decoder)
        at = self._clock.now().timestamp()
        lesson = Lesson(taught.id or token_hex(16), model, champion.version, taught.inputs, taught.labels, at)
        size = len(_encoder.encode(lesson))
        if size > LARGEST:
            raise TooLarge(f"{size} bytes of values found, at most {LARGEST} expected")
        return lesson
