"""Whether a report of an embedded model or a subscriber can be taken: it comes from another's machine, and may say anything.

What is taken must not be able to break a judge or the watch, so all that those rely on is checked here: figures that add up,
cells of the shape that the rollouts under way expect of them, revisions that there have been, ids that are the reporter's own.
What cannot be checked is whether the figures are true: who holds a key for a model is believed about that model.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from msgspec import structs

from lockgate.boundary.observations import Block, Cell, Feedback
from lockgate.boundary.records import Record
from lockgate.boundary.reports import Report, Standing
from lockgate.boundary.routes import Revision
from lockgate.boundary.scores import STEPS
from lockgate.domain.holds import Compared
from lockgate.domain.rollouts import Rollout
from lockgate.kernel.errors import Fault
from lockgate.stages.deliver.journal import BY_REQUEST
from lockgate.stages.deliver.rollout import weight_at
from lockgate.stages.deliver.segments import concerns

MOST_CELLS, MOST_LABELS, MOST_RECORDS = 512, 5_000, 5_000
MOST_MODELS, MOST_VERSIONS = 16, 256  # that are looked up while nobody else may write
MOST_FAULTS = 20  # that one answer tells of
OLDEST = 400 * 86400.0  # seconds since a prediction whose label still counts
LATE = 7 * 86400.0  # seconds since a block was opened
_EARLY = 86400.0  # seconds by which another machine's clock may be ahead
_WORKER = re.compile(r"(?:embedded|subscriber)/[A-Za-z0-9._-]{1,80}", re.ASCII)
_INCARNATION = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)
_BODY = re.compile(r"[A-Za-z0-9_-]{56}", re.ASCII)
_KIND = re.compile(r"[a-z][a-z_-]{0,29}", re.ASCII)
_MOST = 2**31 - 1  # of whatever is counted
_KEYS = 2**64
_BUCKETS = 1_000  # of a latency histogram: beyond 10¹⁵ seconds
_LARGEST_SCORE = 3.5e38  # of 32 bits
_LARGEST = 1e300
_LONGEST_CHANNEL = 151
_LONGEST_TEXT, _MOST_INPUTS, _MOST_ROWS = 2_000, 2_000, 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """What a report is held against. reporter: who shows the token: a key's id, or `home`. revision: of the table in force.
    models, versions: of those that are spoken of, what is there; versions as (model, version).
    compared: what traffic in Production is compared by now.
    """

    now: float  # Unix seconds
    reporter: str
    revision: Revision
    models: Collection[str]
    versions: Collection[tuple[str, int]]
    compared: Sequence[Compared]


def models_of(report: Report) -> frozenset[str]:
    """All that it speaks of."""
    standing = report.standing
    named = {model for model, _ in versions_of(report)}
    return frozenset(named | ({model_of(standing)} if standing else set()))


def versions_of(report: Report) -> frozenset[tuple[str, int]]:
    """All that it speaks of, as (model, version)."""
    block = report.block
    return frozenset(
        (one.model, one.version) for part in (block.cells, block.aside, block.feedback, report.records) for one in part
    )


def model_of(standing: Standing) -> str:
    """Of the channel that is followed. A wheel follows none, and names its model."""
    return standing.channel.partition("@")[0]


def excess(report: Report) -> list[Fault]:
    """Of what there is too much in it: known without a look at the state, so that nobody waits for a report that is refused."""
    block = report.block
    bounds = (
        ("block.cells", len(block.cells) + len(block.aside), MOST_CELLS, "cells"),
        ("block.feedback", len(block.feedback), MOST_LABELS, "labels"),
        ("records", len(report.records), MOST_RECORDS, "records"),
        ("block", len(models_of(report)), MOST_MODELS, "models"),
        ("block", len(versions_of(report)), MOST_VERSIONS, "versions"),
    )
    return [Fault(path, f"{n} {what} found, at most {most} expected") for path, n, most, what in bounds if n > most]


def faults(report: Report, known: Known) -> list[Fault]:
    """What is wrong with it otherwise, the first few of it; nothing if it can be taken."""
    found: list[Fault] = []
    for fault in _faults(report, known):
        found.append(fault)
        if len(found) == MOST_FAULTS:
            break
    return found


def settled(report: Report, known: Known) -> Report:
    """As it is taken. The reporter's name is its own among all keys'; clocks that are ahead are set right."""
    block, now = report.block, known.now
    changed = structs.replace(
        block,
        worker=f"{block.worker}@{known.reporter}",
        opened_at=min(block.opened_at, now),
        closed_at=min(block.closed_at, now),
        cells=tuple(_by(one, now) for one in block.cells),
        aside=tuple(_by(one, now) for one in block.aside),
        feedback=tuple(structs.replace(one, answered_at=min(one.answered_at, now)) for one in block.feedback),
    )
    records = tuple(structs.replace(one, answered_at=min(one.answered_at, now)) for one in report.records)
    return structs.replace(report, block=changed, records=records)


def _by(cell: Cell, now: float) -> Cell:
    return structs.replace(cell, first_at=min(cell.first_at, now), last_at=min(cell.last_at, now))


def _faults(report: Report, known: Known) -> Iterator[Fault]:
    block = report.block
    yield from _block_faults(block, known)
    for name, part in (("cells", block.cells), ("aside", block.aside)):
        for index, cell in enumerate(part):
            told = [*_version_faults(cell, known), *_cell_faults(cell, known)]
            told += _evidence_faults(cell, known) if name == "cells" else []
            yield from (Fault(f"block.{name}[{index}].{one.path}", one.message) for one in told)
    for index, label in enumerate(block.feedback):
        told = [*_version_faults(label, known), *_label_faults(label, known)]
        yield from (Fault(f"block.feedback[{index}].{one.path}", one.message) for one in told)
    for index, record in enumerate(report.records):
        told = [*_version_faults(record, known), *_record_faults(record, known)]
        yield from (Fault(f"records[{index}].{one.path}", one.message) for one in told)
    if report.standing is not None:
        yield from _standing_faults(report.standing, block.worker, known)
    elif not models_of(report):
        yield Fault("block", "nothing found, neither predictions nor labels nor how the reporter stands")


def _block_faults(block: Block, known: Known) -> Iterator[Fault]:
    if not _WORKER.fullmatch(block.worker):
        yield Fault("block.worker", f"{block.worker!r:.100} found, embedded/HOST or subscriber/HOST expected")
    if not _INCARNATION.fullmatch(block.incarnation):
        yield Fault("block.incarnation", "8 to 64 letters and digits expected, other ones in each process")
    if not 1 <= block.sequence <= _MOST:
        yield Fault("block.sequence", f"{block.sequence} found, 1 and so on expected")
    if not known.now - LATE <= block.opened_at <= block.closed_at <= known.now + _EARLY:
        yield Fault("block.opened_at", f"{block.opened_at} to {block.closed_at} found, Unix seconds of the last 7 days expected")
    if block.lessons:
        yield Fault("block.lessons", "lessons found; they are sent to the data plane, with a key of scope learn")


def _version_faults(item: Cell | Feedback | Record, known: Known) -> Iterator[Fault]:
    if (item.model, item.version) not in known.versions:
        yield Fault("version", f"version {item.version} of {item.model!r:.100} found, which is not there")
    if not Revision() <= item.revision <= known.revision or item.revision.n < 0:
        yield Fault("revision", f"{item.revision} found, which has not been: {known.revision} is the last one")


def _cell_faults(cell: Cell, known: Known) -> Iterator[Fault]:
    counts = [cell.completed, *cell.failures.values(), *cell.latency.values(), *cell.exceeded, *cell.bins, *cell.scores.values()]
    failed = sum(cell.failures.values())
    if not all(0 <= one <= _MOST for one in counts) or cell.completed < 1:
        yield Fault("completed", f"counts from 0 to {_MOST} expected, and at least one prediction")
    elif failed > cell.completed or sum(cell.latency.values()) > cell.completed - failed:
        yield Fault("completed", f"{cell.completed} found, with {failed} failures and {sum(cell.latency.values())} latencies")
    elif any(one > cell.completed for one in cell.exceeded) or sum(cell.bins) + sum(cell.scores.values()) > cell.completed:
        yield Fault("completed", f"{cell.completed} found, with more exceedances or scores than predictions")
    if not all(_KIND.fullmatch(kind) for kind in cell.failures) or len(cell.failures) > len(_BITS):
        yield Fault("failures", "kinds of failures expected, such as error, timeout, signature and output")
    if not all(0 <= one < _BUCKETS for one in cell.latency) or not all(0 <= one < STEPS for one in cell.scores):
        yield Fault("latency", f"buckets from 0 to {_BUCKETS - 1} expected, and steps of scores from 0 to {STEPS - 1}")
    if cell.shadow or cell.agreed or cell.disagreed or cell.deltas:
        yield Fault("shadow", "a shadow's figures found, which the data plane alone can tell")
    if not 0 <= cell.first_at <= cell.last_at <= known.now + _EARLY or len(cell.segment) > _LONGEST_TEXT:
        yield Fault("last_at", f"{cell.first_at} to {cell.last_at} found, Unix seconds expected")
    if cell.units and len(cell.units) != cell.completed:
        yield Fault("units", f"{len(cell.units)} found, one for each of the {cell.completed} predictions expected")
    if not all(0 <= unit.key < _KEYS and 0 <= unit.bits < 2 << len(cell.exceeded) for unit in cell.units):
        yield Fault("units", "keys of 64 bits expected, and a bit for the failure and for each threshold")


_BITS = range(32)


def _evidence_faults(cell: Cell, known: Known) -> Iterator[Fault]:
    """A cell that was assigned by the table must have the shape that whoever compares the two versions expects of it."""
    if cell.revision == Revision():
        yield Fault("revision", "0.0 found, which assigns nothing: what no table assigned belongs into `aside`")
    for compared in known.compared:
        share = weight_at(compared, cell.revision.epoch, cell.revision.n)
        if compared.model == cell.model and share is not None and concerns(compared, cell.segment):
            yield from _shape_faults(cell, compared)


def _shape_faults(cell: Cell, compared: Compared) -> Iterator[Fault]:
    keyed = compared.unit != BY_REQUEST
    if keyed and len(cell.units) != cell.completed:
        yield Fault("units", f"{len(cell.units)} of {cell.completed} found: {compared.id} is by {compared.unit}, all expected")
    if not keyed and cell.units:
        yield Fault("units", f"{len(cell.units)} found: {compared.id} is by request, none expected")
    thresholds = compared.thresholds
    quantiles = len(thresholds.quantiles) if thresholds and cell.thresholds_id else 0
    if cell.thresholds_id not in ((0,) if thresholds is None else (0, thresholds.id)) or len(cell.exceeded) != quantiles:
        yield Fault("exceeded", f"{len(cell.exceeded)} by thresholds {cell.thresholds_id} found, as the route says expected")
    bins = compared.bins if isinstance(compared, Rollout) else None
    places = len(bins.edges) + 1 if bins and cell.bins_id else 0
    if cell.bins_id not in ((0,) if bins is None else (0, bins.id)) or len(cell.bins) != places:
        yield Fault("bins", f"{len(cell.bins)} of bins {cell.bins_id} found, as the route says expected")


def _label_faults(label: Feedback, known: Known) -> Iterator[Fault]:
    yield from _id_faults([label.prediction_id], known)
    if not (isfinite(label.label) and abs(label.label) < _LARGEST and abs(label.score) < _LARGEST_SCORE):
        yield Fault("label", "finite numbers expected as label and score")
    if not 0 <= label.key < _KEYS or not 0 <= label.segment <= 255:  # noqa: PLR2004 - a byte
        yield Fault("key", "a key of 64 bits expected, and a segment's place")
    if not known.now - OLDEST <= label.answered_at <= known.now + _EARLY or not 0 <= label.at <= known.now + _EARLY:
        yield Fault("at", f"{label.at} of a prediction at {label.answered_at} found, Unix seconds of the last 400 days expected")


def _record_faults(record: Record, known: Known) -> Iterator[Fault]:
    yield from _id_faults(record.prediction_ids, known)
    if record.shadow or record.pair is not None:
        yield Fault("shadow", "a shadow's record found, which the data plane alone can tell")
    rows = len(record.prediction_ids)
    if (record.failure is None) is not (len(record.scores) > 0) or len(record.scores) != rows or rows > _MOST_ROWS:
        yield Fault("scores", f"{len(record.scores)} of {rows} predictions found, one each expected, or a failure and none")
    if not all(isfinite(score) and abs(score) < _LARGEST for score in record.scores):
        yield Fault("scores", "finite numbers expected")
    if not known.now - LATE - OLDEST <= record.answered_at <= known.now + _EARLY:
        yield Fault("answered_at", f"{record.answered_at} found, Unix seconds expected")
    if record.failure is not None and len(record.failure) > _LONGEST_TEXT:
        yield Fault("failure", f"at most {_LONGEST_TEXT} letters expected")
    if len(record.inputs) > _MOST_INPUTS or not all(_is_column(one) for one in record.inputs.values()):
        yield Fault("inputs", "columns expected of numbers, text, true, false and null")


def _is_column(values: list[Any] | None) -> bool:
    return values is None or (len(values) <= _MOST_ROWS and all(_is_value(one) for one in values))


def _is_value(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT
    return value is None or isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < _LARGEST)


def _id_faults(ids: Iterable[str], known: Known) -> Iterator[Fault]:
    for one in ids:
        reporter, _, body = one.partition(".")
        if reporter != known.reporter or not _BODY.fullmatch(body):
            yield Fault("prediction_id", f"{one!r:.100} found, {known.reporter}. and 56 characters expected")
            return


def _standing_faults(standing: Standing, worker: str, known: Known) -> Iterator[Fault]:
    if model_of(standing) not in known.models or len(standing.channel) > _LONGEST_CHANNEL:
        yield Fault("standing.channel", f"{standing.channel!r:.100} found, MODEL@ENVIRONMENT or MODEL expected, of a model here")
    if worker.partition("/")[2] != standing.host:
        yield Fault("standing.host", f"{standing.host!r:.100} found, that of {worker!r:.100} expected")
    if len(standing.ready) > 100 or len(standing.faults) > 20 or any(len(one) > _LONGEST_TEXT for one in standing.faults):  # noqa: PLR2004
        yield Fault("standing", f"at most 100 versions and 20 faults of {_LONGEST_TEXT} letters expected")
    if not all(0 <= one <= _MOST for one in (*standing.ready, standing.running or 0, *structs.astuple(standing.revision))):
        yield Fault("standing", "numbers of versions and a revision expected")
