"""A model learns while it serves: lessons become checkpoints, and evidence promotes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.boundary.manifest import decode
from lockgate.boundary.routes import Role
from lockgate.domain.events import Action
from lockgate.domain.learning import LearningState
from lockgate.domain.rollouts import Phase, Plan, Strategy
from lockgate.kernel.errors import Invalid
from lockgate.ports.state import JOURNAL, LABELLED_PAIRS, LESSONS
from lockgate.testing.learners import MemoryLearners, weights
from lockgate.usecases.find_things import version_of
from lockgate.usecases.live_models import LiveModels
from lockgate.usecases.replay_learning import replay_learning
from lockgate.usecases.replay_rollout import replay_rollout
from lockgate.usecases.start_rollout import open_rollout
from tests.journeys.online import (
    ADA,
    EVERY,
    JUDGE,
    ONLINE,
    PLAN,
    Rows,
    Stream,
    actions,
    begin,
    drifting,
    learned_alone,
    package,
    phases,
    registered,
    set_plan,
)

# Learning


def test_what_stands_in_production_begins_to_learn() -> None:
    service = begin()
    learning = service.learning
    assert (learning.base, learning.champion, learning.began, learning.state) == (1, 1, 0, LearningState.OPEN)
    assert service.route.learns is True
    assert Action.LEARNING_BEGAN in actions(service)


def test_a_model_that_is_not_to_learn_has_no_learning() -> None:
    service = begin(Plan())
    assert service.route.learns is None


def test_checkpoints_are_made_at_exactly_every_so_many_rows_of_what_the_model_learned() -> None:
    service, rows = begin(), Stream().rows(3 * EVERY + 50)
    service.live(rows, portion=70, size=3)
    made = service.checkpoints
    assert [(one.learned.first, one.learned.end, one.learned.parent) for one in made if one.learned] == [
        (0, 200, 1),
        (200, 400, 2),
        (400, 600, 3),
    ]
    manifests = [decode(service.world.artifacts.get(one.digest), one.digest) for one in made]
    assert [one.files[0].digest for one in manifests] == learned_alone(rows)
    assert service.learning.learned == len(rows)


def test_a_checkpoint_names_where_it_came_from_and_says_what_its_own_model_says() -> None:
    service = begin()
    service.live(service.stream.rows(EVERY))
    (made,) = service.checkpoints
    manifest = decode(service.world.artifacts.get(made.digest), made.digest)
    assert made.learned is not None
    assert manifest.lineage.data == {"rows": "sha256:1", "lessons": made.learned.lessons, "parent": service.version(1).digest}
    assert (made.author, made.run, manifest.lineage.author) == ("learner", "run-1", "learner")
    assert 0 < made.metrics["event_rate"] < 0.2
    learner = MemoryLearners().open(manifest, {one.name: service.world.artifacts.get(one.digest) for one in manifest.files})
    given = manifest.golden.inputs
    asked = [learner.score({name: values[i] for name, values in given.items()}) for i in range(2)]
    assert manifest.golden.scores == asked


def test_drift_makes_checkpoints_win_and_nobody_meets_one_before_it_is_proven() -> None:
    service = drifting(1)
    (rollout,) = service.rollouts
    assert (rollout.strategy, rollout.version, rollout.started_by) == (Strategy.ONLINE, 2, "learner")
    assert not service.route.shadows
    assert {arm.version: (arm.role, arm.weight) for arm in service.route.arms} == {1: (Role.CHAMPION, 1.0), 2: (Role.PINNED, 0.0)}
    service.live(service.stream.rows(2 * EVERY))
    assert service.champion.version == 2
    ended = service.rollouts[0]
    assert ended.outcome is not None
    assert ended.outcome.detail.startswith("The checkpoint is proven safe: labels ")
    assert replay_rollout(service.world, rollout.id).same
    assert service.learning.champion == 2
    assert service.learning.base == 1, "the course goes on under its own checkpoint"


def test_a_checkpoint_that_proves_nothing_gives_way_to_the_next() -> None:
    service = begin(replace(PLAN, judge=replace(JUDGE, max_units=100, beta=1e-9)))
    service.live(service.stream.rows(3 * EVERY))
    ended = [one for one in service.rollouts if one.ended_at]
    assert ended
    assert {one.phase for one in ended} == {Phase.ABORTED}
    assert len(service.rollouts) >= 2
    assert all("not proven" in one.outcome.detail for one in ended if one.outcome)
    assert service.champion.version == 1


def test_a_checkpoint_that_does_harm_is_aborted() -> None:
    service = begin(replace(PLAN, online=replace(ONLINE, every=40)), weights(rate=-2.0, old=6.0))
    service.live(service.stream.rows(600))
    assert Phase.ABORTED in {phase for _, phase in phases(service.rollouts)}
    assert service.champion.version == 1


def test_the_judge_is_told_of_rows_that_the_checkpoint_had_not_learned() -> None:
    service = drifting(3)
    rollout = service.rollouts[0]
    with service.world.state.read() as tx:
        seen = sum(len(one.canary.labels) for row in tx.find(JOURNAL, rollout=rollout.id) for one in row.observations)
        waiting = tx.count(LABELLED_PAIRS, rollout=rollout.id)
    assert seen
    assert not waiting


def test_the_log_keeps_what_a_new_start_needs_and_no_more() -> None:
    service = begin()
    service.live(service.stream.rows(5 * EVERY + 10))
    with service.world.state.read() as tx:
        kept = tx.find(LESSONS, model="m")
    assert kept[0].seq == 4 * EVERY
    service.models = LiveModels()
    service.live(service.stream.rows(EVERY))
    assert len(service.checkpoints) == 6


# What cannot learn


def test_a_runtime_that_does_not_learn_is_named_and_tried_again_with_the_next_champion() -> None:
    service = begin(runtime="onnx")
    learning = service.learning
    assert learning.state is LearningState.STOPPED
    assert "'onnx'" in learning.reason
    assert "memory" in learning.reason
    assert service.route.learns is False
    seen = len(actions(service))
    service.turn()
    assert len(actions(service)) == seen, "it is said once"
    registered(service.world, 2, package(service.world, weights(old=6.0)))
    with service.world.state.write() as tx:
        open_rollout(tx, version_of(tx, "m", 2), "production", ADA, service.world.clock.now())
    service.turn()
    service.turn()
    assert (service.learning.state, service.learning.base) == (LearningState.OPEN, 2)


def test_a_model_that_raises_is_stopped_with_what_it_said() -> None:
    service = begin()
    rows: Rows = [*service.stream.rows(10), ({"old": "north", "new": 0.0}, 1.0)]
    service.live(rows)
    learning = service.learning
    assert learning.state is LearningState.STOPPED
    assert "old hold no numbers" in learning.reason
    service.turn()
    assert service.learning == learning


def test_rows_of_other_inputs_are_passed_over() -> None:
    service = begin()
    strange: Rows = [({"other": 1.0}, 1.0)] * 50
    service.live([*service.stream.rows(100), *strange, *service.stream.rows(50)])
    assert service.learning.rows == 150
    assert [one.learned.end for one in service.checkpoints if one.learned] == [200]
    assert replay_learning(service.world, "m", 2)[0].same


def test_a_plan_that_changes_its_mind_stops_it() -> None:
    service = begin()
    set_plan(service.world, Plan())
    service.turn()
    assert service.learning.state is LearningState.STOPPED
    assert "replace" in service.learning.reason


# Replay


def test_a_checkpoint_whose_lessons_were_altered_is_found() -> None:
    service = begin()
    service.live(service.stream.rows(3 * EVERY))
    assert [one.same for one in replay_learning(service.world, "m", 4)] == [True] * 3
    learned = service.version(3).learned
    assert learned is not None
    service.world.artifacts.damage(learned.lessons, b"")  # type: ignore[attr-defined]
    replayed = replay_learning(service.world, "m", 4)
    assert [(one.version, one.same, one.rows) for one in replayed] == [(2, True, EVERY), (3, False, EVERY), (4, True, EVERY)]
    assert learned.lessons in replayed[1].says


def test_a_version_that_people_built_has_nothing_to_be_replayed() -> None:
    with pytest.raises(Invalid, match="learned nothing online"):
        replay_learning(begin().world, "m", 1)
