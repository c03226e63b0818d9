"""Lessons that are not believed any more stop the learning, and people come before it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.domain.events import Action
from lockgate.domain.learning import LearningState
from lockgate.domain.models import Stage
from lockgate.domain.rollouts import Margin, Phase, Plan, Signal, Strategy
from lockgate.kernel.errors import Conflict, NotFound, Refused
from lockgate.testing.learners import weights
from lockgate.usecases.find_things import version_of
from lockgate.usecases.resume_learning import resume_learning
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.stop_learning import stop_learning
from tests.journeys.online import (
    ADA,
    EVERY,
    JUDGE,
    ONLINE,
    PLAN,
    Service,
    actions,
    begin,
    drifting,
    package,
    phases,
    registered,
)

# The alarm


def test_flipped_labels_stop_it_within_some_rows_and_what_waits_is_not_learned() -> None:
    service = begin()
    service.live(service.stream.rows(EVERY + 100))
    service.stream.flipped = True
    service.live(service.stream.rows(100))
    learning = service.learning
    assert (learning.state, learning.changed_by) == (LearningState.STOPPED, "learner")
    assert 300 < learning.learned < 340
    assert abs(learning.clean - 300) <= 5
    assert "rose above 35%" in learning.reason
    assert service.route.learns is False
    assert phases(service.rollouts)[-1] == (2, Phase.ABORTED)
    assert Action.LEARNING_STOPPED in actions(service)
    assert len(service.checkpoints) == 1


def poisoned(every: int = 100) -> Service:
    """Checkpoints that learned what nobody should believe came into Production before the alarm could be sure."""
    wide = replace(JUDGE, margins=JUDGE.margins | {"labels": Margin(2.0, 0.005)})
    service = begin(replace(PLAN, judge=wide, online=replace(ONLINE, every=every, run_length=1e12)))
    service.live(service.stream.rows(300))
    assert service.learning.state is LearningState.OPEN
    service.stream.wrong = 0.5  # the truth is a coin now: checkpoints are no worse than the champion
    service.live(service.stream.rows(1500), portion=25)
    return service


def suspected(service: Service) -> list[int]:
    return [one.version for one in service.checkpoints if one.learned and one.learned.end > service.learning.clean]


def test_a_champion_that_learned_suspected_rows_goes_back_to_what_did_not() -> None:
    service = poisoned()
    learning, champion = service.learning, service.champion
    assert learning.state is LearningState.STOPPED
    tainted = suspected(service)
    stood = {one.version for one in service.rollouts if one.phase is Phase.PROMOTED and not one.back}
    assert stood & set(tainted), "otherwise there was nothing to go back from"
    assert champion.version not in tainted
    last = [one for one in service.rollouts if one.phase is Phase.PROMOTED][-1]
    assert (last.back, last.version, last.started_by) == (True, champion.version, "learner")
    assert Action.ROLLED_BACK in actions(service)
    assert service.route.learns is False


def test_the_retained_version_is_back_at_once() -> None:
    service = poisoned()
    *_, last, back = [one for one in service.rollouts if one.phase is Phase.PROMOTED]
    assert (back.version, back.back) == (last.baseline, True)
    assert back.ended_at == back.started_at


def test_where_the_retained_version_is_suspected_too_an_older_one_is_loaded() -> None:
    service = poisoned(every=50)
    *_, last, back = [one for one in service.rollouts if one.phase is Phase.PROMOTED]
    assert {last.version, last.baseline} <= set(suspected(service))
    assert (back.back, back.version) == (True, service.champion.version)
    assert back.version not in suspected(service)


def test_a_person_lets_it_learn_again_from_the_champion_at_the_end_of_the_log() -> None:
    service = begin()
    service.stream.flipped = True
    service.live(service.stream.rows(100))
    assert service.route.learns is False
    resumed = resume_learning(service.world, "m", ADA)
    assert (resumed.state, resumed.began, resumed.base, resumed.changed_by) == (LearningState.OPEN, 100, 1, "ada")
    service.stream.flipped = False
    service.live(service.stream.rows(EVERY))
    assert [(one.learned.first, one.learned.end) for one in service.checkpoints if one.learned] == [(100, 300)]
    with pytest.raises(Conflict, match="learns already"):
        resume_learning(service.world, "m", ADA)


def test_a_person_stops_it_and_what_is_judged_ends() -> None:
    service = drifting(1)
    stopped = stop_learning(service.world, "m", ADA, "the sensors are being changed")
    assert (stopped.state, stopped.reason) == (LearningState.STOPPED, "the sensors are being changed")
    assert service.rollouts[0].phase is Phase.ABORTED
    assert service.route.learns is False
    service.live(service.stream.rows(EVERY))
    assert service.learning == stopped
    with pytest.raises(Conflict, match="stopped already by ada"):
        stop_learning(service.world, "m", ADA, "again")


def test_what_does_not_learn_cannot_be_stopped_or_resumed() -> None:
    service = begin(Plan())
    with pytest.raises(NotFound):
        stop_learning(service.world, "m", ADA, "")
    with pytest.raises(NotFound):
        resume_learning(service.world, "m", ADA)


# People come first


def test_another_version_replaces_and_begins_a_course() -> None:
    service = drifting(1)
    before = service.learning
    registered(service.world, 3, package(service.world, weights(rate=0.1, old=6.0, new=12.0)))
    with service.world.state.write() as tx:
        rollout = open_rollout(tx, version_of(tx, "m", 3), "production", ADA, service.world.clock.now())
    assert rollout.strategy is Strategy.REPLACE
    assert service.rollouts[0].phase is Phase.ABORTED, "the checkpoint gave way"
    service.turn()
    service.turn()
    assert service.champion.version == 3
    learning = service.learning
    assert learning.course != before.course
    assert (learning.base, learning.began, learning.learned) == (3, EVERY, EVERY)
    service.live(service.stream.rows(EVERY))
    assert service.checkpoints[-1].learned is not None
    assert service.checkpoints[-1].learned.parent == 3


def test_a_roll_back_begins_a_course_too() -> None:
    service = drifting(3)
    assert service.champion.version == 2
    before = service.learning
    rollout = roll_back(service.world, "m", ADA, "we do not like it")
    assert (rollout.version, rollout.phase) == (1, Phase.PROMOTED)
    service.turn()
    assert service.learning.course != before.course
    assert service.learning.base == 1


def test_any_checkpoint_that_stood_in_production_can_be_gone_back_to() -> None:
    service = drifting(3)
    steer(service.world, _trial(service), Signal.PROMOTE, ADA)
    service.turn()
    service.live(service.stream.rows(EVERY))
    steer(service.world, _trial(service), Signal.PROMOTE, ADA)
    service.turn()
    assert service.champion.version > 2
    never = next(one.version for one in service.checkpoints if one.stage is Stage.NONE)
    with pytest.raises(Refused):
        roll_back(service.world, "m", ADA, to=never)
    rollout = roll_back(service.world, "m", ADA, to=1)
    assert (rollout.phase, rollout.back, rollout.strategy) == (Phase.PREPARING, True, Strategy.REPLACE)
    service.turn()
    assert service.champion.version == 1
    service.turn()
    assert service.learning.base == 1


def _trial(service: Service) -> str:
    for _ in range(10):
        under_way = [one.id for one in service.rollouts if one.phase is Phase.PROGRESSING]
        if under_way:
            return under_way[0]
        service.live(service.stream.rows(EVERY))
    raise AssertionError("no checkpoint is being judged")
