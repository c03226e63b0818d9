"""The protocol's repository extension. Which models are served is the control plane's to say; their memory may be freed here."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import unquote

from lockgate.kernel.errors import InvalidInput, LockgateError
from lockgate.serving.gateway.describe import Describe
from lockgate.serving.gateway.inference import Answering
from lockgate.serving.gateway.router import Router
from lockgate.serving.protocol import metadata
from lockgate.serving.protocol.problems import Answer, answer, problem, refusal


class Repository:
    """`load` wakes what sleeps of a model, `unload` puts it to sleep: it goes on being served, and wakes when it is asked for."""

    def __init__(self, router: Router, describe: Describe) -> None:
        self._router = router
        self._describe = describe

    def answer(self, method: str, path: str, body: bytes) -> Answering:
        """path: behind /v2/repository/."""
        if path == "index":
            return self._index(body) if method in ("GET", "HEAD", "POST") else _not_allowed(method, "GET, POST")
        kind, _, rest = path.partition("/")
        model, _, verb = rest.partition("/")
        if kind != "models" or verb not in ("load", "unload"):
            return problem(HTTPStatus.NOT_FOUND, f"there is nothing at /v2/repository/{path[:200]}")
        if method != "POST":
            return _not_allowed(method, "POST")
        return self._change(unquote(model), verb, body)

    def _index(self, body: bytes) -> Answer:
        try:
            return answer(metadata.index(body, self._describe.index()))
        except InvalidInput as error:
            return refusal(error)

    def _change(self, model: str, verb: str, body: bytes) -> Answering:
        try:
            metadata.check_repository_request(body)
        except InvalidInput as error:
            return refusal(error)
        if model not in self._router.plan.routes:
            known = ", ".join(sorted(self._router.plan.routes)) or "none yet"
            return problem(
                HTTPStatus.NOT_FOUND,
                f"there is no model {model[:80]!r} here; known are {known}",
                hint="Which models are served is decided by requests and approvals: lockgate request.",
            )
        if verb == "load":
            return self._load(model)
        self._router.sleep(model)
        return answer({})

    async def _load(self, model: str) -> Answer:
        try:
            await self._router.wake(model)
        except LockgateError as error:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, error.message, hint=error.hint)
        return answer({})


def _not_allowed(method: str, allowed: str) -> Answer:
    return problem(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} found, {allowed} expected", headers=[("allow", allowed)])
