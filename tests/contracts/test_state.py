"""Memory, SQLite and PostgreSQL keep one contract; and a dictionary's worth of random transactions proves two of them alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from lockgate.domain.events import Event
from lockgate.domain.models import ModelVersion, Stage
from lockgate.integrations.sql.state import SqlState
from lockgate.ports.state import VERSIONS, State, Writer
from lockgate.stages.decide.audit import verify
from lockgate.testing import builders as a
from lockgate.testing.checks.state import STATE_CHECKS
from lockgate.testing.state import MemoryState


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def state(request: pytest.FixtureRequest) -> Iterator[State]:
    if request.param == "memory":
        yield MemoryState()
        return
    state = SqlState.open(request.getfixturevalue(f"{request.param}_database"))
    yield state
    state.close()


@pytest.mark.parametrize("check", STATE_CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[State], None], state: State) -> None:
    check(state)


_models = st.sampled_from(["", "flight-delay", "Flight-Delay", "flüge; DROP TABLE versions", "%", "'\"\\"])
_versions = st.integers(-3, 3) | st.sampled_from([2**63 - 1, -(2**63)])
_items = st.builds(
    lambda model, number, stage: a.version(number, model=model, stage=stage), _models, _versions, st.sampled_from(Stage)
)


class _Transactions(RuleBasedStateMachine):
    """Random changes in transactions that commit or do not, beside a dictionary to which the same is done."""

    state: State

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, int], ModelVersion] = {}  # what was committed
        self.seen: dict[tuple[str, int], ModelVersion] = {}  # what the open transaction sees
        self.transaction: Any = None
        self.writer: Writer | None = None
        self.recorded = 0

    @initialize()
    def empty(self) -> None:
        with self.state.write() as writer:
            for item in writer.find(VERSIONS):
                writer.remove(VERSIONS, item.model, item.version)
            self.recorded = self.committed = len(writer.events())

    @precondition(lambda self: self.writer is None)
    @rule()
    def begin(self) -> None:
        self.transaction = self.state.write()
        self.writer = self.transaction.__enter__()
        self.seen = dict(self.kept)
        self.recorded = self.committed

    @precondition(lambda self: self.writer is not None)
    @rule()
    def commit(self) -> None:
        self.transaction.__exit__(None, None, None)
        self.kept, self.committed, self.writer = self.seen, self.recorded, None

    @precondition(lambda self: self.writer is not None)
    @rule()
    def undo(self) -> None:
        error = RuntimeError("broken off")
        assert not self.transaction.__exit__(RuntimeError, error, None)
        self.writer = None

    @precondition(lambda self: self.writer is not None)
    @rule(item=_items)
    def add(self, item: ModelVersion) -> None:
        assert self.writer
        new = VERSIONS.key_of(item) not in self.seen
        assert self.writer.add(VERSIONS, item) is new
        self.seen.setdefault((item.model, item.version), item)

    @precondition(lambda self: self.writer is not None)
    @rule(items=st.lists(_items, max_size=4))
    def add_all(self, items: list[ModelVersion]) -> None:
        assert self.writer
        before = len(self.seen)
        for item in items:
            self.seen.setdefault((item.model, item.version), item)
        assert self.writer.add_all(VERSIONS, items) == len(self.seen) - before

    @precondition(lambda self: self.writer is not None)
    @rule(item=_items)
    def put(self, item: ModelVersion) -> None:
        assert self.writer
        self.writer.put(VERSIONS, item)
        self.seen[item.model, item.version] = item

    @precondition(lambda self: self.writer is not None)
    @rule(items=st.lists(_items, max_size=4))
    def put_all(self, items: list[ModelVersion]) -> None:
        assert self.writer
        self.writer.put_all(VERSIONS, items)
        self.seen |= {(item.model, item.version): item for item in items}

    @precondition(lambda self: self.writer is not None)
    @rule(model=_models, version=_versions)
    def remove(self, model: str, version: int) -> None:
        assert self.writer
        self.writer.remove(VERSIONS, model, version)
        self.seen.pop((model, version), None)

    @precondition(lambda self: self.writer is not None)
    @rule(
        details=st.dictionaries(
            st.text(), st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
        )
    )
    def record(self, details: dict[str, Any]) -> None:
        assert self.writer
        event: Event = self.writer.record(a.happened(details=details))
        self.recorded += 1
        assert event.seq == self.recorded

    @rule(
        model=_models,
        stage=st.sampled_from(Stage),
        newest_first=st.booleans(),
        limit=st.none() | st.integers(0, 3),
        offset=st.integers(0, 3),
    )
    def find(self, *, model: str, stage: Stage, newest_first: bool, limit: int | None, offset: int) -> None:
        """The writer sees its own changes, a reader what was committed: each filtered, ordered and cut like a list."""
        with self.state.read() as reader:
            for one, items in [(reader, self.kept), *([(self.writer, self.seen)] if self.writer else [])]:
                of_model = [item for item in items.values() if item.model == model]
                expected = [item for item in of_model if item.stage is stage][:: -1 if newest_first else 1]
                cut = expected[offset : None if limit is None else offset + limit]
                assert one.find(VERSIONS, model=model, stage=stage, newest_first=newest_first, limit=limit, offset=offset) == cut
                assert one.count(VERSIONS, model=model) == len(of_model)
                assert one.find(VERSIONS, offset=offset) == list(items.values())[offset:]

    @invariant()
    def readers_see_what_was_committed(self) -> None:
        with self.state.read() as reader:
            assert reader.find(VERSIONS) == list(self.kept.values())
            for key, item in self.kept.items():
                assert reader.get(VERSIONS, *key) == item

    def teardown(self) -> None:
        if self.writer:
            self.commit()
        with self.state.read() as reader:
            audit = verify(lambda after, limit: reader.written(after=after, limit=limit))
        assert (audit.events, audit.broken) == (self.committed, None)


@pytest.mark.parametrize("where", ["memory", "sqlite"])
def test_random_transactions_do_as_a_dictionary_does(where: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    state: Any = MemoryState() if where == "memory" else SqlState.open(request.getfixturevalue("sqlite_database"))
    machine = type("_Transactions", (_Transactions,), {"state": state})
    limits = settings(
        max_examples=25,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(machine, settings=limits)
    if where == "sqlite":
        state.close()
