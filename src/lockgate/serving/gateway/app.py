"""The entry of every request: which path, which method, and what it is answered with."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor
from http import HTTPStatus
from urllib.parse import unquote

from granian.rsgi import ProtocolClosed, ProtocolError

from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import InvalidInput
from lockgate.serving.capture.figures import FigureFiles, exposition
from lockgate.serving.capture.flusher import Flusher
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.gateway.describe import Describe
from lockgate.serving.gateway.inference import Inference, Solution
from lockgate.serving.gateway.intake import LARGE, Intake, Turned
from lockgate.serving.gateway.plan import RoutePlan
from lockgate.serving.gateway.router import Router
from lockgate.serving.gateway.rsgi import HTTPProtocol, Scope
from lockgate.serving.protocol import labels
from lockgate.serving.protocol.problems import Answer, answer, problem

_READ = ("GET", "HEAD")
_TEXT = [("content-type", "text/plain; version=0.0.4; charset=utf-8")]
_INFER = "/infer"
_MODELS = "/v2/models/"

log = logging.getLogger(__name__)


class Gateway:
    """An RSGI application."""

    def __init__(
        self,
        router: Router,
        inference: Inference,
        describe: Describe,
        flusher: Flusher,
        ledger: Ledger,
        files: FigureFiles,
        intake: Intake,
        large: Executor,
        secret: bytes,
        clock: Clock,
    ) -> None:
        self._router = router
        self._inference = inference
        self._describe = describe
        self._flusher = flusher
        self._ledger = ledger
        self._files = files
        self._intake = intake
        self._large = large
        self._secret = secret
        self._clock = clock

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        try:
            result = await self._answer(scope, protocol)
        except Turned as turned:
            self._ledger.count("shed" if turned.answer.status == HTTPStatus.TOO_MANY_REQUESTS else "rejected")
            result = turned.answer
        except (ProtocolClosed, ProtocolError):
            return  # the caller went away in the middle of its request
        except Exception:
            # The last resort of a server: a fault in this code costs one answer, never the worker, and is told in full to the log.
            log.exception("request failed", extra={"path": scope.path})
            result = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the gateway failed on this request; its log says why")
        headers = [*result.headers, ("connection", "close")] if self._describe.draining else result.headers
        protocol.response_bytes(result.status, headers, result.body)

    async def _answer(self, scope: Scope, protocol: HTTPProtocol) -> Answer:
        path = scope.path
        if path.startswith(_MODELS):
            model, _, rest = path[len(_MODELS) :].partition("/")
            return await self._model(scope, protocol, unquote(model) if "%" in model else model, rest)
        return self._server(scope, path)

    def _server(self, scope: Scope, path: str) -> Answer:
        handlers = {
            "/v2": self._describe.server,
            "/v2/health/live": self._describe.live,
            "/v2/health/ready": self._describe.health,
            "/v2/repository/index": self._describe.index,
            "/metrics": self._metrics,
        }
        handler = handlers.get(path.rstrip("/"))
        if handler is None:
            return problem(HTTPStatus.NOT_FOUND, f"there is nothing at {path[:200]}", hint="Inference is at /v2/models/NAME/infer.")
        allowed = ("POST", *_READ) if path.startswith("/v2/repository") else _READ
        return _only(allowed, scope) or handler()

    def _metrics(self) -> Answer:
        return Answer(HTTPStatus.OK, _TEXT, exposition(self._files.together(self._ledger.figures)).encode())

    async def _model(self, scope: Scope, protocol: HTTPProtocol, model: str, rest: str) -> Answer:
        version, verb = None, rest
        if rest.startswith("versions/"):
            number, _, verb = rest.removeprefix("versions/").partition("/")
            if not number.isdigit():
                return problem(HTTPStatus.NOT_FOUND, f"version {number[:40]!r} found, a number expected")
            version = int(number)
        if verb == "infer":
            return _only(("POST",), scope) or await self._infer(scope, protocol, model, version)
        if verb == "feedback" and version is None:
            return _only(("POST",), scope) or await self._feedback(scope, protocol, model)
        return _only(_READ, scope) or self._about(model, version, verb)

    def _about(self, model: str, version: int | None, verb: str) -> Answer:
        plan = self._router.plan.routes.get(model)
        if plan is None:
            return self._unknown(model)
        if version is not None and all(arm.version != version for arm in plan.route.arms):
            return problem(HTTPStatus.NOT_FOUND, f"version {version} of {model} is not served here")
        if verb == "":
            return self._describe.model(plan, version)
        if verb == "ready":
            return self._describe.model_ready(plan, version)
        if verb == "versions" and version is None:
            return self._describe.versions(plan)
        return problem(HTTPStatus.NOT_FOUND, f"a model has no {verb[:80]!r}")

    async def _infer(self, scope: Scope, protocol: HTTPProtocol, model: str, version: int | None) -> Answer:
        announced = self._intake.announced(scope)
        if announced >= LARGE:
            with self._intake.held(announced):
                return await self._infer_large(scope, protocol, model, version, announced)
        body = await self._intake.read(scope, protocol, announced)
        plan = self._router.plan.routes.get(model)  # after the body has come: the table in force now is the one that assigns
        if plan is None:
            return self._unknown(model)
        solution = self._inference.solve(plan, version, scope.headers.get, body)
        self._inference.commit(solution)
        return solution.answer

    async def _infer_large(
        self, scope: Scope, protocol: HTTPProtocol, model: str, version: int | None, announced: int
    ) -> Answer:
        """One at a time, in another thread: small requests go on being answered in between."""
        body = await self._intake.read(scope, protocol, announced)
        plan = self._router.plan.routes.get(model)
        if plan is None:
            return self._unknown(model)
        solution = await self._solve_elsewhere(plan, version, scope, body)
        self._inference.commit(solution)
        return solution.answer

    def _solve_elsewhere(self, plan: RoutePlan, version: int | None, scope: Scope, body: bytes) -> asyncio.Future[Solution]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._large, self._inference.solve, plan, version, scope.headers.get, body)

    async def _feedback(self, scope: Scope, protocol: HTTPProtocol, model: str) -> Answer:
        announced = self._intake.announced(scope)
        body = await self._intake.read(scope, protocol, announced)
        try:
            found = labels.parse(body, self._secret, model, self._clock.now().timestamp())
        except InvalidInput as error:
            self._ledger.count("rejected")
            return problem(HTTPStatus.BAD_REQUEST, str(error.faults[0]), error.faults, hint=error.hint)
        if self._flusher.full:
            self._ledger.count("shed")
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "there is no room for labels now", headers=[("retry-after", "5")])
        try:
            await self._flusher.keep_labels(found)
        except OSError as error:
            log.error("labels not kept", extra={"reason": str(error)})
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"the labels cannot be kept: {error.strerror}")
        return answer({"accepted": len(found)}, HTTPStatus.ACCEPTED)

    def _unknown(self, model: str) -> Answer:
        self._ledger.count("rejected")
        known = ", ".join(sorted(self._router.plan.routes)) or "none yet"
        return problem(HTTPStatus.NOT_FOUND, f"there is no model {model[:80]!r} here; known are {known}")


def _only(methods: tuple[str, ...], scope: Scope) -> Answer | None:
    if scope.method in methods:
        return None
    allowed = ", ".join(methods)
    return problem(
        HTTPStatus.METHOD_NOT_ALLOWED, f"{scope.method} found, {allowed} expected", headers=[("allow", allowed)]
    )
