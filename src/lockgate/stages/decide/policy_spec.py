"""The platform's policy, as its owners write it."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from lockgate.boundary.public_keys import key_id
from lockgate.boundary.trusted_types import refusal_of
from lockgate.domain.models import Stage
from lockgate.domain.policy import EXPIRY, BreakGlassRule, Edge, Policy, SignatureRule, StageRule, WaiverRule
from lockgate.kernel.errors import Invalid
from lockgate.stages.decide.spec import GatesSpec
from lockgate.stages.fields import ListOf, Name, Seconds, Spec

ANY = "any"
_STAGES = tuple(stage.value for stage in Stage)
_CLASS = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{{1,5}}))?", re.ASCII)
_LONGEST = 366 * 86400.0  # seconds: what holds for longer is no exception any more
_LONGEST_GLASS = 86400.0  # seconds
_LONGEST_TEXT = 253


def _edge(value: Any) -> Edge:
    if isinstance(value, Edge):
        return value
    parts = [part.strip() for part in value.split("->")] if isinstance(value, str) else []
    if len(parts) != 2:  # noqa: PLR2004 - from and to
        raise ValueError(f"`STAGE -> STAGE` or `{ANY} -> STAGE` expected")
    return Edge(None if parts[0] == ANY else _stage(parts[0], (*_STAGES, ANY)), _stage(parts[1], _STAGES))


def _stage(name: str, known: tuple[str, ...]) -> Stage:
    return Stage(_known("stage", name, known))


def _gate(name: str) -> str:
    return _known("gate", name, tuple(GatesSpec.model_fields))


def _known(what: str, name: str, known: tuple[str, ...]) -> str:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"{what} {name!r} found, one of {', '.join(known)} expected{meant}")
    return name


def _different(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(value)) < len(value):
        raise ValueError("each at most once expected")
    return value


def _member(value: str) -> str:
    if not 0 < len(value.strip()) <= _LONGEST_TEXT or value != value.strip() or not value.removeprefix("group:"):
        raise ValueError("the name of a user, or `group:NAME`, expected")
    return value


def _class(value: str) -> str:
    if not _CLASS.fullmatch(value):
        raise ValueError("`package.module.Class` expected")
    if (reason := refusal_of(value)) is not None:
        raise ValueError(reason)
    return value


def _host(value: str) -> str:
    match = _HOST.fullmatch(value) if len(value) <= _LONGEST_TEXT else None
    if match is None or not 0 < int(match[1] or 1) < 1 << 16:
        raise ValueError("`HOST` or `HOST:PORT` expected")
    return value.lower()


def _signing_key(value: str) -> str:
    key, *name = value.split(maxsplit=1)
    try:
        key_id(key)
    except Invalid as error:
        raise ValueError(error.message) from error
    if name and (len(name[0]) > _LONGEST_TEXT or not name[0].isprintable() or "#" in name[0]):
        raise ValueError("`ed25519:BASE64 NAME` expected, the name of letters that can be printed, without #")
    return " ".join((key, *name))


def _alias(value: str) -> str:
    if not 0 < len(value) <= _LONGEST_TEXT or value.strip() != value or not value.isprintable():
        raise ValueError("the name of an alias, or a pattern such as `champion:*`, expected")
    return value


def _up_to(longest: float) -> AfterValidator:
    def check(value: float) -> float:
        if not 0 < value <= longest:
            raise ValueError(f"more than nothing and at most {longest / 86400:g}d expected")
        return value

    return AfterValidator(check)


Roles = Annotated[tuple[Name, ...], ListOf, AfterValidator(_different)]
Members = Annotated[tuple[Annotated[str, AfterValidator(_member)], ...], ListOf, AfterValidator(_different)]
Given = Annotated[tuple[Name, ...], ListOf, AfterValidator(_different), Field(min_length=1)]


class StageRuleSpec(Spec):
    """need: yes of so many different people. from: roles of which each must have one. not: who may not be one of them. gates:
    that must have passed or be waived. authenticated: a name that was only given does not count.
    """

    need: Annotated[int, Field(ge=1, le=100)] = 1
    roles: Annotated[Roles, Field(alias="from")] = ()
    excluded: Annotated[tuple[Literal["requester", "author"], ...], ListOf, AfterValidator(_different), Field(alias="not")] = ()
    gates: Annotated[tuple[Annotated[str, AfterValidator(_gate)], ...], ListOf, AfterValidator(_different)] = ()
    authenticated: bool = False

    def rule(self) -> StageRule:
        return StageRule(self.need, self.roles, tuple(self.excluded), self.gates, self.authenticated)


class StagesSpec(Spec):
    none: Annotated[StageRuleSpec | None, Field(alias=Stage.NONE.value)] = None
    staging: Annotated[StageRuleSpec | None, Field(alias=Stage.STAGING.value)] = None
    production: Annotated[StageRuleSpec | None, Field(alias=Stage.PRODUCTION.value)] = None
    archived: Annotated[StageRuleSpec | None, Field(alias=Stage.ARCHIVED.value)] = None

    def rules(self) -> dict[str, StageRule]:
        named = zip(_STAGES, (self.none, self.staging, self.production, self.archived), strict=True)
        return {name: spec.rule() for name, spec in named if spec is not None}


class RequestsSpec(Spec):
    """expire: after which an open request is closed."""

    expire: Annotated[Seconds, _up_to(_LONGEST)] = EXPIRY


class BreakGlassSpec(Spec):
    """from: roles that may. for: how long the way stands open."""

    roles: Annotated[Given, Field(alias="from")]
    seconds: Annotated[Seconds, _up_to(_LONGEST_GLASS), Field(alias="for")] = 3600.0


class WaiversSpec(Spec):
    """from: roles that may. longest: for which a waiver may hold."""

    roles: Annotated[Given, Field(alias="from")]
    longest: Annotated[Seconds, _up_to(_LONGEST)] = 30 * 86400.0


class LoadingSpec(Spec):
    trusted_types: Annotated[tuple[Annotated[str, AfterValidator(_class)], ...], ListOf, AfterValidator(_different)] = ()


class WebhooksSpec(Spec):
    targets: Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], ListOf, AfterValidator(_different)] = ()


class SignaturesSpec(Spec):
    """required: nothing answers that nobody trusted signed. keys: who is trusted beside this home. revoked: who no longer is."""

    required: bool = False
    keys: Annotated[tuple[Annotated[str, AfterValidator(_signing_key)], ...], ListOf, AfterValidator(_different)] = ()
    revoked: Annotated[tuple[Annotated[str, AfterValidator(_signing_key)], ...], ListOf, AfterValidator(_different)] = ()


class PolicySpec(Spec):
    """All keys of the policy file."""

    roles: dict[Name, Members] = Field(default_factory=dict)
    edges: Annotated[tuple[Annotated[Edge, BeforeValidator(_edge)], ...], ListOf] | None = None
    stages: StagesSpec = StagesSpec()
    aliases: dict[Annotated[str, AfterValidator(_alias)], Given] = Field(default_factory=dict)
    requests: RequestsSpec = RequestsSpec()
    break_glass: BreakGlassSpec | None = None
    waivers: WaiversSpec | None = None
    loading: LoadingSpec = LoadingSpec()
    webhooks: WebhooksSpec = WebhooksSpec()
    signatures: SignaturesSpec = SignaturesSpec()

    def policy(self) -> Policy:
        glass, waivers = self.break_glass, self.waivers
        return Policy(
            edges=self.edges,
            roles=dict(self.roles),
            stages=self.stages.rules(),
            aliases=dict(self.aliases),
            expiry=self.requests.expire,
            break_glass=BreakGlassRule(glass.roles, glass.seconds) if glass else None,
            waivers=WaiverRule(waivers.roles, waivers.longest) if waivers else None,
            trusted_types=self.loading.trusted_types,
            targets=self.webhooks.targets,
            signatures=SignatureRule(self.signatures.required, self.signatures.keys, self.signatures.revoked),
        )
