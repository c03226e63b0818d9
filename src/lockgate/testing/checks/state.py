"""The contract of ports.state.State."""

# ruff: noqa: S101, PLR2004 - these are tests, of implementations that are not ours to know

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lockgate.domain.events import GENESIS, Action, chain_hash, written, written_hash
from lockgate.domain.findings import JobState
from lockgate.domain.learning import LessonLog, LoggedLesson
from lockgate.domain.models import Stage
from lockgate.domain.pairs import LabelledPair, Pairing, Sample, ShadowScore
from lockgate.domain.runs import RunStatus, StepStatus
from lockgate.kernel.errors import Conflict, Invalid
from lockgate.ports import state as kinds
from lockgate.ports.state import (
    JOBS,
    LABELS,
    LEASES,
    RUNS,
    VERSIONS,
    Consumed,
    Kind,
    Lease,
    PublishedRoutes,
    Received,
    State,
    Worker,
)
from lockgate.stages.decide.audit import verify
from lockgate.testing import builders as a
from lockgate.testing import company, released
from lockgate.testing.clock import START

_A_MOMENT = 0.005  # seconds: other threads run meanwhile
_WAIT = 20.0  # seconds: far longer than anything here takes

EXAMPLES: dict[Kind[Any], Any] = {
    kinds.PROJECTS: a.project(),
    kinds.MODELS: a.registered_model(latest_version=3),
    kinds.VERSIONS: a.version(metrics={"auc": 0.7}, gates=(a.gate_result(measured={"auc": 0.7, "limits": [0.65, None]}),)),
    kinds.ALIASES: a.alias(),
    kinds.REQUESTS: a.request(decisions=(a.decision(comment="good — “très bien”, 好"),), closed_at=START),
    kinds.RUNS: a.run(steps=(a.step_run(status=StepStatus.DONE, seconds=0.1),), params={"months": [1, 2], "deep": {"a": None}}),
    kinds.OUTPUTS: a.step_output(why={"code": a.digest("code")}),
    kinds.ROLLOUTS: a.rollout(),
    kinds.JOURNAL: a.journal_row(
        observations=(a.observation(canary=a.arm_observation(units=((2**64 - 1, 3),), latency={7: 1})),),
        evidence={"harm/errors": -1.5},
    ),
    kinds.HOLDS: a.hold(),
    kinds.HOLD_ROWS: a.hold_row(evidence={"harm": -1.5}),
    kinds.ROUTES: PublishedRoutes(a.route_table()),
    kinds.WORKERS: Worker("w0-1", START.timestamp(), a.acknowledgement()),
    kinds.INBOX: Received("w0", "w0-1", 1, a.block(feedback=(a.feedback(),))),
    kinds.CONSUMED: Consumed("w0", "w0-1", 1),
    kinds.LABELS: a.label(key=2**64 - 1),
    kinds.FINDINGS: a.finding(measured={"psi": 0.3}),
    kinds.TRIGGERS: a.trigger(),
    kinds.JOBS: a.job(params={"rate": 0.1}),
    kinds.PAIRINGS: Pairing({"w0-1.seg": [40, 80]}, (Sample("rollout-1", 2, 10),)),
    kinds.SHADOW_SCORES: ShadowScore("rollout-1", "prediction-1", 0.25),
    kinds.LABELLED_PAIRS: LabelledPair("rollout-1", "prediction-1", 2**64 - 1, 0.25, 0.75, 1.0),
    kinds.LEARNINGS: a.learning(bets=(-1e4, 0.5)),
    kinds.LESSON_LOGS: LessonLog(a.MODEL, 7),
    kinds.LESSONS: LoggedLesson(a.MODEL, 5, "lesson-1", 1, {"x": [0.1, None], "s": ["a", "b"]}, (1.0, 0.0), 12.5),
    kinds.WINDOWS: a.window(body={"seen": [1, 2.5, "x", None, True]}),
    kinds.LEASES: Lease("controller", "w0", 12.5),
    kinds.POLICIES: company.policy_record(policy=company.policy(edges=(company.edge(),))),
    kinds.BROKEN_GLASS: company.broken_glass(),
    kinds.WAIVERS: company.waiver(rule="auc >= 0.65"),
    kinds.USERS: company.user(groups=("ml",)),
    kinds.ACCESS_TOKENS: company.access_token(),
    kinds.LOGINS: company.login(),
    kinds.COMMENTS: company.comment(edited_at=START),
    kinds.NOTES: company.notes(tags={"team": "ml"}),
    kinds.WEBHOOKS: company.webhook(),
    kinds.DELIVERIES: company.delivery(ended_at=START),
    kinds.CHECKPOINTS: company.checkpoint(),
    kinds.FORMS: released.built_form(pushed="127.0.0.1:5000/team/flight-delay:1"),
    kinds.SCANS: released.scan(found=(released.vulnerability(fixed_in=("2.2.1",)),)),
    kinds.SUBSCRIBERS: released.subscriber(),
}


def every_kind_comes_back_as_it_was(state: State) -> None:
    assert set(EXAMPLES) == set(kinds.KINDS)
    with state.write() as writer:
        for kind, item in EXAMPLES.items():
            assert writer.add(kind, item)
    with state.read() as reader:
        for kind, item in EXAMPLES.items():
            assert reader.get(kind, *kind.key_of(item)) == item


def what_is_not_there_is_none(state: State) -> None:
    with state.read() as reader:
        assert reader.get(VERSIONS, a.MODEL, 1) is None
        assert reader.find(VERSIONS) == []
        assert reader.count(VERSIONS) == 0
        assert reader.events() == []


def a_taken_key_is_left_alone(state: State) -> None:
    first, second = a.version(1, author="anna"), a.version(1, author="ben")
    with state.write() as writer:
        assert writer.add(VERSIONS, first) is True
        assert writer.add(VERSIONS, second) is False
    with state.write() as writer:
        assert writer.add(VERSIONS, second) is False
        assert writer.get(VERSIONS, a.MODEL, 1) == first


def add_all_counts_those_that_are_new(state: State) -> None:
    with state.write() as writer:
        writer.add(LABELS, a.label(prediction_id="p1"))
        labels = [a.label(prediction_id=f"p{n}", score=score) for n, score in ((1, 0.9), (2, 0.2), (3, 0.3), (2, 0.8))]
        assert writer.add_all(LABELS, labels) == 2
        assert writer.add_all(LABELS, labels) == 0
        assert writer.add_all(LABELS, []) == 0
        assert [(label.prediction_id, label.score) for label in writer.find(LABELS)] == [("p1", 0.2), ("p2", 0.2), ("p3", 0.3)]


def put_replaces_and_keeps_the_place(state: State) -> None:
    with state.write() as writer:
        for number in (3, 1, 2):
            writer.put(VERSIONS, a.version(number))
    with state.write() as writer:
        writer.put(VERSIONS, a.version(3, stage=Stage.STAGING))
    with state.read() as reader:
        assert [(one.version, one.stage) for one in reader.find(VERSIONS)] == [(3, "Staging"), (1, "None"), (2, "None")]
        assert reader.find(VERSIONS, stage=Stage.STAGING) == [a.version(3, stage=Stage.STAGING)]
        assert reader.count(VERSIONS, stage=Stage.NONE) == 2


def put_all_puts_one_after_the_other(state: State) -> None:
    with state.write() as writer:
        writer.put(VERSIONS, a.version(2, author="anna"))
        writer.put_all(VERSIONS, [a.version(1), a.version(2, author="ben"), a.version(3), a.version(1, author="cleo")])
        writer.put_all(VERSIONS, [])
        assert [(one.version, one.author) for one in writer.find(VERSIONS)][:2] == [(2, "ben"), (1, "cleo")]
        assert writer.count(VERSIONS) == 3


def remove_makes_room(state: State) -> None:
    with state.write() as writer:
        writer.add_all(VERSIONS, [a.version(1), a.version(2)])
        writer.remove(VERSIONS, a.MODEL, 1)
        writer.remove(VERSIONS, a.MODEL, 7)  # what is not there need not go
        assert writer.get(VERSIONS, a.MODEL, 1) is None
    with state.write() as writer:
        assert writer.add(VERSIONS, a.version(1))
        assert [one.version for one in writer.find(VERSIONS)] == [2, 1]


def find_filters_orders_and_pages(state: State) -> None:
    runs = [a.run(id=f"run-{n}", model=f"m{n % 2}", status=list(RunStatus)[n % 3]) for n in range(12)]
    with state.write() as writer:
        writer.add_all(RUNS, runs)
    with state.read() as reader:
        assert reader.find(RUNS) == runs
        assert reader.find(RUNS, newest_first=True) == runs[::-1]
        assert reader.find(RUNS, limit=3, offset=2) == runs[2:5]
        assert reader.find(RUNS, offset=10) == runs[10:]
        assert reader.find(RUNS, newest_first=True, limit=2, offset=1) == [runs[10], runs[9]]
        assert reader.find(RUNS, limit=0) == []
        assert reader.find(RUNS, model="m1") == runs[1::2]
        assert reader.find(RUNS, model="m1", newest_first=True, limit=1) == [runs[11]]
        assert reader.find(RUNS, model="m1", status=RunStatus.RUNNING) == [runs[3], runs[9]]
        assert reader.find(RUNS, status="running", model="m1") == [runs[3], runs[9]]
        assert reader.find(RUNS, id="run-4") == [runs[4]]
        assert (reader.count(RUNS), reader.count(RUNS, model="m0"), reader.count(RUNS, model="m0", status="failed")) == (12, 6, 0)
        assert reader.find(RUNS, model="none") == []


def questions_that_make_no_sense_are_refused(state: State) -> None:
    with state.read() as reader:
        _refused(lambda: reader.find(RUNS, author="anna"), "author")
        _refused(lambda: reader.count(RUNS, cause="person"), "cause")
        _refused(lambda: reader.find(VERSIONS, version="1"), "'1'")
        _refused(lambda: reader.get(VERSIONS, a.MODEL), "model, version")
        _refused(lambda: reader.get(VERSIONS, 1, a.MODEL), "str expected")
        _refused(lambda: reader.get(RUNS, "a\0b"), "NUL")
        _refused(lambda: reader.get(RUNS, "\ud800"), "UTF-8")
        _refused(lambda: reader.get(VERSIONS, a.MODEL, 2**63), "64 bits")


def what_json_cannot_spell_is_refused(state: State) -> None:
    with state.write() as writer:
        for value in (float("nan"), float("inf"), object(), "\ud800", {1, 2}.__iter__()):
            _refused(lambda value=value: writer.put(RUNS, a.run(params={"value": value})), "cannot be kept")  # type: ignore[misc]
            _refused(lambda value=value: writer.record(a.happened(details={"value": value})), "cannot be kept")  # type: ignore[misc]
        _refused(lambda: writer.record(a.happened(at=START.replace(tzinfo=None))), "no zone")
        _refused(lambda: writer.record(a.happened(actor="a\0b")), "actor")
        assert (writer.count(RUNS), writer.events()) == (0, [])


def what_was_kept_does_not_change_behind_our_back(state: State) -> None:
    params = {"months": [1, 2]}
    with state.write() as writer:
        writer.add(RUNS, a.run(params=params))
        event = writer.record(a.happened(details=params))
        params["months"].append(3)
    with state.read() as reader:
        assert reader.find(RUNS)[0].params == {"months": [1, 2]}
        assert reader.events() == [event]
        assert event.happened.details == {"months": [1, 2]}


def an_exception_undoes_everything(state: State) -> None:
    with state.write() as writer:
        writer.add_all(VERSIONS, [a.version(1), a.version(2)])
        writer.record(a.happened())
    try:
        with state.write() as writer:
            writer.add(VERSIONS, a.version(3))
            writer.put(VERSIONS, a.version(1, stage=Stage.PRODUCTION))
            writer.remove(VERSIONS, a.MODEL, 2)
            writer.record(a.happened(action=Action.STAGE_APPLIED))
            _go_wrong()
    except _Broken:
        pass
    with state.write() as writer:
        assert writer.find(VERSIONS) == [a.version(1), a.version(2)]
        assert len(writer.events()) == 1
        assert writer.record(a.happened()).seq == 2


def a_writer_sees_its_own_changes_and_readers_do_not(state: State) -> None:
    with state.write() as writer:
        writer.add(VERSIONS, a.version(1))
        writer.record(a.happened())
        assert writer.get(VERSIONS, a.MODEL, 1) == a.version(1)
        with state.read() as reader:  # nor do they wait
            assert reader.get(VERSIONS, a.MODEL, 1) is None
            assert reader.events() == []
    with state.read() as reader:
        assert reader.get(VERSIONS, a.MODEL, 1) == a.version(1)
        assert len(reader.events()) == 1


def a_reader_sees_one_moment(state: State) -> None:
    with state.write() as writer:
        writer.add(VERSIONS, a.version(1))
    with state.read() as reader:
        before = reader.find(VERSIONS)
        with state.write() as writer:  # nor do writers wait for readers
            writer.put(VERSIONS, a.version(1, stage=Stage.PRODUCTION))
            writer.add(VERSIONS, a.version(2))
            writer.record(a.happened())
        assert reader.find(VERSIONS) == before
        assert reader.count(VERSIONS) == 1
        assert reader.events() == []
    with state.read() as reader:
        assert reader.count(VERSIONS) == 2


def a_write_within_a_write_is_refused(state: State) -> None:
    with state.write() as writer:
        writer.add(JOBS, a.job())
        try:
            with state.write():
                raise AssertionError("a second transaction was opened within the first")
        except Conflict as error:
            assert "writing already" in error.message  # noqa: PT017 - this module needs no pytest
    with state.read() as reader:
        assert reader.count(JOBS) == 1


def writers_take_turns(state: State) -> None:
    """Read, add one, write, in several threads: no count is lost, and the chain of events stays one chain."""
    threads, times = 4, 25
    with state.write() as writer:
        writer.put(LEASES, Lease("counter", "", 0))

    def count() -> None:
        for _ in range(times):
            with state.write() as writer:
                lease = writer.get(LEASES, "counter")
                assert lease is not None
                writer.put(LEASES, replace(lease, until=lease.until + 1))
                writer.record(a.happened(details={"until": lease.until}))

    _together(threads, count)
    with state.read() as reader:
        assert reader.find(LEASES) == [Lease("counter", "", threads * times)]
        audit = verify(lambda after, limit: reader.written(after=after, limit=limit))
        assert (audit.events, audit.broken) == (threads * times, None)
        assert [event.happened.details["until"] for event in reader.events()] == list(range(threads * times))


def only_one_takes_a_job(state: State) -> None:
    """What leases and the inbox rest on: of many who want it at once, one gets it."""
    taken: list[str] = []
    with state.write() as writer:
        writer.add(JOBS, a.job())

    def take() -> None:
        with state.write() as writer:
            for job in writer.find(JOBS, state=JobState.QUEUED, limit=1):
                time.sleep(_A_MOMENT)  # between looking and taking: whoever else could look now would take it too
                writer.put(JOBS, replace(job, state=JobState.RUNNING))
                taken.append(job.id)

    _together(8, take)
    assert taken == ["job-1"]


def events_are_chained(state: State) -> None:
    with state.write() as writer:
        first = writer.record(a.happened(details={"weight": 0.05, "big": 2**70, "text": "“é”", "both": (1, "2")}))
        second = writer.record(a.happened(action=Action.ALIAS_SET))
    with state.write() as writer:
        third = writer.record(a.happened(authenticated=True, version=3))
    assert [event.seq for event in (first, second, third)] == [1, 2, 3]
    assert [event.prev_hash for event in (first, second, third)] == [GENESIS, first.hash, second.hash]
    with state.read() as reader:
        events = reader.events()
        assert events == [first, second, third]
        assert [chain_hash(one.seq, one.happened, one.prev_hash) for one in events] == [one.hash for one in events]


def events_are_found_by_subject_and_model(state: State) -> None:
    with state.write() as writer:
        events = [writer.record(a.happened(subject=f"s{n % 2}", model=f"m{n % 3}")) for n in range(12)]
    with state.read() as reader:
        assert reader.events(after=9) == events[9:]
        assert reader.events(after=2, limit=3) == events[2:5]
        assert reader.events(newest_first=True, limit=2) == [events[11], events[10]]
        assert reader.events(newest_first=True, after=10) == [events[11], events[10]]
        assert reader.events(subject="s1") == events[1::2]
        assert reader.events(model="m0", limit=2) == [events[0], events[3]]
        assert reader.events(subject="s1", model="m0", newest_first=True) == [events[9], events[3]]
        assert reader.events(after=12) == []


def events_are_found_by_actor_action_and_place(state: State) -> None:
    kinds_of = (Action.STAGE_APPLIED, Action.ALIAS_SET, Action.ROLLOUT_STEPPED)
    with state.write() as writer:
        events = [writer.record(a.happened(action=kinds_of[n % 3], actor=f"p{n % 2}", model=f"m{n % 4}")) for n in range(24)]
    first, second, third = kinds_of
    with state.read() as reader:
        assert reader.events(before=3) == events[:2]
        assert reader.events(after=2, before=6, newest_first=True) == events[2:5][::-1]
        assert reader.events(before=6, newest_first=True, limit=2) == [events[4], events[3]]
        assert reader.events(before=0) == []
        assert reader.events(actor="p1", limit=3) == events[1:7:2]
        assert reader.events(actions=(third,)) == events[2::3]
        assert reader.events(actions=(third,), newest_first=True, limit=2) == [events[23], events[20]]
        both = [event for event in events if event.happened.action in (first, second)]
        assert reader.events(actions=(second, first)) == both
        assert reader.events(actions=(second, first, second), limit=5) == both[:5]
        assert reader.events(actions=(first, second), newest_first=True, limit=5, before=20) == both[::-1][3:8]
        of_one = [event for event in both if event.happened.model == "m1" and event.happened.actor == "p1"]
        assert reader.events(actions=(first, second), model="m1", actor="p1", after=3, limit=9) == of_one[1:]
        assert reader.events(actions=(Action.POLICY_SET, Action.USER_SET), limit=9) == []


def events_are_given_as_they_are_kept(state: State) -> None:
    with state.write() as writer:
        events = [writer.record(a.happened(authenticated=n % 2 == 0, details={"ü": [n, None, 0.1]})) for n in range(5)]
        assert [tuple(row) for row in writer.written(after=4, limit=9)] == [tuple(written(events[4]))]
    with state.read() as reader:
        assert [tuple(row) for row in reader.written(after=1, limit=2)] == [tuple(written(event)) for event in events[1:3]]
        assert list(reader.written(after=5, limit=2)) == []
        assert [written_hash(row) for row in reader.written(limit=9)] == [event.hash for event in events]


class _Broken(Exception):
    """Something that goes wrong in the middle of a transaction."""


def _go_wrong() -> None:
    raise _Broken


def _refused(act: Callable[[], object], said: str) -> None:
    try:
        act()
    except Invalid as error:
        assert said in error.message, error.message  # noqa: PT017 - this module needs no pytest
    else:
        raise AssertionError(f"nothing was refused, though {said!r} should have been")


def _together(number: int, act: Callable[[], None]) -> None:
    """Do it in so many threads at once; the first error of any of them is raised here."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            errors.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_WAIT)
        assert not thread.is_alive(), f"a writer did not finish within {_WAIT} s"
    if errors:
        raise errors[0]


STATE_CHECKS: tuple[Callable[[State], None], ...] = (
    every_kind_comes_back_as_it_was,
    what_is_not_there_is_none,
    a_taken_key_is_left_alone,
    add_all_counts_those_that_are_new,
    put_all_puts_one_after_the_other,
    put_replaces_and_keeps_the_place,
    remove_makes_room,
    find_filters_orders_and_pages,
    questions_that_make_no_sense_are_refused,
    what_json_cannot_spell_is_refused,
    what_was_kept_does_not_change_behind_our_back,
    an_exception_undoes_everything,
    a_writer_sees_its_own_changes_and_readers_do_not,
    a_reader_sees_one_moment,
    a_write_within_a_write_is_refused,
    writers_take_turns,
    only_one_takes_a_job,
    events_are_chained,
    events_are_found_by_subject_and_model,
    events_are_found_by_actor_action_and_place,
    events_are_given_as_they_are_kept,
)
