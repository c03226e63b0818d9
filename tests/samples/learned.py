"""A model that learns online, as it stands after nine checkpoints: what its pages, shapes and verbs are tested with."""

from __future__ import annotations

from datetime import timedelta

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evidence import Observation
from lockgate.domain.learning import Learned, Learning, LearningState, LessonLog, Online
from lockgate.domain.models import Stage
from lockgate.domain.projects import Environment
from lockgate.domain.rollouts import JudgePolicy, Outcome, Phase, Plan, Rollout, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.ports.state import JOURNAL, LEARNINGS, LESSON_LOGS, MODELS, PROJECTS, ROLLOUTS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.clock import START
from lockgate.usecases.world import World

TOLLS = "tolls"
JUDGE = JudgePolicy(metrics=("labels",), label_event=LabelEvent("wrong", 0.5))
PLAN = Plan(Strategy.ONLINE, judge=JUDGE, online=Online(1000, 0.35, 1e7))
RATES = (0.21, 0.24, 0.29, 0.27, 0.22, 0.2, 0.19, 0.2, 0.18)
PROMOTED = (2, 4, 5, 7)  # versions; the last one serves, 10 is under way


def learns(world: World, *, state: LearningState = LearningState.OPEN, reason: str = "", by: str = "") -> Learning:
    """Version 1 is the base; 2 to 10 are checkpoints of 1,000 rows each, of which 10 is being judged."""
    at = START + timedelta(hours=9)
    learning = a.learning(
        model=TOLLS, course="course-7", learned=9_600, checkpoint=10, checkpoint_at=9_000, champion=PROMOTED[-1],
        bets=(4.0, -2.0), clean=9_480, state=state, changed_at=at, changed_by=by, reason=reason, rows=9_600, events=2_100,
    )  # fmt: skip
    with world.state.write() as tx:
        tx.put(PROJECTS, a.project(model=TOLLS, environments={"production": Environment(PLAN)}))
        tx.put(MODELS, a.registered_model(name=TOLLS, latest_version=10))
        tx.put(VERSIONS, a.version(1, model=TOLLS, digest=a.digest("tolls 1"), stage=Stage.ARCHIVED))
        for number, rate in enumerate(RATES, start=2):
            stage = Stage.PRODUCTION if number == PROMOTED[-1] else Stage.NONE
            learned = Learned("course-7", number - 1, 1_000 * (number - 2), 1_000 * (number - 1), a.digest(f"lessons {number}"))
            made = START + timedelta(hours=number)
            own = {"digest": a.digest(f"tolls {number}"), "created_at": made, "metrics": {"event_rate": rate, "n": 1000.0}}
            tx.put(VERSIONS, a.version(number, model=TOLLS, stage=stage, learned=learned, **own))
            if number != 3:  # another one was being judged
                tx.put(ROLLOUTS, rollout_of(number))
        tx.put(LEARNINGS, learning)
        tx.put(LESSON_LOGS, LessonLog(TOLLS, 9_640))
        for seq in range(4):
            evidence = {"harm/labels": -0.4 - seq / 2, "harm": -0.4 - seq / 2, "safe/labels@0": 0.4 + seq / 2}
            row = {"rollout": "rollout-10", "seq": seq, "at": START + timedelta(hours=10, minutes=seq), "step": 0}
            tx.put(JOURNAL, a.journal_row(observations=(observed(seq),), evidence=evidence, **row))
    return learning


def rollout_of(number: int) -> Rollout:
    began = START + timedelta(hours=number)
    own = {
        "id": f"rollout-{number}",
        "model": TOLLS,
        "version": number,
        "digest": a.digest(f"tolls {number}"),
        "started_at": began,
    }
    own |= {"strategy": Strategy.ONLINE, "steps": (), "step": 0, "judge": JUDGE, "unit": "request", "started_at": began}
    own |= {"baseline": max((one for one in (1, *PROMOTED) if one < number), default=1), "started_by": "controller"}
    if number == 10:
        return a.rollout(**own, phase=Phase.PROGRESSING, rows=4)
    verdict = JudgeVerdict.SAFE if number in PROMOTED else JudgeVerdict.HARM if number == 6 else JudgeVerdict.INCONCLUSIVE
    phase = Phase.PROMOTED if number in PROMOTED else Phase.ABORTED
    outcome = Outcome(verdict, ("labels",), f"labels 20.00 % (200 of 1000), checkpoint {number}", requests=1_000)
    return a.rollout(**own, phase=phase, verdict=verdict, ended_at=began + timedelta(minutes=40), outcome=outcome)


def observed(seq: int) -> Observation:
    """150 rows that both scored: the checkpoint is wrong about 27, the champion about 33, both about 21."""
    rows = range(150 * seq, 150 * (seq + 1))
    own = tuple((row, int(row % 150 < 27)) for row in rows)
    other = tuple((row, int(6 <= row % 150 < 39)) for row in rows)
    return a.observation(canary=a.arm_observation(labels=own), baseline=a.arm_observation(labels=other))
