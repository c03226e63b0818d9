"""Take in what an embedded model or a subscriber tells: its block once, its records, and how it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lockgate.boundary.observations import Block
from lockgate.boundary.reports import Report, Standing
from lockgate.boundary.routes import Revision
from lockgate.domain.environments import PRODUCTION
from lockgate.domain.holds import Compared
from lockgate.domain.subscribers import Subscriber
from lockgate.kernel.errors import Conflict, Fault, InvalidInput, Refused, Unavailable
from lockgate.ports.records import RecordSink
from lockgate.ports.state import CONSUMED, INBOX, MODELS, SUBSCRIBERS, VERSIONS, Reader, Received, Writer
from lockgate.stages.deliver.reported import Known, excess, faults, model_of, models_of, settled, versions_of
from lockgate.stages.deliver.segments import counts_traffic
from lockgate.usecases.find_holds import hold_on
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.publish_routes import route_table
from lockgate.usecases.world import World

MOST = 10_000  # processes of one model that are known at a time
MOST_WAITING = 5_000  # blocks that the controller has not taken yet; whoever reports keeps its own so long
HOME = "home"  # whoever shows the home's control token


@dataclass(frozen=True, slots=True)
class Teller:
    """Who reports: a key's id, or HOME. covers: whether it may speak of a model."""

    id: str
    covers: Callable[[str], bool]


def take_report(world: World, records: RecordSink | None, teller: Teller, report: Report) -> None:
    """A block that came before changes nothing, nor do the records that came with it. Records are kept after the block was, so
    that none is kept twice: who is killed between the two loses them. records: None: nobody keeps them.

    Raises:
        Refused: it speaks of a model that is not the teller's. InvalidInput: it cannot be taken; the first faults.
        Conflict: too many processes report on this model. Unavailable: nobody has taken what came before.
    """
    _check_models(teller, report)
    _check(excess(report))
    now = world.clock.now().timestamp()
    with world.state.write() as tx:
        known = _known(tx, teller, report, now)
        _check(faults(report, known))
        report = settled(report, known)
        new = _keep_block(tx, report.block)
        _keep_standing(tx, report, now)
    if new and records is not None:
        records.append(report.records)


def _check_models(teller: Teller, report: Report) -> None:
    for model in sorted(models_of(report)):
        if not teller.covers(model):
            raise Refused(
                f"the key {teller.id} may not report on {model!r:.100}", hint="`lockgate token create` makes one that may."
            )


def _check(found: list[Fault]) -> None:
    if found:
        raise InvalidInput("the report", found, hint="docs/reference/http.md says what /reports takes.")


def _known(tx: Reader, teller: Teller, report: Report, now: float) -> Known:
    named = versions_of(report)
    versions = {(model, version) for model, version in named if version > 0 and tx.get(VERSIONS, model, version) is not None}
    there = {model for model in models_of(report) if tx.get(MODELS, model) is not None}
    compared = [one for model in there for one in _compared(tx, model)]
    return Known(now, teller.id, route_table(tx).revision, there, versions, compared)


def _compared(tx: Reader, model: str) -> list[Compared]:
    under_way = [one for one in rollouts_under_way(tx, model) if one.environment == PRODUCTION and counts_traffic(one)]
    hold = hold_on(tx, model)
    return [*under_way, *([hold] if hold else [])]


def _keep_block(tx: Writer, block: Block) -> bool:
    """Whether it is new. One that tells nothing is not kept."""
    consumed = tx.get(CONSUMED, block.worker, block.incarnation)
    if consumed is not None and block.sequence <= consumed.sequence:
        return False
    if not (block.cells or block.aside or block.feedback):
        return False
    new = tx.add(INBOX, Received(block.worker, block.incarnation, block.sequence, block))
    if new and tx.count(INBOX) > MOST_WAITING:
        raise Unavailable(
            f"{MOST_WAITING} blocks wait for the controller", hint="Report it again later. Does the controller run?"
        )
    return new


def _keep_standing(tx: Writer, report: Report, now: float) -> None:
    """Whoever reports is known, for as long as it does: what is remembered of its blocks is forgotten together with it."""
    block = report.block
    id_ = f"{block.worker}/{block.incarnation}"
    before = tx.get(SUBSCRIBERS, id_)
    standing = report.standing or (before.standing if before else _unsaid(report))
    if before is None and tx.count(SUBSCRIBERS, model=model_of(standing)) >= MOST:
        raise Conflict(f"{MOST} processes report on {model_of(standing)!r:.100} already", hint="One that is silent is forgotten.")
    tx.put(SUBSCRIBERS, Subscriber(id_, model_of(standing), now, standing))


def _unsaid(report: Report) -> Standing:
    """Of one that says nothing of itself: the model that it speaks of, if it speaks of any."""
    host = report.block.worker.partition("/")[2].rpartition("@")[0]
    return Standing(min(models_of(report), default=""), host, _last_revision(report))


def _last_revision(report: Report) -> Revision:
    return max((one.revision for one in report.block.cells), default=Revision())
