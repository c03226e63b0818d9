"""Judged by how far scores are from the truth, not by a yes or no: a shadow whose labels come late, and checkpoints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.boundary.observations import Feedback
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.rollouts import JudgePolicy, Loss, Phase, Rollout
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.reading.progress import Folds
from lockgate.ports.state import JOURNAL
from lockgate.testing.learners import weights
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.note_missing_labels import missing_labels, note_missing_labels
from lockgate.usecases.pair_labels import pair_labels
from lockgate.usecases.replay_rollout import replay_rollout
from lockgate.usecases.world import World
from tests.journeys import online
from tests.journeys.test_shadow import Service, begin, look

LOSS = JudgePolicy(metrics=("loss",), loss=Loss("brier"), max_units=3000)
LATE = 5  # blocks from an answer to its label
DAY = 86_400.0


def run(world: World, rollout: Rollout, service: Service, blocks: int, judges: Judges | None = None) -> Rollout:
    """Blocks of a hundred requests; the labels of each come some blocks later."""
    unlabelled: list[list[str]] = []
    for _ in range(blocks):
        world.clock.advance(0.2)  # type: ignore[attr-defined]
        service.acknowledge()
        unlabelled.append(service.answer(100))
        if len(unlabelled) > LATE:
            service.label(unlabelled.pop(0))
        pair_labels(world, service.records)
        advance_rollouts(world, judges or Judges())  # new ones begin from the journal
        if look(world, rollout).ended_at:
            break
    return look(world, rollout)


def test_a_shadow_whose_scores_are_as_near_the_truth_is_promoted() -> None:
    world, rollout, service = begin(LOSS)
    ended = run(world, rollout, service, 40)
    assert (ended.phase, ended.verdict) == (Phase.PROMOTED, JudgeVerdict.SAFE)
    assert ended.outcome is not None
    assert ended.outcome.metrics == ("loss",)
    assert ended.outcome.detail.startswith("The shadow is proven safe: loss 0.1")
    assert replay_rollout(world, rollout.id).same


def test_a_shadow_whose_scores_are_farther_from_the_truth_goes_home() -> None:
    """It says otherwise in 5 %, and is mostly the wrong one then: .11 becomes .13."""
    world, rollout, service = begin(LOSS)
    service.differing[2] = 0.05
    ended = run(world, rollout, service, 60)
    assert ended.outcome is not None
    assert (ended.phase, ended.outcome.verdict, ended.outcome.metrics) == (Phase.ABORTED, JudgeVerdict.HARM, ("loss",))
    assert replay_rollout(world, rollout.id).same


def test_a_controller_that_never_restarts_says_the_same_as_one_that_does_at_every_tick() -> None:
    said = []
    for judges in (Judges(), None):
        world, rollout, service = begin(LOSS)
        service.differing[2] = 0.05
        run(world, rollout, service, 12, judges)
        with world.state.read() as tx:
            said.append([row.evidence for row in tx.find(JOURNAL, rollout=rollout.id)])
    assert said[0] == said[1]


def test_people_see_both_means_and_their_difference() -> None:
    world, rollout, service = begin(LOSS)
    service.differing[2] = 0.05
    run(world, rollout, service, 9)
    folds = Folds()
    with world.state.read() as tx:
        seen = folds.progress(tx, rollout.id).pairs.figures()
    assert (seen.units, seen.left_out) == (400, 0)
    assert -1 < seen.low < seen.shadow - seen.champion < seen.high < 1
    assert 0.0625 < seen.champion < seen.shadow
    run(world, rollout, service, 7)
    with world.state.read() as tx:
        assert folds.progress(tx, rollout.id).pairs == Folds().progress(tx, rollout.id).pairs


def test_users_count_once() -> None:
    world, rollout, service = begin(replace(LOSS, requests_per_unit=2), unit="header:x-user")
    service.label(service.answer(300, units=20))
    pair_labels(world, service.records)
    advance_rollouts(world, Judges())
    with world.state.read() as tx:
        assert Folds().progress(tx, rollout.id).pairs.losses.units == 20


def test_labels_that_are_neither_true_nor_false_are_left_out_and_told() -> None:
    world, rollout, service = begin(replace(LOSS, max_units=100))
    ids = service.answer(100)
    pair_labels(world, service.records)
    service.send((), tuple(Feedback(one, "m", 1, service.revision, *service.answered[one][:2], 17.5, 0.0, 0.0) for one in ids))
    advance_rollouts(world, Judges())
    held = look(world, rollout)
    assert (held.phase, held.verdict) == (Phase.HOLDING, JudgeVerdict.INCONCLUSIVE)
    with world.state.read() as tx:
        assert Folds().progress(tx, rollout.id).pairs.left_out == 100


def test_labels_that_never_come_are_missed() -> None:
    world, rollout, service = begin(LOSS)
    service.answer(10)
    pair_labels(world, service.records)
    advance_rollouts(world, Judges())
    world.clock.advance(DAY + 1)  # type: ignore[attr-defined]
    note_missing_labels(world)
    with world.state.read() as tx:
        said = missing_labels(tx, look(world, rollout))
    assert said.startswith("10 pairs wait for their labels")
    assert "leave loss out of judge: metrics" in said
    service.label(service.answered)
    advance_rollouts(world, Judges())
    note_missing_labels(world)
    assert look(world, rollout).labelled_at == world.clock.now()
    assert look(world, rollout).unlabelled_since is None


JUDGE = replace(online.JUDGE, metrics=("loss",), loss=Loss("brier"), label_event=LabelEvent("wrong", 0.5))
PLAN = replace(online.PLAN, judge=JUDGE)


def test_checkpoints_that_follow_a_drift_are_promoted_by_their_loss() -> None:
    service = online.begin(PLAN)
    service.stream.drifted = True
    service.live(service.stream.rows(3 * online.EVERY))
    assert service.champion.version == 2
    ended = service.rollouts[0]
    assert ended.outcome is not None
    assert ended.outcome.detail.startswith("The checkpoint is proven safe: loss 0.")
    assert replay_rollout(service.world, ended.id).same


def test_a_checkpoint_that_lost_what_it_knew_is_aborted_by_its_loss() -> None:
    service = online.begin(
        replace(PLAN, online=replace(online.ONLINE, every=40)),
        weights(rate=-2.0, old=6.0),
    )
    service.live(service.stream.rows(600))
    harmed = [one for one in service.rollouts if one.verdict is JudgeVerdict.HARM]
    assert harmed
    assert all(one.outcome and one.outcome.metrics == ("loss",) for one in harmed)
    assert service.champion.version == 1


@pytest.mark.parametrize("metrics", [("loss",), ("labels", "loss")])
def test_the_alarm_goes_on_looking_at_the_event(metrics: tuple[str, ...]) -> None:
    service = online.begin(replace(PLAN, judge=replace(JUDGE, metrics=metrics)))
    service.live(service.stream.rows(200))
    service.stream.flipped = True
    service.live(service.stream.rows(300))
    assert service.learning.state.value == "stopped"
