"""A registry after a year of a large company: 20 models, 10,000 versions with their requests and runs, 1,000,000 events.

Made of the nouns themselves and written in bulk: through the use cases it would take hours. The chain is a real one.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from lockgate.domain.events import GENESIS, Action, Happened, chained, written
from lockgate.domain.models import Alias, RequestState, Stage
from lockgate.domain.rollouts import Phase
from lockgate.domain.runs import RunStatus
from lockgate.domain.verdicts import GateVerdict
from lockgate.integrations.sql import engines, statements
from lockgate.integrations.sql.state import SqlState
from lockgate.ports.rows import settled
from lockgate.ports.state import ALIASES, MODELS, REQUESTS, ROLLOUTS, RUNS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.clock import START

MODELS_THERE = 20
EACH = 500  # versions of a model
PEOPLE = [f"person-{n}" for n in range(40)]
EVERY = timedelta(seconds=30)  # from event to event: a million is a year
_PERIOD = 100  # events for each version: its own few, and what happens meanwhile
_AT_ONCE = 10_000

T = TypeVar("T")


def fill(where: str, events: int = 1_000_000) -> None:
    """Into an empty database, which is opened and closed."""
    state = SqlState.open(where)
    for batch in _batches(range(1, EACH + 1), 50):
        with state.write() as tx:
            for model in _models():
                tx.put_all(VERSIONS, [_version(model, number) for number in batch])
                tx.put_all(REQUESTS, [_request(model, number) for number in batch])
                tx.put_all(RUNS, [_run(model, number) for number in batch])
                tx.put_all(ROLLOUTS, [_rollout(model, number) for number in batch if number % 5 == 0])
    with state.write() as tx:
        for model in _models():
            tx.add(MODELS, a.registered_model(name=model, latest_version=EACH))
            tx.add(ALIASES, Alias(model, "champion", EACH - 1))
    state.close()
    _fill_log(where, events)


def happened(events: int) -> Iterator[Happened]:
    """A version every hundred events, from its run to Production, between the steps of rollouts and findings."""
    chance = random.Random(1)
    for n in range(events):
        period, place = divmod(n, _PERIOD)
        number, model = divmod(period, MODELS_THERE)
        yield _step(place, f"model-{model:02}", number % EACH + 1, START + n * EVERY, chance)


_LIFE = {  # place in the period → what happens to the version
    0: (Action.RUN_STARTED, {"commit": "4f0c", "dirty": False, "cause": "person"}),
    20: (Action.VERSION_REGISTERED, {"run": "run-1", "digest": a.digest("package")}),
    30: (Action.REQUEST_CREATED, {"to": "Production", "comment": "better by two points"}),
    40: (Action.REQUEST_APPROVED, {"to": "Production", "state": "approved", "comment": "yes"}),
    41: (Action.STAGE_APPLIED, {"from": "None", "to": "Staging"}),
    80: (Action.STAGE_ARCHIVED, {"from": "Production", "for": 0}),
    81: (Action.STAGE_APPLIED, {"from": "Staging", "to": "Production"}),
    82: (Action.ALIAS_SET, {"alias": "champion"}),
}


def _step(place: int, model: str, version: int, at: datetime, chance: random.Random) -> Happened:
    if place in _LIFE:
        action, details = _LIFE[place]
        about = version - 1 if action is Action.STAGE_ARCHIVED else version
        return _said(action, chance.choice(PEOPLE), at, f"{model}/{about}", model, about, details)
    kind = chance.random()
    if kind < 0.65:
        details = {"signal": "advance", "weight": round(chance.random(), 3), "detail": "safe: e-value 31.4 on errors and latency"}
        return _said(Action.ROLLOUT_STEPPED, "controller", at, f"rollout-{model}-{version}", model, version, details)
    if kind < 0.95:
        found = {"kind": "drift", "detail": "distance has drifted: psi 0.31, limit 0.2"}
        return _said(Action.FINDING_RECORDED, "watch", at, f"finding-{chance.random():.9f}", model, version, found)
    if kind < 0.9995:
        said = {"comment": "looks odd on Mondays — see the second figure"}
        return _said(Action.COMMENT_ADDED, chance.choice(PEOPLE), at, f"{model}/{version}", model, version, said)
    changed = {"from": a.digest("a"), "to": a.digest("b")}
    return _said(Action.POLICY_SET, "auditor", at, "policy", "", 0, changed)


def _said(action: Action, actor: str, at: datetime, subject: str, model: str, version: int, details: dict[str, Any]) -> Happened:
    return Happened(action, actor, authenticated=True, at=at, subject=subject, model=model, version=version, details=details)


def _fill_log(where: str, events: int) -> None:
    database = engines.connect(where, 15.0)
    head, seq = GENESIS, 0
    with database.writers.connect() as connection:
        if database.dialect == "sqlite":  # the index pages of all of it in memory, and no waiting for the disk
            connection.exec_driver_sql("PRAGMA cache_size=-400000")
            connection.exec_driver_sql("PRAGMA synchronous=OFF")
        for batch in _batches(happened(events), _AT_ONCE):
            rows = []
            for said in batch:
                event = chained(seq + 1, settled(said), head)
                head, seq = event.hash, event.seq
                rows.append(written(event)._asdict())
            connection.execute(statements.ADD_EVENT, rows)
            connection.commit()
        if database.dialect == "postgresql":
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
    database.close()


def _models() -> list[str]:
    return [f"model-{n:02}" for n in range(MODELS_THERE)]


def _version(model: str, number: int) -> Any:
    stage = {EACH: Stage.STAGING, EACH - 1: Stage.PRODUCTION}.get(number, Stage.ARCHIVED if number > 20 else Stage.NONE)
    gates = tuple(a.gate_result(gate=gate, verdict=GateVerdict.PASS) for gate in ("quality", "champion", "fairness", "leakage"))
    metrics = {"auc": 0.7 + number / 10_000, "log_loss": 0.4, "brier": 0.11, "n": 9899.0}
    return a.version(
        number, model=model, stage=stage, gates=gates, metrics=metrics, created_at=START + number * timedelta(hours=16)
    )


def _request(model: str, number: int) -> Any:
    state = RequestState.OPEN if number == EACH else RequestState.APPROVED
    at = START + number * timedelta(hours=16)
    votes = (a.decision(by=PEOPLE[number % 40], at=at),)
    return a.request(id=f"request-{model}-{number}", model=model, version=number, state=state, created_at=at, decisions=votes)


def _run(model: str, number: int) -> Any:
    steps = tuple(a.step_run(name=name) for name in ("data", "features", "train", "evaluate", "package"))
    at = START + number * timedelta(hours=16)
    return a.run(id=f"run-{model}-{number}", model=model, status=RunStatus.REGISTERED, created_at=at, steps=steps)


def _rollout(model: str, number: int) -> Any:
    return a.rollout(id=f"rollout-{model}-{number}", model=model, version=number, phase=Phase.PROMOTED)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    every = iter(items)
    while batch := list(islice(every, size)):
        yield batch
