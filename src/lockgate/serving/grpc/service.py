"""What a call is answered with. Inference goes to the core by the message; all else by the HTTP request that it means."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from google.protobuf.message import DecodeError

from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.serving.gateway.app import Gateway, Parts
from lockgate.serving.gateway.inference import Answering
from lockgate.serving.gateway.intake import LARGE
from lockgate.serving.grpc.bounds import check_fields, has_long_name
from lockgate.serving.grpc.call import Call, model_path
from lockgate.serving.grpc.meanings import INFER, MEANINGS, METHODS, answer_of
from lockgate.serving.grpc.plans import Plans
from lockgate.serving.grpc.requests import request_of
from lockgate.serving.grpc.schema import Method
from lockgate.serving.protocol.problems import Answer, problem, refusal
from lockgate.serving.protocol.requests import refused


class Service:
    """Used by the event loop only."""

    def __init__(self, parts: Parts, gateway: Gateway) -> None:
        self._parts = parts
        self._gateway = gateway
        self._plans = Plans()

    @property
    def closed(self) -> bool:
        """Whether a call needs a look (`refusal`) before its message is read."""
        return self._parts.access.closed

    def refusal(self, call: Call) -> Answer | None:
        """Why a call's message need not even be read: its caller is nobody. What a known caller may do is asked later, once."""
        method = METHODS.get(call.name)
        if method is None or self._parts.access.caller(call):
            return None
        call.path = _asked(call, method.request())
        return self._parts.access.refusal(call)

    def turned_away(self, number: int) -> None:
        """Count calls that were refused for lack of room. Their model is not known: their messages were not read."""
        self._parts.inference.turned_away("", "more wait than can be answered in time", number)

    def answer(self, call: Call, body: bytes) -> Answering:
        """The answer, or what will be: 200 and a message, or a problem as over HTTP."""
        method = METHODS.get(call.name)
        if method is None:
            return problem(HTTPStatus.NOT_IMPLEMENTED, f"{call.name[:200]} is not spoken here")
        try:
            check_fields(body)
            message = method.request.FromString(body)
        except InvalidInput as error:
            return self._rejected(error)
        except DecodeError as error:
            told = f"this is no {method.request.DESCRIPTOR.name}: {str(error)[:200]}"
            return self._rejected(refused([Fault("", told)]))
        if has_long_name(message, len(body)):
            return self._unknown("there is no model with so long a name")
        call.path = _asked(call, message)
        if call.name == INFER:
            return self._infer(call, message, body)
        return self._ask(call, method, message)

    def _ask(self, call: Call, method: Method, message: Any) -> Answering:
        meaning = MEANINGS[call.name]
        call.method = meaning.verb
        answering = self._gateway.answer(call, meaning.body(message))
        return _then(answering, lambda answer: answer_of(method, meaning, message, answer))

    def _infer(self, call: Call, message: Any, body: bytes) -> Answering:
        access, traces = self._parts.access, self._parts.traces
        if access.closed and (turned := access.refusal(call)) is not None:
            return turned
        began = self._parts.clock.unix()
        answering = self._run(call, message, body, call.deadline - began)
        if traces is None or not traces.wants(call.headers.get("traceparent")):
            return answering
        return _then(answering, lambda answer: self._trace(call, began, answer))

    def _run(self, call: Call, message: Any, body: bytes, seconds: float) -> Answering:
        parts, model, version = self._parts, message.model_name, message.model_version
        plan = parts.router.plan.routes.get(model)
        if plan is None:
            known = ", ".join(sorted(parts.router.plan.routes)) or "none yet"
            return self._unknown(f"there is no model {model[:80]!r} here; known are {known}")
        if version and not (version.isascii() and version.isdigit()):
            return self._unknown(f"version {version[:40]!r} found, a number expected")
        if seconds <= 0.0:
            parts.inference.turned_away(model, "the caller's deadline was over when its turn came")
            return problem(HTTPStatus.GATEWAY_TIMEOUT, "the deadline was over when the call's turn came")
        seen = self._plans.seen_by(plan, seconds)
        answer = parts.inference.answer if len(body) < LARGE else parts.inference.answer_large
        return answer(seen, int(version[:20]) if version else None, call.headers.get, body, lambda *_: request_of(message))

    def _rejected(self, error: InvalidInput) -> Answer:
        self._parts.ledger.count("rejected")
        return refusal(error)

    def _unknown(self, detail: str) -> Answer:
        self._parts.ledger.count("rejected")
        return problem(HTTPStatus.NOT_FOUND, detail)

    def _trace(self, call: Call, began: float, answer: Answer) -> Answer:
        facts = {f"lockgate.{name[len('x-lockgate-') :]}": value for name, value in answer.headers if name[:11] == "x-lockgate-"}
        ended = self._parts.clock.unix()
        assert self._parts.traces is not None  # noqa: S101 - see the caller
        self._parts.traces.span(call.name, call.headers.get("traceparent"), began, ended, answer.status, **facts)
        return answer


def _asked(call: Call, message: Any) -> str:
    if call.name == INFER:
        return model_path(message.model_name, message.model_version, "infer")
    return MEANINGS[call.name].asked(message)


def _then(answering: Answering, change: Callable[[Answer], Answer]) -> Answering:
    """What becomes of an answer, now or once it is there."""
    if isinstance(answering, Answer):
        return change(answering)
    awaited = answering

    async def later() -> Answer:
        return change(await awaited)

    return later()
