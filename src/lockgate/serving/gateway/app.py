"""The entry of every request: which path, which method, and what it is answered with."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote

from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import InvalidInput
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.traces import Traces
from lockgate.serving.gateway.access import Access
from lockgate.serving.gateway.assignment import Header
from lockgate.serving.gateway.describe import Describe
from lockgate.serving.gateway.inference import Answering, Inference, Parse
from lockgate.serving.gateway.intake import LARGE, Intake, Turned
from lockgate.serving.gateway.labels import LabelDesk
from lockgate.serving.gateway.lessons import LessonDesk
from lockgate.serving.gateway.plan import RoutePlan, versions_of
from lockgate.serving.gateway.repository import Repository
from lockgate.serving.gateway.router import Router
from lockgate.serving.gateway.rsgi import HTTPProtocol, Scope
from lockgate.serving.protocol import scoring
from lockgate.serving.protocol.parsing import parse, parse_scoring
from lockgate.serving.protocol.problems import Answer, problem, refusal

_READ = ("GET", "HEAD")
_MODELS = "/v2/models/"
_REPOSITORY = "/v2/repository/"
_SCORING = "/invocations"


class Parts(NamedTuple):
    """What answers. access: who may ask. traces: None unless somebody collects them."""

    router: Router
    inference: Inference
    describe: Describe
    repository: Repository
    labels: LabelDesk
    lessons: LessonDesk
    ledger: Ledger
    intake: Intake
    access: Access
    traces: Traces | None
    clock: Clock


class Gateway:
    """Answers requests. A small body has arrived before it is asked; everything else is read here."""

    def __init__(self, parts: Parts) -> None:
        self._router = parts.router
        self._inference = parts.inference
        self._describe = parts.describe
        self._repository = parts.repository
        self._labels = parts.labels
        self._lessons = parts.lessons
        self._ledger = parts.ledger
        self._intake = parts.intake
        self._access = parts.access
        self._traces = parts.traces
        self._clock = parts.clock

    def answer(self, scope: Scope, body: bytes) -> Answering:
        """What a small request is answered with, or what will be."""
        if self._access.closed and (denied := self._access.refusal(scope)) is not None:
            return denied
        if self._traces is not None and self._traces.wants(scope.headers.get("traceparent")):
            return self._traced(self._traces, scope, body)
        plan = self._router.plan.paths.get(scope.path)
        if plan is not None and scope.method == "POST":
            return self._inference.answer(plan, None, scope.headers.get, body)
        return self._dispatch(scope, body)

    async def read_and_answer(self, scope: Scope, protocol: HTTPProtocol) -> Answer:
        """The same for a request whose body is large, of unknown size, or not there. A refusal comes before the body is read."""
        if self._access.closed and (denied := self._access.refusal(scope)) is not None:
            return denied
        body = b""
        if scope.method not in _READ:
            try:
                body = await self._intake.read(scope, protocol)
            except Turned as turned:
                self._ledger.count("shed" if turned.answer.status == HTTPStatus.TOO_MANY_REQUESTS else "rejected")
                return turned.answer
        try:
            answering = self._dispatch(scope, body)
            return answering if isinstance(answering, Answer) else await answering
        finally:
            self._intake.release(body)

    async def _traced(self, traces: Traces, scope: Scope, body: bytes) -> Answer:
        began = self._clock.unix()
        answering = self._dispatch(scope, body)
        answer = answering if isinstance(answering, Answer) else await answering
        facts = {f"lockgate.{name[len('x-lockgate-') :]}": value for name, value in answer.headers if name[:11] == "x-lockgate-"}
        ended = self._clock.unix()
        parent = scope.headers.get("traceparent")
        traces.span(f"{scope.method} {scope.path}", parent, began, ended, answer.status, **facts)
        return answer

    def _dispatch(self, scope: Scope, body: bytes) -> Answering:
        path = scope.path
        if path.startswith(_MODELS):
            model, _, rest = path[len(_MODELS) :].partition("/")
            return self._model(scope, body, unquote(model) if "%" in model else model, rest)
        if path.startswith(_REPOSITORY):
            return self._repository.answer(scope.method, path[len(_REPOSITORY) :], body)
        if path == _SCORING:
            return _only(("POST",), scope) or self._score(scope, body)
        return self._server(scope, path)

    def _server(self, scope: Scope, path: str) -> Answer:
        handlers: dict[str, Callable[[], Answer]] = {
            "/v2": self._describe.server,
            "/v2/health/live": self._describe.live,
            "/v2/health/ready": self._describe.health,
            "/metrics": self._describe.metrics,
            "/openapi.json": self._describe.openapi,
            "/ping": self._describe.ping,
            "/health": self._describe.ping,
            "/version": self._describe.scoring_version,
        }
        handler = handlers.get(path.rstrip("/"))
        if handler is None:
            return problem(
                HTTPStatus.NOT_FOUND, f"there is nothing at {path[:200]}", hint="Answers come from /v2/models/NAME/infer."
            )
        return _only(_READ, scope) or handler()

    def _model(self, scope: Scope, body: bytes, model: str, rest: str) -> Answering:
        version, verb = None, rest
        if rest.startswith("versions/"):
            number, _, verb = rest.removeprefix("versions/").partition("/")
            if not (number.isascii() and number.isdigit()):
                return problem(HTTPStatus.NOT_FOUND, f"version {number[:40]!r} found, a number expected")
            version = int(number[:20])
        if verb == "infer":
            return _only(("POST",), scope) or self._infer(scope, body, model, version, parse)
        if verb == "feedback" and version is None:
            return _only(("POST",), scope) or self._labels.take(model, body)
        if verb == "learn" and version is None:
            return _only(("POST",), scope) or self._learn(scope, body, model)
        if verb == "route" and version is None:
            return _only(("POST",), scope) or self._try_route(scope, body, model)
        return _only(_READ, scope) or self._about(model, version, verb)

    def _about(self, model: str, version: int | None, verb: str) -> Answer:
        plan = self._router.plan.routes.get(model)
        if plan is None:
            return self._unknown(model)
        if version is not None and version not in versions_of(plan.route):
            return problem(HTTPStatus.NOT_FOUND, f"version {version} of {model} is not served here")
        if verb == "":
            return self._describe.model(plan, version)
        if verb == "ready":
            return self._describe.model_ready(plan, version)
        if verb == "stats":
            return self._describe.statistics(plan, version)
        if verb == "versions" and version is None:
            return self._describe.versions(plan)
        return problem(HTTPStatus.NOT_FOUND, f"a model has no {verb[:80]!r}")

    def _score(self, scope: Scope, body: bytes) -> Answering:
        """MLflow's scoring protocol, which names no model: ours is named beside it, if there are several."""
        try:
            model = scoring.model_asked_for(scope.query_string, scope.headers.get, self._router.plan.routes)
        except InvalidInput as error:
            self._ledger.count("rejected")
            return refusal(error)
        return self._infer(scope, body, model, None, parse_scoring)

    def _infer(self, scope: Scope, body: bytes, model: str, version: int | None, read: Parse) -> Answering:
        plan = self._router.plan.routes.get(model)  # after the body has come: the table in force now is the one that assigns
        if plan is None:
            return self._unknown(model)
        if len(body) < LARGE:
            return self._inference.answer(plan, version, scope.headers.get, body, read)
        return self._inference.answer_large(plan, version, scope.headers.get, body, read)

    def _learn(self, scope: Scope, body: bytes, model: str) -> Answering:
        plan = self._router.plan.routes.get(model)
        return self._lessons.take(plan, scope.headers.get, body) if plan is not None else self._unknown(model)

    def _try_route(self, scope: Scope, body: bytes, model: str) -> Answer:
        """Which version would answer this request, and why; nothing is run, counted or recorded."""
        plan = self._router.plan.routes.get(model)
        if plan is None:
            return self._unknown(model)
        try:
            return _routed(self._describe, plan, scope.headers.get, body)
        except InvalidInput as error:
            return refusal(error)

    def _unknown(self, model: str) -> Answer:
        self._ledger.count("rejected")
        known = ", ".join(sorted(self._router.plan.routes)) or "none yet"
        return problem(HTTPStatus.NOT_FOUND, f"there is no model {model[:80]!r} here; known are {known}")


def model_of(path: str) -> str:
    """The model that a path asks for; nothing if it asks for none."""
    return unquote(path[len(_MODELS) :].partition("/")[0]) if path.startswith(_MODELS) else ""


def _routed(describe: Describe, plan: RoutePlan, header: Header, body: bytes) -> Answer:
    return describe.route(plan, header, parse(body, header))


def _only(methods: tuple[str, ...], scope: Scope) -> Answer | None:
    if scope.method in methods:
        return None
    allowed = ", ".join(methods)
    return problem(HTTPStatus.METHOD_NOT_ALLOWED, f"{scope.method} found, {allowed} expected", headers=[("allow", allowed)])
