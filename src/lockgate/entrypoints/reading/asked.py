"""What people are asked: each open request with all that a decision goes by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lockgate.domain.events import Action
from lockgate.domain.models import ModelVersion, RequestState, TransitionRequest, Vote
from lockgate.domain.people import Actor
from lockgate.entrypoints.reading.gates import Standing, gates_now
from lockgate.kernel.errors import LockgateError
from lockgate.ports.state import REQUESTS, VERSIONS, Reader
from lockgate.stages.decide.approvals import has_expired
from lockgate.stages.decide.entry import EntryRule
from lockgate.usecases.bind_request import binding_of
from lockgate.usecases.find_rule import check_person, missing_gates, rule_for


@dataclass(frozen=True, slots=True)
class Asked:
    """One open request.

    binding: of all that an answer goes by now. changed: it was another when it was asked, so words given before count no more.
    voided: how many were. missing: gates that stand in the way. against: why the reader may not decide it, where that is known.
    mine: the reader asked.
    """

    request: TransitionRequest
    version: ModelVersion
    rule: EntryRule
    gates: tuple[Standing, ...]
    binding: str
    changed: bool
    voided: int
    missing: tuple[str, ...] = ()
    against: str = ""
    mine: bool = False

    @property
    def yes(self) -> int:
        """That count now."""
        return 0 if self.changed else sum(decision.vote is Vote.APPROVE for decision in self.request.decisions)


def open_requests(
    tx: Reader, now: datetime, reader: Actor | None, model: str | None = None, version: int | None = None
) -> list[Asked]:
    """The oldest first. reader: who is signed in; None: nobody knows who looks. model, version: only those of one."""
    asked: dict[str, Any] = {name: value for name, value in (("model", model), ("version", version)) if value is not None}
    found = tx.find(REQUESTS, state=RequestState.OPEN.value, **asked)
    made = [_asked(tx, one, now, reader) for one in found if not has_expired(one, now)]
    return sorted((one for one in made if one is not None), key=lambda one: one.request.created_at)


def _asked(tx: Reader, request: TransitionRequest, now: datetime, reader: Actor | None) -> Asked | None:
    version = tx.get(VERSIONS, request.model, request.version)
    if version is None:
        return None
    rule = rule_for(tx, request.model, request.to_stage)
    binding = binding_of(tx, version, request.to_stage)
    changed = bool(request.binding) and request.binding != binding
    return Asked(
        request=request,
        version=version,
        rule=rule,
        gates=gates_now(tx, version, now),
        binding=binding,
        changed=changed,
        voided=sum(one.happened.action is Action.APPROVAL_VOIDED for one in tx.events(subject=request.id)),
        missing=tuple(missing_gates(tx, version, rule, request.to_stage, now)),
        against=_against(tx, rule, version, replace(request, decisions=()) if changed else request, reader) if reader else "",
        mine=reader is not None and reader.name == request.requester,
    )


def _against(tx: Reader, rule: EntryRule, version: ModelVersion, request: TransitionRequest, reader: Actor) -> str:
    """Empty where nothing is."""
    if any(decision.by == reader.name for decision in request.decisions):
        return "You have decided it already."
    try:
        check_person(tx, rule, version, request.requester, reader, "this request")
    except LockgateError as error:
        return error.message
    return ""
