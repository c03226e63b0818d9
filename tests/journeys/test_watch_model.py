"""The watch over weeks of synthetic traffic: silence, drift, late labels, a drop, a retraining with brakes, a crash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from lockgate.boundary.records import Record
from lockgate.boundary.routes import LabelEvent, Revision
from lockgate.domain.events import Action
from lockgate.domain.findings import FindingKind, Job, JobState, Label, TriggerDecision
from lockgate.domain.models import ModelVersion, RequestState, Stage, TransitionRequest
from lockgate.domain.projects import Deployment, ProjectRecord
from lockgate.ports.state import FINDINGS, JOBS, LABELS, PROJECTS, REQUESTS, TRIGGERS, VERSIONS, WINDOWS, Kind
from lockgate.stages.watch.reference import encode, learn
from lockgate.stages.watch.spec import WatchSpec
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import START, VirtualClock
from lockgate.testing.records import MemoryRecords
from lockgate.testing.state import MemoryState
from lockgate.usecases.watch_model import Watching, watch_once
from lockgate.usecases.world import World

MODEL = "flight-delay"
EVENT = LabelEvent("missed", 0.25)
HOUR = 3600.0
SPEC = WatchSpec.model_validate(
    {
        "labels": {"delay": "1h"},
        "drift": {"window": 500, "min_effect": 0.05, "persistence": 2},
        "performance": {"window": 400, "max_event_ratio": 2},
        "on": {"performance_drop": ["notify", "retrain"], "drift": ["notify"]},
        "retrain": {"cooldown": "1d", "min_new_labels": 500, "budget": "10 per week"},
    },
)


@dataclass
class Site:
    """A version in Production, its traffic and its labels. `truth` scales the odds of the label; 1 is as in training."""

    state: MemoryState = field(default_factory=MemoryState)
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)
    clock: VirtualClock = field(default_factory=VirtualClock)
    records: MemoryRecords = field(default_factory=MemoryRecords)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    served: int = 0

    def __post_init__(self) -> None:
        self.run_from(SPEC)
        self.deploy(1)

    @property
    def world(self) -> World:
        return World(self.state, self.artifacts, self.clock)

    def deploy(self, version: int) -> None:
        hour, origin, score = self.draw(4000)
        labels = (self.random.random(4000) < score).astype(float)
        reference = learn({"hour": hour, "origin": origin}, score, labels, EVENT)
        digest = self.artifacts.put(encode(reference))
        new = ModelVersion(MODEL, version, "sha256:x", "run", "ada", self.clock.now(), dirty=False, reference=digest)
        with self.state.write() as tx:
            for old in tx.find(VERSIONS, model=MODEL):
                tx.put(VERSIONS, replace(old, stage=Stage.ARCHIVED))
            tx.put(VERSIONS, replace(new, stage=Stage.PRODUCTION))

    def draw(self, rows: int, shift: float = 0.0) -> tuple[Any, list[str], Any]:
        hour = self.random.normal(12 + 4 * shift, 4, rows)
        origin = self.random.choice(["EWR", "JFK", "LGA"], rows).tolist()
        return hour, origin, self.random.beta(2, 6, rows)

    def serve(self, rows: int, *, version: int = 1, shift: float = 0.0) -> list[Label]:
        """Answer that many one-row requests over an hour; the labels as they will come."""
        hour, origin, drawn = self.draw(rows, shift)
        scores = drawn.tolist()
        start = self.clock.now().timestamp()
        ids = [f"p{self.served + i}" for i in range(rows)]
        self.served += rows
        times = [start + HOUR * i / rows for i in range(rows)]
        self.records.append(
            Record((ids[i],), MODEL, version, Revision(1, 1), times[i], {"hour": [hour[i]], "origin": [origin[i]]}, (scores[i],))
            for i in range(rows)
        )
        self.clock.advance(HOUR)
        late = (self.random.random(rows) < scores).astype(float).tolist()
        return [Label(ids[i], MODEL, version, i, scores[i], late[i], times[i], times[i]) for i in range(rows)]

    def feedback(self, labels: Iterable[Label], *, always_late: bool = False) -> None:
        with self.state.write() as tx:
            tx.add_all(LABELS, [replace(label, label=1.0) if always_late else label for label in labels])

    def tick(self) -> Watching:
        return watch_once(self.world, self.records)

    def run_from(self, spec: WatchSpec) -> None:
        """The project file as it was last read."""
        with self.state.write() as tx:
            tx.put(PROJECTS, ProjectRecord(MODEL, "/project", Deployment.MANUAL, watch=spec.model_dump(mode="json")))

    def all(self, kind: Kind[Any]) -> list[Any]:
        with self.state.read() as tx:
            return tx.find(kind)

    def actions(self) -> list[Action]:
        with self.state.read() as tx:
            return [event.happened.action for event in tx.events()]

    def status(self, version: int = 1) -> dict[str, Any]:
        with self.state.read() as tx:
            window = tx.get(WINDOWS, MODEL, version)
        assert window is not None
        found: dict[str, Any] = window.body["status"]
        return found

    def finish(self, job: Job, state: JobState) -> None:
        with self.state.write() as tx:
            tx.put(JOBS, replace(job, state=state))

    def drop(self) -> None:
        """Three hours in which every flight is late."""
        for _ in range(3):
            self.feedback(self.serve(300), always_late=True)
            self.tick()


@pytest.fixture
def site() -> Site:
    return Site()


def test_nothing_is_found_over_many_windows_without_drift(site: Site) -> None:
    for _ in range(30):
        site.feedback(site.serve(500))
        site.tick()
    assert site.status()["drift"] == {
        "verdict": "QUIET",
        "detail": "0 of 500 rows in the current window, 30 judged",
        "windows": 30,
        "drifting": [],
    }
    assert site.status()["performance"]["verdict"] == "HOLDS"
    assert site.all(FINDINGS) == []
    assert site.actions() == []


def test_a_drift_of_one_feature_is_found_once_and_within_three_windows(site: Site) -> None:
    site.serve(1000)
    site.tick()
    for _ in range(5):
        site.serve(300, shift=0.6)
        site.tick()
    (finding,) = site.all(FINDINGS)
    assert finding.kind is FindingKind.DRIFT
    assert finding.measured["features"] == ["hour"]
    assert finding.measured["window"] <= 2 + 3
    assert "hour (PSI 0." in finding.detail
    assert [(one.action, one.decision) for one in site.all(TRIGGERS)] == [("notify", TriggerDecision.FIRED)]
    assert site.actions() == [Action.FINDING_RECORDED, Action.TRIGGER_FIRED]


def test_a_drift_that_went_away_is_found_again_when_it_comes_back(site: Site) -> None:
    for shift in (1.0, 0.0, 1.0):
        site.serve(1500, shift=shift)
        site.tick()
    assert [finding.kind for finding in site.all(FINDINGS)] == [FindingKind.DRIFT, FindingKind.DRIFT]


def test_a_window_that_is_not_full_says_nothing(site: Site) -> None:
    site.serve(499, shift=3.0)
    site.tick()
    assert site.status()["drift"]["verdict"] == "INCONCLUSIVE"
    assert site.status()["drift"]["detail"] == "499 of 500 rows in the current window, 0 judged"
    assert site.all(FINDINGS) == []


def test_labels_count_when_they_are_due_and_not_before(site: Site) -> None:
    labels = site.serve(800)
    site.feedback(labels, always_late=True)
    site.tick()
    early = site.status()["performance"]
    assert early["verdict"] == "INCONCLUSIVE"
    assert "0 of 400 due labels" in early["detail"]
    site.clock.advance(HOUR)
    assert [one.kind for one in site.tick().findings] == [FindingKind.PERFORMANCE_DROP]


def test_late_labels_are_joined_and_their_coverage_is_told(site: Site) -> None:
    labels = site.serve(1000)
    site.tick()
    site.clock.advance(2 * HOUR)
    site.tick()
    site.feedback(labels[::2])
    site.tick()
    performance = site.status()["performance"]
    assert performance["verdict"] == "HOLDS"
    assert performance["coverage"] == pytest.approx(0.5, abs=0.01)
    assert performance["brier"] == pytest.approx(performance["baseline_brier"], abs=0.02)
    assert performance["auc"] == pytest.approx(performance["baseline_auc"], abs=0.08)


def test_a_drop_is_found_and_a_retraining_is_fired_once(site: Site) -> None:
    for _ in range(3):
        site.feedback(site.serve(400))
        site.tick()
    for _ in range(6):
        site.feedback(site.serve(400), always_late=True)
        site.tick()
    (finding,) = site.all(FINDINGS)
    assert finding.kind is FindingKind.PERFORMANCE_DROP
    assert finding.measured["lower"] > finding.measured["limit"]
    (job,) = site.all(JOBS)
    assert (job.project, job.state) == ("/project", JobState.QUEUED)
    assert finding.id in job.cause
    fired = [one for one in site.all(TRIGGERS) if one.decision is TriggerDecision.FIRED]
    assert {one.action: one.job for one in fired} == {"notify": None, "retrain": job.id}


def test_a_second_drop_within_the_cooldown_is_suppressed_with_its_reason_and_fires_when_it_ends(site: Site) -> None:
    site.drop()
    (job,) = site.all(JOBS)
    site.finish(job, JobState.DONE)
    for _ in range(4):  # it comes back ...
        site.feedback(site.serve(400))
        site.tick()
    site.drop()  # ... and drops again
    assert len(site.all(FINDINGS)) == 2
    assert len(site.all(JOBS)) == 1
    held = [one.reason for one in site.all(TRIGGERS) if one.decision is TriggerDecision.SUPPRESSED]
    assert any(reason.startswith("cooldown of 1d until 2026-01-0") for reason in held)
    site.clock.advance(24 * HOUR)
    (second,) = site.tick().jobs
    assert second.cause.startswith("performance_drop of version 1 (finding-")
    assert site.tick() == Watching()


def test_a_retraining_waits_for_labels_and_then_fires(site: Site) -> None:
    site.feedback(site.serve(450), always_late=True)
    site.clock.advance(HOUR)
    (_, held) = site.tick().triggers
    assert (held.decision, held.reason) == (TriggerDecision.SUPPRESSED, "450 new labels, 500 needed")
    assert site.tick() == Watching()
    site.feedback(site.serve(50), always_late=True)
    assert len(site.tick().jobs) == 1


def test_a_retraining_that_failed_is_tried_again_after_the_cooldown_until_the_circuit_opens(site: Site) -> None:
    site.drop()
    for attempt in range(1, 4):
        jobs = site.all(JOBS)
        assert len(jobs) == attempt
        site.finish(jobs[-1], JobState.FAILED)
        site.tick()
        site.clock.advance(25 * HOUR)
        site.feedback(site.serve(600), always_late=True)
        site.tick()
    assert len(site.all(JOBS)) == 3
    assert any("the last 3 runs made no version" in one.reason for one in site.all(TRIGGERS))


def test_a_newer_version_on_its_road_holds_a_retraining(site: Site) -> None:
    request = TransitionRequest("request-1", MODEL, 2, "sha256:y", Stage.PRODUCTION, "ada", START, state=RequestState.OPEN)
    with site.state.write() as tx:
        tx.put(REQUESTS, request)
    site.drop()
    assert site.all(JOBS) == []
    assert "version 2 waits for a decision (request-1)" in [one.reason for one in site.all(TRIGGERS)]


def test_a_new_version_begins_anew(site: Site) -> None:
    site.drop()
    site.deploy(2)
    site.feedback(site.serve(500, version=2))
    site.serve(500, version=1, shift=3.0)  # a straggler of the old one does not count
    site.clock.advance(HOUR)
    site.tick()
    assert site.status(2)["rows"] == 500
    assert site.status(2)["performance"]["verdict"] == "HOLDS"
    assert len(site.all(FINDINGS)) == 1


def test_a_tick_without_news_changes_nothing(site: Site) -> None:
    site.drop()
    before = (site.all(WINDOWS), site.all(FINDINGS), site.all(TRIGGERS), site.all(JOBS), site.actions())
    assert [site.tick() for _ in range(3)] == [Watching()] * 3
    assert before == (site.all(WINDOWS), site.all(FINDINGS), site.all(TRIGGERS), site.all(JOBS), site.actions())


def test_what_a_tick_that_died_began_is_done_by_the_next_and_counted_once(site: Site) -> None:
    """The same traffic through a watch that dies at every other commit leaves the same windows, findings and triggers."""
    twin = Site()
    for _ in range(8):
        for one in (site, twin):
            one.feedback(one.serve(300, shift=1.0), always_late=True)
        twin.tick()
        with pytest.raises(Killed):
            watch_once(World(DyingState(site.state), site.artifacts, site.clock), site.records)
        site.tick()
    assert site.all(FINDINGS)
    for kind in (WINDOWS, FINDINGS, TRIGGERS, JOBS):
        assert site.all(kind) == twin.all(kind)
    assert site.actions() == twin.actions()


def test_cut_into_other_ticks_the_same_traffic_finds_the_same_drift() -> None:
    found = []
    for limit in (20_000, 137):
        site = Site(records=MemoryRecords(limit=limit))
        site.serve(2300, shift=0.7)
        while site.tick().records:
            pass
        found.append([(one.id, one.measured) for one in site.all(FINDINGS)])
    assert found[0] == found[1] != []


def test_a_model_without_project_costs_only_its_place_in_the_records(site: Site) -> None:
    with site.state.write() as tx:
        tx.remove(PROJECTS, MODEL)
    site.serve(100)
    site.tick()
    assert [window.model for window in site.all(WINDOWS)] == [""]


@pytest.mark.parametrize("content", [None, b"other bytes"])
def test_a_version_whose_reference_is_unusable_is_told_and_the_others_are_watched(site: Site, content: bytes | None) -> None:
    digest = "sha256:gone"
    if content is not None:
        digest = site.artifacts.put(content)
    other = ModelVersion("other", 5, "sha256:x", "run", "ada", START, dirty=False, stage=Stage.PRODUCTION, reference=digest)
    with site.state.write() as tx:
        tx.put(VERSIONS, other)
        tx.put(PROJECTS, ProjectRecord("other", "/other", Deployment.MANUAL))
    site.serve(600)
    (told,) = site.tick().unwatched
    assert told.startswith("other version 5: ")
    assert site.status()["rows"] == 600


def test_ninety_days_of_a_rate_that_swings_retrain_at_most_once_in_a_cooldown(site: Site) -> None:
    site.run_from(SPEC.model_copy(update={"retrain": SPEC.retrain.model_copy(update={"cooldown": 7 * 24 * HOUR})}))
    for day in range(90):
        site.feedback(site.serve(400), always_late=day % 6 < 3)
        site.clock.advance(23 * HOUR)
        for job in site.tick().jobs:
            site.finish(job, JobState.DONE)
    times = [job.created_at for job in site.all(JOBS)]
    assert 2 <= len(times) <= 13
    assert all(later - earlier >= timedelta(days=7) for earlier, later in pairwise(times))


class Killed(Exception):
    """The process went away before its commit."""


@dataclass
class DyingState:
    """A state whose every write dies at the end."""

    state: MemoryState

    def read(self) -> Any:
        return self.state.read()

    def write(self) -> Any:
        return Dying(self.state.write())


@dataclass
class Dying:
    transaction: Any

    def __enter__(self) -> Any:
        return self.transaction.__enter__()

    def __exit__(self, *_: object) -> None:
        self.transaction.__exit__(Killed, Killed(), None)
        raise Killed
