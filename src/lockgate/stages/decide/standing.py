"""What stood where: stages, aliases and open requests, as a fold over the events that move them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from lockgate.domain.events import Action, Happened
from lockgate.domain.models import RequestState, Stage

MOVES = (
    Action.STAGE_APPLIED,
    Action.STAGE_ARCHIVED,
    Action.VERSION_DELETED,
    Action.ALIAS_SET,
    Action.ALIAS_REMOVED,
    Action.REQUEST_CREATED,
    Action.REQUEST_APPROVED,
    Action.REQUEST_REJECTED,
    Action.REQUEST_CANCELLED,
    Action.REQUEST_EXPIRED,
)
_ORDER = (Stage.PRODUCTION, Stage.STAGING, Stage.ARCHIVED)


@dataclass(frozen=True, slots=True)
class Standing:
    model: str
    version: int
    stage: Stage
    since: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Named:
    """alias: `champion`, or `champion:SEGMENT` where a segment has a champion of its own."""

    model: str
    alias: str
    version: int
    since: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that was open. to: the stage; segment: of Production, "" for all of it."""

    request: str
    model: str
    version: int
    to: str
    segment: str
    since: datetime
    requester: str


@dataclass(slots=True)
class Standings:
    """Folded event by event; ask for `stages`, `aliases` and `requests` in the end."""

    _stages: dict[tuple[str, int], Standing] = field(default_factory=dict)
    _aliases: dict[tuple[str, str], Named] = field(default_factory=dict)
    _requests: dict[str, Waiting] = field(default_factory=dict)

    def follow(self, events: Iterable[Happened]) -> None:
        for said in events:
            self._follow(said)

    @property
    def stages(self) -> list[Standing]:
        """Of versions that stood anywhere: by model, Production first."""
        shown = [one for one in self._stages.values() if one.stage in _ORDER]
        return sorted(shown, key=lambda one: (one.model, _ORDER.index(one.stage), one.version))

    @property
    def aliases(self) -> list[Named]:
        return sorted(self._aliases.values(), key=lambda one: (one.model, one.alias))

    @property
    def requests(self) -> list[Waiting]:
        return list(self._requests.values())

    def _follow(self, said: Happened) -> None:
        model, version, by, at = said.model, said.version, said.actor, said.at
        match said.action:
            case Action.STAGE_APPLIED:
                self._stages[model, version] = Standing(model, version, Stage(said.details["to"]), at, by)
            case Action.STAGE_ARCHIVED:
                self._stages[model, version] = Standing(model, version, Stage.ARCHIVED, at, by)
            case Action.VERSION_DELETED:
                self._stages.pop((model, version), None)
            case Action.ALIAS_SET:
                self._aliases[model, said.details["alias"]] = Named(model, said.details["alias"], version, at, by)
            case Action.ALIAS_REMOVED:
                self._aliases.pop((model, said.details["alias"]), None)
            case Action.REQUEST_CREATED:
                to, segment = said.details["to"], said.details.get("segment", "")
                self._requests[said.subject] = Waiting(said.subject, model, version, to, segment, at, by)
            case _ if said.details.get("state") != RequestState.OPEN:  # a yes that does not complete the quorum leaves it open
                self._requests.pop(said.details.get("request", said.subject), None)
