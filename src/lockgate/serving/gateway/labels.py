"""Takes labels in: checked, kept on disk, then acknowledged; they reach the control plane inside the blocks."""

from __future__ import annotations

import logging
from http import HTTPStatus

from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import InvalidInput
from lockgate.serving.capture.flusher import Flusher
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.protocol.labels import parse
from lockgate.serving.protocol.problems import Answer, answer, problem

log = logging.getLogger(__name__)


class LabelDesk:
    def __init__(self, flusher: Flusher, ledger: Ledger, secret: bytes, clock: Clock) -> None:
        self._flusher = flusher
        self._ledger = ledger
        self._secret = secret
        self._clock = clock

    async def take(self, model: str, body: bytes) -> Answer:
        """202 once a killed process can no longer lose them. The model need not be served any more: labels come late."""
        try:
            labels = parse(body, self._secret, model, self._clock.now().timestamp())
        except InvalidInput as error:
            self._ledger.count("rejected")
            return problem(HTTPStatus.BAD_REQUEST, str(error.faults[0]), error.faults, hint=error.hint)
        if self._flusher.full:
            self._ledger.count("shed")
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "there is no room for labels now", headers=[("retry-after", "5")])
        try:
            await self._flusher.keep_labels(labels)
        except OSError as error:
            log.warning("labels not kept", extra={"reason": str(error)})
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"the labels cannot be kept: {error.strerror}")
        return answer({"accepted": len(labels)}, HTTPStatus.ACCEPTED)
