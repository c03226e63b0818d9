"""The entry of every request: which path, which method, and what it is answered with."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor
from http import HTTPStatus
from urllib.parse import unquote

from granian._granian import RSGIProtocolClosed as ProtocolClosed
from granian._granian import RSGIProtocolError as ProtocolError

from lockgate.serving.capture.figures import FigureFiles, exposition
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.gateway.describe import Describe
from lockgate.serving.gateway.inference import Inference, Solution
from lockgate.serving.gateway.intake import LARGE, Intake, Turned
from lockgate.serving.gateway.labels import LabelDesk
from lockgate.serving.gateway.plan import RoutePlan
from lockgate.serving.gateway.router import Router
from lockgate.serving.gateway.rsgi import HTTPProtocol, Scope
from lockgate.serving.protocol.problems import Answer, problem

_READ = ("GET", "HEAD")
_TEXT = [("content-type", "text/plain; version=0.0.4; charset=utf-8")]
_MODELS = "/v2/models/"

log = logging.getLogger(__name__)


class Gateway:
    """An RSGI application."""

    def __init__(
        self,
        router: Router,
        inference: Inference,
        describe: Describe,
        labels: LabelDesk,
        ledger: Ledger,
        files: FigureFiles,
        intake: Intake,
        large: Executor,
    ) -> None:
        self._router = router
        self._inference = inference
        self._describe = describe
        self._labels = labels
        self._ledger = ledger
        self._files = files
        self._intake = intake
        self._large = large

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        try:
            result = await self._answer(scope, protocol)
        except Turned as turned:
            self._ledger.count("shed" if turned.answer.status == HTTPStatus.TOO_MANY_REQUESTS else "rejected")
            result = turned.answer
        except (ProtocolClosed, ProtocolError):
            return  # the caller went away in the middle of its request
        except Exception:
            # The last resort of a server: a fault in this code costs one answer, never the worker, and the log is told in full.
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
            return problem(
                HTTPStatus.NOT_FOUND, f"there is nothing at {path[:200]}", hint="Answers come from /v2/models/NAME/infer."
            )
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
        body = await self._intake.read(scope, protocol)
        plan = self._router.plan.routes.get(model)  # after the body has come: the table in force now is the one that assigns
        if plan is None:
            self._intake.release(body)
            return self._unknown(model)
        if len(body) < LARGE:
            solution = self._inference.solve(plan, version, scope.headers.get, body)
        else:
            solution = await self._solve_elsewhere(plan, version, scope, body)
        self._inference.commit(solution)
        return solution.answer

    async def _solve_elsewhere(self, plan: RoutePlan, version: int | None, scope: Scope, body: bytes) -> Solution:
        """One at a time, in another thread: small requests go on being answered in between."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._large, self._inference.solve, plan, version, scope.headers.get, body)
        finally:
            self._intake.release(body)

    async def _feedback(self, scope: Scope, protocol: HTTPProtocol, model: str) -> Answer:
        body = await self._intake.read(scope, protocol)
        self._intake.release(body)
        return await self._labels.take(model, body)

    def _unknown(self, model: str) -> Answer:
        self._ledger.count("rejected")
        known = ", ".join(sorted(self._router.plan.routes)) or "none yet"
        return problem(HTTPStatus.NOT_FOUND, f"there is no model {model[:80]!r} here; known are {known}")


def _only(methods: tuple[str, ...], scope: Scope) -> Answer | None:
    if scope.method in methods:
        return None
    allowed = ", ".join(methods)
    return problem(HTTPStatus.METHOD_NOT_ALLOWED, f"{scope.method} found, {allowed} expected", headers=[("allow", allowed)])
