"""What shadows scored meets the labels of the answers that they stand beside, whichever of the two comes first, exactly once.

Prediction records are read in a loop of its own (`pair_labels`), so that a long look at them delays no verdict. What was scored
waits for its label in the state; where the label is there already, both wait for the judge. The controller's tick (`take_pairs`)
takes those, and what its own new labels find waiting, into the journal. Both write in transactions that take turns, so whichever
comes second finds the first. Replay needs the journal only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from struct import Struct

from lockgate.boundary.observations import Feedback
from lockgate.boundary.predictions import segment_place
from lockgate.boundary.records import Record
from lockgate.domain.findings import Label
from lockgate.domain.pairs import MOST_WAITING, LabelledPair, Pairing, Sample, ShadowScore
from lockgate.domain.rollouts import Rollout, Strategy
from lockgate.ports.records import Batch, RecordSource
from lockgate.ports.state import LABELLED_PAIRS, LABELS, PAIRINGS, SHADOW_SCORES, Writer
from lockgate.stages.deliver.label_wait import waits_for_labels
from lockgate.stages.deliver.rollout import under_way, weight_at
from lockgate.stages.deliver.segments import concerns, segment_at
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.world import World

MOST = MOST_WAITING
PAGE = 2_000  # rows that are removed or handed over in one transaction: bounds how long others wait
_single = Struct("f")  # as the prediction id keeps the champion's score


def pair_labels(world: World, records: RecordSource) -> bool:
    """Read on in the records for the rollouts under way whose shadows are judged by labels. True if there was anything to do.

    Of so many pairs that their labels cannot be waited for, ever smaller shares are kept. What is kept for rollouts that ended is
    removed, some at a time.
    """
    with world.state.read() as tx:
        pairing = tx.get(PAIRINGS, "current") or Pairing()
        judged = _judged_by_labels(rollouts_under_way(tx))
        batch = records.read(pairing.cursor) if judged else Batch((), pairing.cursor)
    if not batch.records and not _untidy(pairing, judged):
        return False
    with world.state.write() as tx:
        if (tx.get(PAIRINGS, "current") or Pairing()) != pairing:
            return True  # another process was quicker
        samples = {one.id: Sample(one.id) for one in judged} | {one.rollout: one for one in pairing.samples}
        _keep(tx, judged, samples, batch.records)
        left = tuple(sample for one in samples.values() if (sample := _tidied(tx, one)) is not None)
        tx.put(PAIRINGS, Pairing(dict(batch.cursor), left))
    return True


def take_pairs(tx: Writer, rollout: Rollout, labels: Iterable[Feedback]) -> tuple[LabelledPair, ...]:
    """The rollout's labelled pairs that its judge has not seen; the caller journals them. labels: those that just came.

    A checkpoint's pairs are all made by the learner, from the log of lessons.
    """
    if rollout.strategy is not Strategy.ONLINE and not _judged_by_labels([rollout]):
        return ()
    waited = tx.find(LABELLED_PAIRS, rollout=rollout.id, limit=PAGE)
    for pair in waited:
        tx.remove(LABELLED_PAIRS, rollout.id, pair.prediction_id)
    return (*waited, *_met(tx, rollout, labels)) if rollout.strategy is Strategy.SHADOW else tuple(waited)


def _met(tx: Writer, rollout: Rollout, labels: Iterable[Feedback]) -> Iterator[LabelledPair]:
    for label in labels:
        if (label.model, label.version) != (rollout.model, rollout.baseline):
            continue
        waiting = tx.get(SHADOW_SCORES, rollout.id, label.prediction_id)
        if waiting is not None:
            tx.remove(SHADOW_SCORES, rollout.id, label.prediction_id)
            yield _paired(waiting, label)


def _untidy(pairing: Pairing, judged: Sequence[Rollout]) -> bool:
    """Whether something that is kept is not to be kept."""
    under_way = {one.id for one in judged}
    return any(sample.passed is not None or sample.rollout not in under_way for sample in pairing.samples)


def _judged_by_labels(rollouts: Sequence[Rollout]) -> list[Rollout]:
    return [one for one in rollouts if one.strategy is Strategy.SHADOW and waits_for_labels(one.judge)]


def _keep(tx: Writer, rollouts: Sequence[Rollout], samples: dict[str, Sample], records: Iterable[Record]) -> None:
    """Scores with a label that is there already wait for the judge, all others for their label."""
    waiting: list[ShadowScore] = []
    for record in records:
        rollout = _asked_by(record, rollouts) if record.shadow and record.failure is None else None
        if rollout is None or not weight_at(rollout, record.revision.epoch, record.revision.n):
            continue
        for score in _scores(rollout, record):
            label = tx.get(LABELS, score.prediction_id)
            if label is None and samples[rollout.id].takes(score.prediction_id):
                waiting.append(score)
            elif label is not None and label.version == rollout.baseline:
                tx.add(LABELLED_PAIRS, _paired(score, label))
    tx.add_all(SHADOW_SCORES, waiting)


def _asked_by(record: Record, rollouts: Sequence[Rollout]) -> Rollout | None:
    """For which rollout the shadow was asked: one version may be tried in several segments at once."""
    found = [one for one in rollouts if (one.model, one.version) == (record.model, record.version)]
    if len(found) > 1 and record.prediction_ids:
        found = [one for one in found if concerns(one, segment_at(one, segment_place(record.prediction_ids[0])))]
    return next(iter(found), None)


def _scores(rollout: Rollout, record: Record) -> Iterator[ShadowScore]:
    """One for each row. Scores as exact as the champion's are in its prediction ids: equal ones must stay equal."""
    for prediction_id, score in zip(record.prediction_ids, record.scores, strict=True):
        yield ShadowScore(rollout.id, prediction_id, _single.unpack(_single.pack(score))[0])


def _paired(score: ShadowScore, label: Label | Feedback) -> LabelledPair:
    return LabelledPair(score.rollout, score.prediction_id, label.key, score.score, label.score, label.label)


def _tidied(tx: Writer, sample: Sample) -> Sample | None:
    """The sample after some of what is not to be kept was removed; None once nothing is left of a rollout that ended."""
    if not under_way(rollout_by(tx, sample.rollout)):
        return None if _emptied(tx, sample.rollout) else sample
    if sample.passed is None and tx.count(SHADOW_SCORES, rollout=sample.rollout) > MOST:
        sample = replace(sample, halvings=sample.halvings + 1, passed=0)
    return sample if sample.passed is None else _thinned(tx, sample, sample.passed)


def _emptied(tx: Writer, rollout: str) -> bool:
    """Remove what is kept for a rollout that ended, as much as one transaction may; whether nothing is left."""
    scores, pairs = tx.find(SHADOW_SCORES, rollout=rollout, limit=PAGE), tx.find(LABELLED_PAIRS, rollout=rollout, limit=PAGE)
    for score in scores:
        tx.remove(SHADOW_SCORES, rollout, score.prediction_id)
    for pair in pairs:
        tx.remove(LABELLED_PAIRS, rollout, pair.prediction_id)
    return len(scores) < PAGE and len(pairs) < PAGE


def _thinned(tx: Writer, sample: Sample, passed: int) -> Sample:
    page = tx.find(SHADOW_SCORES, rollout=sample.rollout, limit=PAGE, offset=passed)
    out = [one for one in page if not sample.takes(one.prediction_id)]
    for one in out:
        tx.remove(SHADOW_SCORES, sample.rollout, one.prediction_id)
    return replace(sample, passed=passed + len(page) - len(out) if len(page) == PAGE else None)
