"""Requests that wait for a model that sleeps: held while it loads, within bounds, and never told «not ready»."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from lockgate.kernel.errors import LockgateError
from lockgate.serving.gateway.package import Engine
from lockgate.serving.protocol.problems import Answer, problem

MOST_HELD = 256


class Waking:
    """most: requests held at one time, of all models together."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._held = 0

    async def wake(self, engine: Engine, patience: float) -> Answer | None:
        """None once the model can be asked; else the answer that says why it cannot. patience: seconds."""
        if self._held >= self._most:
            return self.crowded()
        self._held += 1
        try:
            if engine.wake is not None:
                await asyncio.wait_for(asyncio.shield(engine.wake()), patience)
        except TimeoutError:
            return problem(HTTPStatus.GATEWAY_TIMEOUT, f"the model was asleep and did not wake up within {patience:g} seconds")
        except LockgateError as error:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, error.message, headers=[("retry-after", "1")])
        finally:
            self._held -= 1
        return None if not engine.asleep else self.crowded()

    def crowded(self) -> Answer:
        return problem(HTTPStatus.TOO_MANY_REQUESTS, "too many requests wait for this model", headers=[("retry-after", "1")])
