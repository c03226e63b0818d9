"""Takes labels in: checked, kept on disk, then acknowledged; they reach the control plane inside the blocks."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import InvalidInput
from lockgate.serving.capture.kept import MOST_PIECES, Kept
from lockgate.serving.gateway.accepting import Accepting
from lockgate.serving.protocol.labels import parse
from lockgate.serving.protocol.problems import Answer, answer


class LabelDesk:
    def __init__(self, accepting: Accepting, secret: bytes, clock: Clock) -> None:
        self._accepting = accepting
        self._secret = secret
        self._clock = clock

    async def take(self, model: str, body: bytes) -> Answer:
        """202 once a killed process can no longer lose them. The model need not be served any more: labels come late."""
        now = self._clock.now().timestamp()
        try:
            parts = await self._accepting.read(partial(self._parts, model, body, now), len(body))
        except InvalidInput as error:
            return self._accepting.refused(error)
        number = sum(len(part.feedback) for part in parts)
        refusal = await self._accepting.keep("labels", parts)
        return refusal or answer({"accepted": number}, HTTPStatus.ACCEPTED)

    def _parts(self, model: str, body: bytes, now: float) -> list[Kept]:
        labels = parse(body, self._secret, model, now)
        return [Kept(tuple(labels[at : at + MOST_PIECES])) for at in range(0, len(labels), MOST_PIECES)]
