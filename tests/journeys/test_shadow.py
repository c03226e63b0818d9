"""A shadow from its first block to its end: pairs become evidence, labels find their pairs, evidence becomes a promotion."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.histogram import bucket
from lockgate.boundary.observations import DISAGREED, FAILED, Block, Cell, Feedback, UnitOutcome
from lockgate.boundary.records import Record
from lockgate.boundary.routes import LabelEvent, Revision, Route, Shadow
from lockgate.boundary.selector import unit_key
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import Agreement, JudgePolicy, Phase, Plan, Rollout, Signal, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.errors import Conflict
from lockgate.ports.records import Batch, Cursor
from lockgate.ports.state import (
    INBOX,
    JOURNAL,
    LABELLED_PAIRS,
    MODELS,
    PAIRINGS,
    PROJECTS,
    SHADOW_SCORES,
    VERSIONS,
    WORKERS,
    Received,
    Worker,
)
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.records import MemoryRecords
from lockgate.testing.state import MemoryState
from lockgate.usecases import pair_labels as pairing
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.find_things import rollout_by, version_of
from lockgate.usecases.pair_labels import pair_labels
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.replay_rollout import replay_rollout
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World

ADA = Actor("ada")
UNLABELLED = JudgePolicy(metrics=("agreement", "errors"), agreement=Agreement(0.9, threshold=0.5))
LABELLED = replace(UNLABELLED, metrics=("agreement", "errors", "labels"), label_event=LabelEvent("wrong", 0.5))
HIGH, LOW = 0.75, 0.25  # scores on either side of the threshold
_SCALE = 2.0**64


@dataclass
class Service:
    """A data plane in the small: the champion answers, shadows are asked as the routes in force say."""

    world: World
    records: MemoryRecords = field(default_factory=MemoryRecords)
    failing: dict[int, float] = field(default_factory=dict)  # by version
    differing: dict[int, float] = field(default_factory=dict)  # how often it scores on the other side
    wrong: float = 0.1  # how often the champion is
    random: random.Random = field(default_factory=lambda: random.Random(7))
    sequence: int = 0
    asked: int = 0
    answered: dict[str, tuple[int, float, Revision]] = field(default_factory=dict)  # id → key, score, revision

    @property
    def route(self) -> Route:
        with self.world.state.read() as tx:
            return route_table(tx).routes[0]

    @property
    def revision(self) -> Revision:
        with self.world.state.read() as tx:
            return route_table(tx).revision

    def acknowledge(self) -> None:
        now = self.world.clock.now().timestamp()
        with self.world.state.write() as tx:
            table = route_table(tx)
            packages = {digest: PackageState(Readiness.READY) for digest in table.digests()}
            tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", table.revision, now, packages)))

    def answer(self, requests: int, units: int = 0) -> list[str]:
        """So many requests, of so many users; their prediction ids."""
        ids = []
        route, revision = self.route, self.revision
        cells: dict[int, _Counting] = {}
        for _ in range(requests):
            self.asked += 1
            unit = f"user {self.random.randrange(units)}" if units else str(self.asked)
            key, score, prediction_id = unit_key(route.salt, unit), self.random.choice((HIGH, LOW)), f"p{self.asked}"
            ids.append(prediction_id)
            self.answered[prediction_id] = (key, score, revision)
            for shadow in route.shadows:
                if key / _SCALE < shadow.share:
                    counting = cells.setdefault(shadow.version, _Counting(sticky=units > 0))
                    self.records.append([self._shown(shadow, counting, revision, prediction_id)])
        champion = Cell("m", route.champion.version if route.champion else 0, revision, requests, {}, {bucket(0.01): requests})
        self.send((champion, *(one.cell(version, revision) for version, one in cells.items())))
        return ids

    def _shown(self, shadow: Shadow, counting: _Counting, revision: Revision, prediction_id: str) -> Record:
        key, given, _ = self.answered[prediction_id]
        if self.random.random() < self.failing.get(shadow.version, 0.0):
            counting.count(key, FAILED)
            return Record(prediction_ids=(), model="m", version=shadow.version, revision=revision, answered_at=0.0, inputs={},
                          scores=(), failure="error: it raised", pair=prediction_id, shadow=True)  # fmt: skip
        differs = self.random.random() < self.differing.get(shadow.version, 0.0)
        counting.count(key, DISAGREED if differs else 0)
        score = {HIGH: LOW, LOW: HIGH}[given] if differs else given
        return Record(prediction_ids=(prediction_id,), model="m", version=shadow.version, revision=revision, answered_at=0.0,
                      inputs={}, scores=(score,), pair=prediction_id, shadow=True)  # fmt: skip

    def label(self, ids: Iterable[str]) -> None:
        """The truth, by which the champion is wrong as often as said."""
        feedback = []
        for prediction_id in ids:
            key, score, revision = self.answered[prediction_id]
            truth = (score >= 0.5) != (self.random.random() < self.wrong)
            champion = self.route.champion
            assert champion is not None
            feedback.append(Feedback(prediction_id, "m", champion.version, revision, key, score, float(truth), 0.0, 0.0))
        self.send((), tuple(feedback))

    def send(self, cells: tuple[Cell, ...], feedback: tuple[Feedback, ...] = ()) -> None:
        now = self.world.clock.now().timestamp()
        with self.world.state.write() as tx:
            tx.add(INBOX, Received("0", "w", self.sequence, Block("0", "w", self.sequence, now, now, cells, feedback)))
        self.sequence += 1


@dataclass
class _Counting:
    sticky: bool
    outcomes: list[UnitOutcome] = field(default_factory=list)

    def count(self, key: int, bits: int) -> None:
        self.outcomes.append(UnitOutcome(key, bits))

    def cell(self, version: int, revision: Revision) -> Cell:
        asked = len(self.outcomes)
        failed = sum(one.bits == FAILED for one in self.outcomes)
        disagreed = sum(one.bits == DISAGREED for one in self.outcomes)
        return Cell(
            "m",
            version,
            revision,
            asked,
            {"error": failed} if failed else {},
            {bucket(0.02): asked - failed},
            units=tuple(self.outcomes) if self.sticky else (),
            shadow=True,
            agreed=asked - failed - disagreed,
            disagreed=disagreed,
            deltas={bucket(0.5): disagreed, 0: asked - failed - disagreed},
        )


def home(policy: JudgePolicy = UNLABELLED, share: float = 1.0, unit: str = "request", versions: int = 2) -> World:
    """Version 1 in Production, others registered; Production is entered as a shadow."""
    world = World(MemoryState(), MemoryArtifacts(), VirtualClock())
    now, plan = world.clock.now(), Plan(Strategy.SHADOW, (), unit, policy, share=share)
    with world.state.write() as tx:
        tx.put(MODELS, RegisteredModel("m", now, versions))
        tx.put(PROJECTS, ProjectRecord("m", "/p", Deployment.MANUAL, {"production": Environment(plan)}))
        for number in range(1, versions + 1):
            stage = Stage.PRODUCTION if number == 1 else Stage.NONE
            tx.put(VERSIONS, ModelVersion("m", number, f"sha256:{number}", f"run-{number}", "ada", now, dirty=False, stage=stage))
        publish_routes(tx, "m")
    return world


def opened(world: World, version: int) -> Rollout:
    with world.state.write() as tx:
        return open_rollout(tx, version_of(tx, "m", version), "production", ADA, world.clock.now())


def begin(policy: JudgePolicy = UNLABELLED, share: float = 1.0, unit: str = "request") -> tuple[World, Rollout, Service]:
    """Version 2 as a shadow that is ready."""
    world = home(policy, share, unit)
    rollout, service = opened(world, 2), Service(world)
    service.acknowledge()
    advance_rollouts(world, Judges())
    return world, look(world, rollout), service


def look(world: World, rollout: Rollout) -> Rollout:
    with world.state.read() as tx:
        return rollout_by(tx, rollout.id)


def run(world: World, rollout: Rollout, service: Service, blocks: int, size: int = 100, *, labels: bool = False) -> Rollout:
    judges = Judges()
    for _ in range(blocks):
        world.clock.advance(0.2)  # type: ignore[attr-defined]
        service.acknowledge()
        ids = service.answer(size)
        if labels:
            service.label(ids)
            pair_labels(world, service.records)
        advance_rollouts(world, judges)
        if look(world, rollout).ended_at:
            break
    return look(world, rollout)


def pairs_journaled(world: World, rollout: Rollout) -> list[int]:
    """The keys of the labelled pairs that the judge saw."""
    with world.state.read() as tx:
        rows = tx.find(JOURNAL, rollout=rollout.id)
    return [key for row in rows for one in row.observations for key, _ in one.canary.labels]


def test_a_shadow_that_says_the_same_is_promoted_and_nobody_was_exposed() -> None:
    world, rollout, service = begin()
    assert rollout.phase is Phase.PROGRESSING
    assert [*service.route.shadows] == [Shadow(2, "sha256:2", 1.0, 0.5)]
    assert {arm.version: (arm.role.value, arm.weight) for arm in service.route.arms} == {1: ("champion", 1.0), 2: ("pinned", 0.0)}
    ended = run(world, rollout, service, 100)
    assert (ended.phase.value, ended.verdict) == ("promoted", JudgeVerdict.SAFE)
    assert ended.outcome is not None
    assert (ended.outcome.metrics, ended.outcome.exposed_requests) == (("agreement", "errors"), 0)
    assert [step.weight for step in ended.ramp] == [0.0, 1.0, 1.0]  # prepared, asked about all, answering all
    assert not service.route.shadows
    assert service.route.champion is not None
    assert service.route.champion.version == 2
    assert replay_rollout(world, rollout.id).same


def test_while_it_prepares_it_is_loaded_and_asked_about_nobody() -> None:
    world = home(share=0.5)
    rollout = opened(world, 2)
    assert Service(world).route.shadows[0].share == 0.0
    advance_rollouts(world, Judges())
    assert look(world, rollout).phase is Phase.PREPARING


def test_a_share_is_a_share_of_units() -> None:
    world, rollout, service = begin(share=0.25, unit="header:x-user")
    assert service.route.unit == "header:x-user"
    asked = [service.answered[one][0] / _SCALE for one in service.answer(400, units=200)]
    advance_rollouts(world, Judges())
    with world.state.read() as tx:
        row = tx.find(JOURNAL, rollout=rollout.id)[0]
    seen = [key / _SCALE for key, _ in row.observations[0].canary.units]
    assert sorted(seen) == sorted(place for place in asked if place < 0.25)
    assert row.observations[0].weight == 0.25


def test_a_shadow_that_says_otherwise_goes_home_and_the_champion_never_left() -> None:
    world, rollout, service = begin()
    service.differing[2] = 0.3
    ended = run(world, rollout, service, 100)
    assert (ended.phase, ended.verdict) == (Phase.ABORTED, JudgeVerdict.HARM)
    assert ended.outcome is not None
    assert ended.outcome.metrics == ("agreement",)
    assert ended.outcome.detail.startswith("The shadow would do harm: agreement 7")
    assert [(arm.version, arm.weight) for arm in service.route.arms] == [(1, 1.0)]
    advance_rollouts(world, Judges())
    assert look(world, rollout).outcome == ended.outcome  # the workers still route by the table before
    service.acknowledge()
    advance_rollouts(world, Judges())
    enforced = look(world, rollout).outcome
    assert enforced is not None
    assert enforced.enforced_at == world.clock.now()


def test_a_shadow_that_fails_goes_home() -> None:
    world, rollout, service = begin()
    service.failing[2] = 0.05
    ended = run(world, rollout, service, 100)
    assert ended.outcome is not None
    assert (ended.phase, ended.outcome.metrics) == (Phase.ABORTED, ("errors",))


def test_no_traffic_is_no_verdict_and_answers_of_the_champion_alone_are_none() -> None:
    world, rollout, service = begin()
    for _ in range(20):
        world.clock.advance(3600)  # type: ignore[attr-defined]
        service.acknowledge()
        service.send((Cell("m", 1, service.revision, 500, {"error": 100}, {bucket(0.01): 400}),))
        advance_rollouts(world, Judges())
    still = look(world, rollout)
    assert (still.phase, still.verdict, still.rows) == (Phase.PROGRESSING, JudgeVerdict.WAIT, 0)


def test_pairs_of_an_earlier_rollout_are_no_evidence() -> None:
    world, rollout, service = begin()
    service.send((Cell("m", 2, Revision(0, 0), 1000, {"error": 1000}, {}, shadow=True),))
    service.send((Cell("m", 2, service.revision, 1000, {"error": 1000}, {}),))  # nor what it answered by itself
    advance_rollouts(world, Judges())
    assert look(world, rollout).rows == 0


def test_too_many_pairs_without_proof_ask_a_person_who_may_grant_more() -> None:
    world, rollout, service = begin(replace(UNLABELLED, max_units=500))
    service.differing[2] = 0.1
    held = run(world, rollout, service, 5)
    assert (held.phase, held.verdict) == (Phase.HOLDING, JudgeVerdict.INCONCLUSIVE)
    assert service.route.shadows[0].share == 1.0  # asked on, so that harm is still seen
    steer(world, rollout.id, Signal.RESUME, ADA)
    assert run(world, rollout, service, 1).phase is Phase.PROGRESSING


def test_a_pause_keeps_a_proof_from_promoting_and_not_the_guard() -> None:
    world, rollout, service = begin()
    steer(world, rollout.id, Signal.PAUSE, ADA)
    assert run(world, rollout, service, 60).phase is Phase.PAUSED
    service.differing[2] = 0.9
    assert run(world, rollout, service, 60).phase is Phase.ABORTED


def test_one_user_who_always_differs_is_no_harm() -> None:
    world, rollout, service = begin(unit="header:x-user")
    revision, key = service.revision, unit_key(service.route.salt, "the one")
    for _ in range(50):
        units = (UnitOutcome(key, DISAGREED),) * 20
        service.send((Cell("m", 2, revision, 20, {}, {}, units=units, shadow=True, disagreed=20),))
        advance_rollouts(world, Judges())
    assert look(world, rollout).verdict is JudgeVerdict.WAIT


# Labels


def test_labels_prove_what_agreement_cannot() -> None:
    """It says otherwise in 2 % and is the wrong one in most of these: found by labels, with nothing else to say against it."""
    world, rollout, service = begin(replace(LABELLED, agreement=Agreement(0.5, threshold=0.5), beta=1e-9))
    service.differing[2], service.wrong = 0.02, 0.05
    ended = run(world, rollout, service, 300, labels=True)
    assert ended.outcome is not None
    assert (ended.phase, ended.outcome.metrics) == (Phase.ABORTED, ("labels",))
    assert " against 5." in ended.outcome.detail or " against 4." in ended.outcome.detail
    assert replay_rollout(world, rollout.id).same


def test_a_shadow_as_good_as_the_champion_is_promoted_by_its_labels() -> None:
    world, rollout, service = begin(LABELLED)
    ended = run(world, rollout, service, 300, labels=True)
    assert ended.phase is Phase.PROMOTED
    assert ended.outcome is not None
    assert ended.outcome.metrics == ("agreement", "errors", "labels")
    assert replay_rollout(world, rollout.id).same


@pytest.mark.parametrize("labels_first", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_each_label_meets_its_pair_once_whichever_comes_first(*, labels_first: bool, together: bool) -> None:
    world, rollout, service = begin(LABELLED)
    ids = service.answer(200)
    labelled = ids[:150]

    def labels() -> None:
        service.label(labelled)
        if not together:
            advance_rollouts(world, Judges())

    def records() -> None:
        pair_labels(world, service.records)

    for step in (labels, records) if labels_first else (records, labels):
        step()
    for _ in range(3):
        service.label(labelled)  # sent again: no new evidence
        advance_rollouts(world, Judges())
        pair_labels(world, service.records)
    advance_rollouts(world, Judges())
    assert sorted(pairs_journaled(world, rollout)) == sorted(service.answered[one][0] for one in labelled)
    with world.state.read() as tx:
        assert {one.prediction_id for one in tx.find(SHADOW_SCORES)} == set(ids[150:])
        assert tx.count(LABELLED_PAIRS) == 0
    assert replay_rollout(world, rollout.id).same


def test_every_row_of_a_request_meets_its_own_label() -> None:
    world, rollout, service = begin(LABELLED)
    revision, key = service.revision, 5
    service.answered |= {f"row {n}": (key, HIGH, revision) for n in range(3)}
    rows = tuple(f"row {n}" for n in range(3))
    record = Record(rows, "m", 2, revision, 0.0, {}, (HIGH, LOW, HIGH), pair=rows[0], shadow=True)
    service.records.append([record])
    pair_labels(world, service.records)
    service.wrong = 0.0
    service.label(rows)
    advance_rollouts(world, Judges())
    with world.state.read() as tx:
        seen = tx.find(JOURNAL, rollout=rollout.id)[0].observations[0]
    assert [event for _, event in seen.canary.labels] == [0, 1, 0]
    assert [event for _, event in seen.baseline.labels] == [0, 0, 0]


def test_what_failed_or_belongs_to_others_meets_no_label() -> None:
    world, rollout, service = begin(LABELLED)
    ids = service.answer(1)
    revision = service.revision
    strangers = [
        Record((ids[0],), "m", 2, revision, 0.0, {}, (), "error: it raised", ids[0], shadow=True),
        Record((ids[0],), "m", 3, revision, 0.0, {}, (HIGH,), pair=ids[0], shadow=True),
        Record((ids[0],), "n", 2, revision, 0.0, {}, (HIGH,), pair=ids[0], shadow=True),
        Record((ids[0],), "m", 2, revision, 0.0, {}, (HIGH,)),
        Record((ids[0],), "m", 2, Revision(0, 0), 0.0, {}, (HIGH,), pair=ids[0], shadow=True),
    ]
    service.records = MemoryRecords()
    service.records.append(strangers)
    assert pair_labels(world, service.records)
    with world.state.read() as tx:
        assert tx.count(SHADOW_SCORES) == 0
    assert look(world, rollout).phase is Phase.PROGRESSING


def test_a_label_of_another_versions_answer_is_no_pairs() -> None:
    """A request that a rule sent to version 3, or that the version before answered, says nothing of the champion."""
    world, rollout, service = begin(LABELLED)
    ids = service.answer(10)
    pair_labels(world, service.records)
    key, score, revision = service.answered[ids[0]]
    service.send((), (Feedback(ids[0], "m", 3, revision, key, score, 1.0, 0.0, 0.0),))
    advance_rollouts(world, Judges())
    assert pairs_journaled(world, rollout) == []


def test_records_are_not_read_for_rollouts_that_need_none() -> None:
    world, rollout, service = begin()
    service.answer(10)
    assert not pair_labels(world, service.records)
    with world.state.read() as tx:
        assert tx.get(PAIRINGS, "current") is None
    assert look(world, rollout).phase is Phase.PROGRESSING


def test_what_two_processes_read_at_once_is_seen_once() -> None:
    world, rollout, service = begin(LABELLED)
    ids = service.answer(50)

    class Interrupted(MemoryRecords):
        """Another process reads the same, and the controller takes it, between this one's reading and keeping."""

        def read(self, cursor: Cursor) -> Batch:
            batch = service.records.read(cursor)
            pair_labels(world, service.records)
            service.label(ids)
            advance_rollouts(world, Judges())
            return batch

    assert pair_labels(world, Interrupted())
    advance_rollouts(world, Judges())
    assert sorted(pairs_journaled(world, rollout)) == sorted(service.answered[one][0] for one in ids)


def test_of_more_than_can_wait_ever_smaller_shares_are_kept_and_still_meet_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "MOST", 200)
    monkeypatch.setattr(pairing, "PAGE", 100)
    world, rollout, service = begin(replace(LABELLED, beta=1e-9))
    ids: list[str] = []
    for _ in range(60):
        ids += service.answer(50)
        pair_labels(world, service.records)
    for _ in range(20):
        pair_labels(world, service.records)
    with world.state.read() as tx:
        kept = {one.prediction_id for one in tx.find(SHADOW_SCORES)}
        sample = tx.get(PAIRINGS, "current")
    assert 50 < len(kept) <= 200
    assert sample is not None
    assert all(sample.samples[0].takes(one) for one in kept)
    assert {one for one in ids if sample.samples[0].takes(one)} == kept  # of the first as of the last
    service.label(ids)
    advance_rollouts(world, Judges())
    assert len(pairs_journaled(world, rollout)) == len(kept)


def test_what_waits_for_a_rollout_that_ended_is_removed() -> None:
    world, rollout, service = begin(LABELLED)
    ids = service.answer(100)
    service.label(ids[:50])
    advance_rollouts(world, Judges())
    pair_labels(world, service.records)
    steer(world, rollout.id, Signal.ABORT, ADA)
    while pair_labels(world, service.records):
        pass
    with world.state.read() as tx:
        assert (tx.count(SHADOW_SCORES), tx.count(LABELLED_PAIRS)) == (0, 0)
        left = tx.get(PAIRINGS, "current")
    assert left is not None
    assert left.samples == ()


# Beside each other


def two(policy: JudgePolicy = UNLABELLED) -> tuple[World, Rollout, Rollout, Service]:
    world = home(policy, versions=3)
    first, service = opened(world, 2), Service(world)
    world.clock.advance(1)  # type: ignore[attr-defined]
    second = opened(world, 3)
    service.acknowledge()
    advance_rollouts(world, Judges())
    return world, look(world, first), look(world, second), service


def test_shadows_stand_beside_each_other_and_each_has_its_own_verdict() -> None:
    world, first, second, service = two()
    assert [one.version for one in service.route.shadows] == [2, 3]
    assert first.salt == second.salt == service.route.salt
    service.differing = {2: 0.1, 3: 0.5}  # the first at its limit
    assert run(world, second, service, 50).phase is Phase.ABORTED
    assert look(world, first).phase is Phase.PROGRESSING
    assert [one.version for one in service.route.shadows] == [2]
    assert service.route.salt == first.salt  # a unit's key stays what it was
    assert replay_rollout(world, first.id).same


def test_a_promotion_ends_those_that_were_compared_with_the_version_before() -> None:
    """In one tick, with evidence for both: the promoted one's end is not undone, nor the other's."""
    world, first, second, service = two()
    service.differing = {2: 0.1}
    promoted = run(world, second, service, 100)
    assert promoted.phase is Phase.PROMOTED
    ended = look(world, first)
    assert ended.phase is Phase.ABORTED
    assert ended.outcome is not None
    assert ended.outcome.detail.startswith("version 3 was promoted in place of version 1, with which this one was compared")
    assert [(arm.version, arm.weight) for arm in service.route.arms if arm.weight] == [(3, 1.0)]
    again = opened(world, 2)
    assert again.baseline == 3


def test_both_proven_in_one_tick_promote_one() -> None:
    world, first, second, service = two()
    ended = run(world, first, service, 100)
    by_phase = {one.phase: one for one in (ended, look(world, second))}
    assert by_phase.keys() == {Phase.PROMOTED, Phase.ABORTED}
    assert by_phase[Phase.ABORTED].rows == by_phase[Phase.PROMOTED].rows  # their judges were asked together, then one moved
    with world.state.read() as tx:
        assert tx.count(VERSIONS, stage=Stage.PRODUCTION.value) == 1


def test_only_shadows_that_tell_units_apart_alike_stand_beside_each_other() -> None:
    world = home(versions=3)
    first = opened(world, 2)
    with pytest.raises(Conflict, match=f"rollout {first.id} of version 2 into production is preparing"):
        enter(world, 3, Plan(Strategy.CANARY, (0.1,)))
    with pytest.raises(Conflict, match="version 2 into production"):
        enter(world, 3, Plan(Strategy.SHADOW, (), "header:x-user", UNLABELLED))
    with pytest.raises(Conflict, match="is bringing m 2 into production"):
        opened(world, 2)
    opened(world, 3)
    other = home(versions=3)
    enter(other, 2, Plan(Strategy.CANARY, (0.1,)))
    with pytest.raises(Conflict, match="version 2 into production"):
        opened(other, 3)


def enter(world: World, version: int, plan: Plan) -> Rollout:
    with world.state.write() as tx:
        return open_rollout(tx, version_of(tx, "m", version), "production", ADA, world.clock.now(), plan=plan)


def test_a_roll_back_with_shadows_under_way_goes_back_and_ends_them() -> None:
    """A shadow answers nobody: its abort would not bring the version before back."""
    world, rollout, service = begin()
    assert run(world, rollout, service, 100).phase is Phase.PROMOTED
    with world.state.write() as tx:
        now = world.clock.now()
        tx.put(VERSIONS, ModelVersion("m", 3, "sha256:3", "run-3", "ada", now, dirty=False))
    shadow = opened(world, 3)
    back = roll_back(world, "m", ADA)
    assert (back.version, back.phase) == (1, Phase.PROMOTED)
    ended = look(world, shadow)
    assert ended.outcome is not None
    assert (ended.phase, ended.outcome.detail) == (Phase.ABORTED, "m is rolled back to version 1")


def test_the_first_version_comes_in_by_replace_and_staging_too() -> None:
    world = home(versions=3)
    with world.state.write() as tx:
        plan = Plan(Strategy.SHADOW, (), "request", UNLABELLED)
        staged = open_rollout(tx, version_of(tx, "m", 2), "staging", ADA, world.clock.now(), plan=plan)
        tx.put(VERSIONS, replace(version_of(tx, "m", 1), stage=Stage.ARCHIVED))
        first = open_rollout(tx, version_of(tx, "m", 3), "production", ADA, world.clock.now())
    assert (staged.strategy, first.strategy) == (Strategy.REPLACE, Strategy.REPLACE)
