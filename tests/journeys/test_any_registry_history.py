"""Four people do anything in any order, under policies that change: the registry says what a small model of it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from lockgate.domain.events import Action
from lockgate.domain.models import RequestState, Stage, TransitionRequest
from lockgate.domain.people import Actor
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.errors import LockgateError
from lockgate.ports.state import REQUESTS, VERSIONS, State
from lockgate.stages.decide.audit import verify
from lockgate.testing import builders as a
from lockgate.testing.state import MemoryState
from lockgate.usecases.add_comment import add_comment
from lockgate.usecases.break_glass import break_glass
from lockgate.usecases.decide_request import approve_request, cancel_request, reject_request
from lockgate.usecases.expire_requests import expire_requests
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.set_policy import set_policy
from lockgate.usecases.transition_directly import transition_directly
from tests.samples.databases import postgres_databases, sqlite_databases
from tests.samples.registry import ADA, BEN, CARL, OLGA, clock_of, registry, settle

PEOPLE, AUTHOR, VERSIONS_THERE = (ADA, BEN, CARL, OLGA), CARL.name, 3
ENVIRONMENTS = (Stage.STAGING, Stage.PRODUCTION)
APPROVERS = ("ben", "carl")
HEAD = "roles: {approvers: [ben, carl], managers: [olga]}\nbreak_glass: {from: [managers], for: 1h}\n"
POLICIES = {
    "free": HEAD + "stages: {None: {}, Staging: {}, Production: {}, Archived: {}}\n",
    "two": HEAD + "stages: {Production: {need: 2, from: [approvers], not: [requester]}}\n",
    "steps": HEAD + "edges: [None -> Staging, Staging -> Production, any -> Archived]\nstages: {Archived: {}}\n",
}
STEPS = {(Stage.NONE, Stage.STAGING), (Stage.STAGING, Stage.PRODUCTION)}


@dataclass
class Asked:
    version: int
    stage: Stage
    by: str
    until: datetime
    yes: set[str] = field(default_factory=set)
    state: str = "open"


@dataclass
class Model:
    """What the registry should be, said once more and as simply as can be. Each act says whether it may be done, and does it."""

    policy: str = ""
    glass: datetime | None = None
    stages: dict[int, Stage] = field(default_factory=lambda: dict.fromkeys(range(1, VERSIONS_THERE + 1), Stage.NONE))
    asked: dict[str, Asked] = field(default_factory=dict)

    def rule(self, stage: Stage) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
        """How many, of whom, and who not."""
        if self.policy == "two" and stage is Stage.PRODUCTION:
            return 2, APPROVERS, ("requester",)
        free = self.policy == "free" or stage in ENVIRONMENTS or (self.policy == "steps" and stage is Stage.ARCHIVED)
        return (1, (), ()) if free else (1, (), ("requester", "author"))

    def has_edge(self, version: int, stage: Stage) -> bool:
        came = self.stages[version]
        return self.policy != "steps" or stage is Stage.ARCHIVED or came is stage or (came, stage) in STEPS

    def enters(self, version: int, stage: Stage) -> bool:
        return not (stage is Stage.STAGING and self.stages[version] is Stage.PRODUCTION)

    def can_ask(self, who: str, version: int, stage: Stage) -> bool:
        own = any((one.version, one.stage, one.by, one.state) == (version, stage, who, "open") for one in self.asked.values())
        there = self.stages[version] is stage
        return not own and not there and self.has_edge(version, stage) and self.enters(version, stage)

    def may_decide(self, who: str, one: Asked) -> bool:
        _, among, excluded = self.rule(one.stage)
        out = ("requester" in excluded and who == one.by) or ("author" in excluded and who == AUTHOR)
        return one.state == "open" and who not in one.yes and not out and (not among or who in among)

    def breaks(self, who: str, now: datetime) -> bool:
        return self.policy != "" and who == OLGA.name and self.glass is not None and now < self.glass

    def can_approve(self, who: str, one: Asked, now: datetime) -> bool:
        glass = self.breaks(who, now)
        if one.state != "open" or not self.has_edge(one.version, one.stage) or not (glass or self.may_decide(who, one)):
            return False
        completes = glass or len(one.yes) + 1 >= self.rule(one.stage)[0]
        return not completes or self.enters(one.version, one.stage)

    def approve(self, who: str, one: Asked, now: datetime) -> None:
        one.yes.add(who)
        if self.breaks(who, now) or len(one.yes) >= self.rule(one.stage)[0]:
            for other in self.asked.values():
                if (other.version, other.stage, other.state) == (one.version, one.stage, "open"):
                    other.state = "approved"
            self.move(one.version, one.stage)

    def move(self, version: int, stage: Stage) -> None:
        if stage in ENVIRONMENTS:
            for old in [number for number, standing in self.stages.items() if standing is stage and number != version]:
                self._stand(old, Stage.ARCHIVED)
        self._stand(version, stage)

    def _stand(self, version: int, stage: Stage) -> None:
        self.stages[version] = stage
        for one in self.asked.values():
            if (one.version, one.stage, one.state) == (version, stage, "open"):
                one.state = "cancelled"

    def moves_alone(self, who: str, version: int, stage: Stage, now: datetime) -> bool:
        need, among, excluded = self.rule(stage)
        alone = need == 1 and "requester" not in excluded and (not among or who in among)
        own = [one for one in self.asked.values() if (one.version, one.stage, one.by) == (version, stage, who)]
        asks = any(one.state == "open" for one in own) or self.can_ask(who, version, stage)
        return asks and (self.breaks(who, now) or alone) and self.has_edge(version, stage) and self.enters(version, stage)

    def expire(self, now: datetime) -> None:
        for one in self.asked.values():
            if one.state == "open" and one.until <= now:
                one.state = "expired"


class History(RuleBasedStateMachine):
    """Each act is done to the registry and to the model; both must agree whether it may be, and on what stands afterwards."""

    people = st.sampled_from(PEOPLE)
    versions = st.integers(1, VERSIONS_THERE)
    picks = st.integers(0, 7)

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state
        self.world = registry(VERSIONS_THERE, state)
        with state.write() as tx:
            for one in tx.find(VERSIONS):
                tx.put(VERSIONS, replace(one, author=AUTHOR))
        self.model = Model()
        self.closed: dict[str, TransitionRequest] = {}

    def teardown(self) -> None:
        if isinstance(self.state, SqlState):
            self.state.close()

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def did(self, act: Callable[[], TransitionRequest]) -> TransitionRequest | None:
        """None: it was refused, and then nothing may have changed: the invariants look."""
        clock_of(self.world).advance(1)
        self.model.expire(self.now)
        try:
            done = act()
        except LockgateError:
            return None
        settle(self.world)
        return done

    def picked(self, pick: int) -> tuple[str, Asked]:
        """Mostly one that is open."""
        found = [(key, one) for key, one in self.model.asked.items() if one.state == "open"] or list(self.model.asked.items())
        return found[pick % len(found)] if found else ("none", Asked(1, Stage.STAGING, "nobody", self.now, state="closed"))

    @rule(who=people, version=versions, stage=st.sampled_from(Stage))
    def ask(self, who: Actor, version: int, stage: Stage) -> None:
        done = self.did(lambda: request_transition(self.world, a.MODEL, version, stage, who))
        assert (done is not None) == self.model.can_ask(who.name, version, stage)
        if done:
            self.model.asked[done.id] = Asked(version, stage, who.name, self.now + timedelta(days=14))

    @rule(who=people, pick=picks)
    def approve(self, who: Actor, pick: int) -> None:
        key, one = self.picked(pick)
        done = self.did(lambda: approve_request(self.world, key, who))
        assert (done is not None) == self.model.can_approve(who.name, one, self.now)
        if done:
            self.model.approve(who.name, one, self.now)

    @rule(who=people, pick=picks)
    def reject(self, who: Actor, pick: int) -> None:
        key, one = self.picked(pick)
        done = self.did(lambda: reject_request(self.world, key, who))
        assert (done is not None) == self.model.may_decide(who.name, one)
        if done:
            one.state = "rejected"

    @rule(who=people, pick=picks)
    def cancel(self, who: Actor, pick: int) -> None:
        key, one = self.picked(pick)
        done = self.did(lambda: cancel_request(self.world, key, who))
        assert (done is not None) == (one.state == "open" and one.by == who.name)
        if done:
            one.state = "cancelled"

    @rule(who=people, version=versions, stage=st.sampled_from(Stage))
    def move(self, who: Actor, version: int, stage: Stage) -> None:
        may = self.model.moves_alone(who.name, version, stage, self.now + timedelta(seconds=1))
        done = self.did(lambda: transition_directly(self.world, a.MODEL, version, stage, who))
        assert (done is not None) == (may and self.model.moves_alone(who.name, version, stage, self.now))
        if done:
            one = self.model.asked.setdefault(done.id, Asked(version, stage, who.name, self.now))
            self.model.approve(who.name, one, self.now)
            one.state = "approved"

    @rule(name=st.sampled_from(sorted(POLICIES)))
    def set_policy(self, name: str) -> None:
        set_policy(self.world, POLICIES[name], OLGA)
        if self.model.policy != name:
            for one in self.model.asked.values():
                one.yes = set() if one.state == "open" else one.yes
        self.model.policy = name

    @rule(who=people)
    def break_glass(self, who: Actor) -> None:
        may = self.model.policy != "" and who == OLGA and (self.model.glass is None or self.model.glass <= self.now)
        try:
            self.model.glass = break_glass(self.world, who, "harm").until
        except LockgateError:
            assert not may
        else:
            assert may

    @rule(who=people, version=versions)
    def comment(self, who: Actor, version: int) -> None:
        add_comment(self.world, a.MODEL, version, who, "hm")

    @rule(seconds=st.sampled_from([1800, 86400, 15 * 86400]))
    def wait(self, seconds: int) -> None:
        clock_of(self.world).advance(seconds)
        expire_requests(self.world)
        self.model.expire(self.now)

    @invariant()
    def both_say_the_same(self) -> None:
        with self.state.read() as tx:
            stages = {one.version: one.stage for one in tx.find(VERSIONS)}
            requests = {one.id: one for one in tx.find(REQUESTS)}
        assert stages == self.model.stages
        for stage in ENVIRONMENTS:
            assert list(stages.values()).count(stage) <= 1
        # One whose time is over may wait for somebody to look.
        told = {key: one.state.value for key, one in requests.items() if one.state is not RequestState.OPEN}
        assert told == {key: one.state for key, one in self.model.asked.items() if one.state != "open" and key in told}
        overdue = {key for key, one in self.model.asked.items() if one.state != "open"} - set(told)
        assert all(self.model.asked[key].state == "expired" for key in overdue)
        for key, one in self.model.asked.items():
            if one.state == "open":
                assert {decision.by for decision in requests[key].decisions} == one.yes

    @invariant()
    def what_is_closed_stays_as_it_is(self) -> None:
        with self.state.read() as tx:
            closed = {one.id: one for one in tx.find(REQUESTS) if one.state is not RequestState.OPEN}
        assert {key: closed[key] for key in self.closed} == self.closed
        self.closed = closed

    @invariant()
    def every_change_of_a_stage_has_one_event_and_the_chain_holds(self) -> None:
        with self.state.read() as tx:
            assert verify(lambda after, limit: tx.written(after=after, limit=limit)).broken is None
            events = [one.happened for one in tx.events(actions=(Action.STAGE_APPLIED, Action.STAGE_ARCHIVED))]
        told = dict.fromkeys(self.model.stages, Stage.NONE)
        for one in events:
            came, goal = Stage(one.details["from"]), Stage(one.details.get("to", Stage.ARCHIVED.value))
            assert told[one.version] is came
            assert goal is not came
            told[one.version] = goal
        assert told == self.model.stages


def run(make: Callable[[], State], examples: int, steps: int) -> None:
    limits = settings(max_examples=examples, stateful_step_count=steps, deadline=None)

    class Kept(History):
        def __init__(self) -> None:
            super().__init__(make())

    run_state_machine_as_test(Kept, settings=limits)


def test_any_history_in_memory() -> None:
    run(MemoryState, examples=40, steps=30)


def test_any_history_on_sqlite(tmp_path: Path) -> None:
    make = sqlite_databases(tmp_path)
    run(lambda: SqlState.open(make()), examples=3, steps=25)


@pytest.mark.integration
def test_any_history_on_postgresql(postgres: str) -> None:
    make = postgres_databases(postgres, "history")
    run(lambda: SqlState.open(make()), examples=3, steps=25)
