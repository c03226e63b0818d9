"""Who may ask for what: keys with scopes, models and rates.

On loopback the data plane is open as long as no key was made that opens anything of it. Once there is one, or on any other
address, every path but health needs a key with the scope that goes with it; what is not named here needs one too. A server that
was declared public answers requests for predictions without one, and nothing else.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

from lockgate.boundary.exposure import is_loopback
from lockgate.boundary.key_file import KeyFile
from lockgate.boundary.keys import Key, KeyScope, key_id
from lockgate.boundary.limits import Failures
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid, InvalidInput
from lockgate.serving.gateway.ratelimit import SharedLimits
from lockgate.serving.gateway.rsgi import Scope
from lockgate.serving.protocol import scoring
from lockgate.serving.protocol.problems import Answer, problem

LOOK_EVERY = 1.0  # seconds between two looks at the file of keys
EVERY_MODEL = ""  # no model is called so, and no key for some models is for this one
_MODELS = "/v2/models/"
_REPOSITORY = "/v2/repository/models/"
_SCORING = "/invocations"
_OPEN = frozenset({"/v2/health/live", "/v2/health/ready", "/ping", "/health"})
_ELSEWHERE = {  # scope and model of the paths that name no model; what is not here needs `repository`
    "/v2": (KeyScope.INFER, None),
    "/version": (KeyScope.INFER, None),
    "/openapi.json": (KeyScope.INFER, EVERY_MODEL),  # it shows what each model takes
    "/metrics": (KeyScope.METRICS, EVERY_MODEL),
}
_VERBS = {"feedback": KeyScope.FEEDBACK, "learn": KeyScope.LEARN, "stats": KeyScope.METRICS}  # of a model; others need `infer`
_MOST_PATHS = 1024  # whose meaning is remembered
_IN_URL = re.compile(r"(?:^|[&;])(?:x-)?(?:api[-_]?key|key|(?:access[-_]?|auth[-_]?|api[-_]?)?token)=|lgk_", re.IGNORECASE)
_TEXT_IN_URL = re.compile(r"lgk_[0-9a-f]{12}_[0-9a-f]{64}")
_BEARER = "bearer "
_CHALLENGE = 'Bearer realm="lockgate"'
_HOW = "Send `Authorization: Bearer KEY`. `lockgate token create` makes a key."

log = logging.getLogger(__name__)


class Principal(NamedTuple):
    """Who asks: a key's id and name."""

    id: str
    name: str


class Refusal(NamedTuple):
    """Why not, for any protocol. challenge: what stands behind `Bearer realm=…`; None where no other key would help."""

    status: HTTPStatus
    detail: str
    hint: str | None = None
    challenge: str | None = None
    wait: float = 0.0  # seconds


ANYBODY = Principal("", "anybody")


class Access:
    """count: takes the name of a counter, `denied` or `limited`. closed: whether anybody needs a key at all.

    Touched by the event loop only.
    """

    def __init__(
        self,
        file: KeyFile,
        limits: SharedLimits,
        clock: Clock,
        count: Callable[[str], None],
        *,
        host: str,
        public: bool,
    ) -> None:
        self._file = file
        self._limits = limits
        self._clock = clock
        self._count = count
        self._loopback = is_loopback(host)
        self._free = frozenset({KeyScope.INFER}) if public else frozenset()
        self._failures = Failures()
        self._needs: dict[str, tuple[KeyScope | None, str | None]] = {}
        self._looked_at: float | None = None
        self.closed = True
        self.refresh()

    def refresh(self) -> None:
        """Take over what changed in the file of keys. Called a few times a second; it looks once."""
        now = self._clock.monotonic()
        if self._looked_at is not None and now - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        try:
            self._file.refresh()
        except Invalid as error:
            log.warning("keys unusable", extra={"reason": error.message, "hint": error.hint, "kept": len(self._file.keys)})
        self.closed = self._file.closes or not self._loopback

    def refusal(self, request: Scope) -> Answer | None:
        """Why this request is not answered; None if it may be. Ask only where it is `closed`."""
        needed = self._needs.get(request.path)
        if needed is None:
            needed = self._remember(request.path)
        scope, model = needed
        if scope is None or scope in self._free:
            return None
        if model == EVERY_MODEL and request.path == _SCORING:
            model = _scored(request)
        checked = self.check(scope, request, model)
        return checked if isinstance(checked, Answer) else None

    def check(self, scope: KeyScope, request: Scope, model: str | None) -> Answer | Principal:
        """Who asks, or the answer that they get instead. model: None where none is concerned, `EVERY_MODEL` where all are."""
        if self._closed_to_nobody(scope):
            return ANYBODY
        peer = request.client.rpartition(":")[0]
        if request.query_string and (found := self._in_url(request.query_string, peer)):
            return _answer(found)
        admitted = self.admit(scope, _texts(request), model, peer)
        return _answer(admitted) if isinstance(admitted, Refusal) else admitted

    def admit(self, scope: KeyScope, texts: Sequence[str], model: str | None, peer: str) -> Refusal | Principal:
        """The same for any protocol. texts: every key that the caller sent. peer: its address, or nothing if that is unknown."""
        if self._closed_to_nobody(scope):
            return ANYBODY
        if not self._file.readable and self._file.there:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server cannot read its keys now; its log says why", wait=5.0)
        if len(texts) != 1:
            return self._unproven(_count_of_keys(len(texts), scope), peer)
        number = key_id(texts[0])
        key = self._file.keys.get(number) if number is not None else None
        if key is None or not key.opens(texts[0]):
            return self._unproven(
                Refusal(HTTPStatus.UNAUTHORIZED, "this key is not known here", _HOW, ', error="invalid_token"'), peer
            )
        return self._for_key(key, scope, model, peer)

    def caller(self, request: Scope) -> str:
        """The id of the key that a request came with; nothing if it came without a known one. For logs."""
        texts = _texts(request)
        key = self._file.keys.get(key_id(texts[0]) or "") if len(texts) == 1 else None
        return key.id if key is not None and key.opens(texts[0]) else ""

    def _for_key(self, key: Key, scope: KeyScope, model: str | None, peer: str) -> Refusal | Principal:
        """For a caller who has shown that the key is theirs: they may know what is wrong with it."""
        if (key.expires_at or key.revoked_at) and (why := key.ended(self._clock.now())):
            gone = Refusal(HTTPStatus.UNAUTHORIZED, f"the key {key.name!r} {why}", _HOW, ', error="invalid_token"')
            return self._unproven(gone, peer, key)
        if scope not in key.scopes:
            return self._forbidden(f"the key {key.name!r} has not the scope {scope.value!r}", scope, peer, key)
        if model is not None and not key.covers(model):
            of = "every model; name the one that you mean" if model == EVERY_MODEL else f"the model {model[:80]!r}"
            return self._forbidden(f"the key {key.name!r} is not for {of}", scope, peer, key)
        if key.rate is not None and (wait := self._limits.wait(key.id, key.rate, self._clock.monotonic())):
            self._count("limited")
            asks = f"{key.rate.per_second:g} requests a second, {key.rate.burst} at once"
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, f"the key {key.name!r} may send {asks}", wait=wait)
        return Principal(key.id, key.name)

    def _closed_to_nobody(self, scope: KeyScope) -> bool:
        return not self.closed or scope in self._free

    def _unproven(self, refusal: Refusal, peer: str, key: Key | None = None) -> Refusal:
        """Who goes on without a valid key is told to slow down. A valid one from the same address, a proxy's say, still opens."""
        self._count("denied")
        wait = self._failures.wait(peer, self._clock.monotonic())
        if not wait:
            _note(refusal, peer, key)
            return refusal
        detail = f"too many requests from here without a valid key; the last one: {refusal.detail}"
        return Refusal(HTTPStatus.TOO_MANY_REQUESTS, detail, refusal.hint, wait=wait)

    def _forbidden(self, detail: str, scope: KeyScope, peer: str, key: Key) -> Refusal:
        self._count("denied")
        challenge = f', error="insufficient_scope", scope="{scope.value}"'
        hint = "`lockgate token create` makes a key with other scopes or models."
        refusal = Refusal(HTTPStatus.FORBIDDEN, detail, hint, challenge)
        if not self._failures.wait(peer, self._clock.monotonic()):
            _note(refusal, peer, key)
        return refusal

    def _in_url(self, query: str, peer: str) -> Refusal | None:
        """Addresses are written down by every proxy on the way: a key in one is as good as lost."""
        text = unquote_plus(query)
        if not _IN_URL.search(text):
            return None
        found = _TEXT_IN_URL.search(text)
        key = self._file.keys.get(key_id(found[0]) or "") if found else None
        hint = "Send it as `Authorization: Bearer KEY`, and revoke the one that you sent: addresses are kept in logs."
        return self._unproven(Refusal(HTTPStatus.BAD_REQUEST, "a key stands in the address", hint), peer, key)

    def _remember(self, path: str) -> tuple[KeyScope | None, str | None]:
        if len(self._needs) >= _MOST_PATHS:
            self._needs.clear()
        needed = self._needs[path] = needs(path)
        return needed


def needs(path: str) -> tuple[KeyScope | None, str | None]:
    """The scope that a path needs, and the model that it concerns; no scope for health. Pure.

    path: as the gateway reads it, with the escapes of the address undone.
    """
    if path.startswith(_MODELS):
        model, _, rest = path[len(_MODELS) :].partition("/")
        return _VERBS.get(rest.rstrip("/").rpartition("/")[2], KeyScope.INFER), unquote(model)
    if path.startswith(_REPOSITORY):
        return KeyScope.REPOSITORY, unquote(path[len(_REPOSITORY) :].partition("/")[0])
    if path == _SCORING:
        return KeyScope.INFER, EVERY_MODEL
    if path.rstrip("/") in _OPEN:
        return None, None
    return _ELSEWHERE.get(path.rstrip("/"), (KeyScope.REPOSITORY, EVERY_MODEL))


def _scored(request: Scope) -> str:
    """The model that a request in MLflow's protocol names, as the gateway reads it."""
    try:
        return scoring.model_asked_for(request.query_string, request.headers.get, ())
    except InvalidInput:
        return EVERY_MODEL


def _texts(request: Scope) -> list[str]:
    headers = request.headers
    return [_bearer(value) for value in headers.get_all("authorization")] + headers.get_all("x-api-key")


def _bearer(value: str) -> str:
    """The key in an `Authorization` header; nothing if it is of another kind."""
    return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else ""


def _count_of_keys(number: int, scope: KeyScope) -> Refusal:
    if number:
        return Refusal(HTTPStatus.BAD_REQUEST, f"{number} keys found in the headers, one expected")
    return Refusal(HTTPStatus.UNAUTHORIZED, f"a key with the scope {scope.value!r} is needed", _HOW, "")


def _note(refusal: Refusal, peer: str, key: Key | None) -> None:
    """Only what we know ourselves: what the caller sent may be somebody's secret."""
    known = {"key": key.id} if key is not None else {}
    log.warning("caller refused", extra={"peer": peer, "status": int(refusal.status), "reason": refusal.detail, **known})


def _answer(refusal: Refusal) -> Answer:
    headers = [("www-authenticate", _CHALLENGE + refusal.challenge)] if refusal.challenge is not None else []
    if refusal.wait:
        headers.append(("retry-after", str(math.ceil(refusal.wait))))
    return problem(refusal.status, refusal.detail, hint=refusal.hint, headers=headers)
