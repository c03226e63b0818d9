"""One rollout: where it stands, on what evidence, what each arm did, how it ended. Live while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from lockgate.domain.events import Event
from lockgate.domain.rollouts import Phase, Rollout, StepApproval, Strategy
from lockgate.entrypoints.reading.beside import Line, pair_lines, side
from lockgate.entrypoints.reading.contestants import goal_clause, shares_over_time
from lockgate.entrypoints.reading.desk import Desk, DeskHere
from lockgate.entrypoints.reading.held import Held, held_after
from lockgate.entrypoints.reading.latency import latencies
from lockgate.entrypoints.reading.progress import Progress
from lockgate.entrypoints.reading.tones import PHASE_TONE, VERDICT_TONE
from lockgate.entrypoints.reading.words import alpha_clause, approve_command, place, status_line
from lockgate.entrypoints.ui.pictures import flight, spread
from lockgate.entrypoints.ui.render import render
from lockgate.ports.state import Reader
from lockgate.stages.deliver.judge.bounds import harm_bound, safe_bound
from lockgate.stages.deliver.rollout import PAIRED, asked_for, awaited_step, has_judge, preview_ends, shares, under_way, weight
from lockgate.stages.deliver.routes import PREVIEW_HEADER, PREVIEWED
from lockgate.stats.confidence import rate_interval
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.note_missing_labels import missing_labels

_LISTED = 50

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Rate:
    """events of trials, with an interval that holds at all times at once (95 %).

    on_scale: low, point and high, 0 to 100, on the scale that it shares with the other arm.
    """

    events: int
    trials: int
    low: float
    point: float
    high: float
    on_scale: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Compared:
    """One kind of event in both arms."""

    name: str
    says: str
    canary: Rate | None
    baseline: Rate | None


@dataclass(frozen=True, slots=True)
class Asked:
    """The step that people are asked about. missing: how many must say yes beside those who said it."""

    share: float
    said: Sequence[StepApproval]
    missing: int
    command: str


@dataclass(frozen=True, slots=True)
class Preview:
    """How to meet the version, and when all do. ends: None where a person switches."""

    header: str
    path: str
    ends: datetime | None


@router.get("/rollouts/{rollout_id}")
def rollout(request: Request, desk: DeskHere, rollout_id: str) -> Response:
    return render(request, "rollout.html", **_context(desk, rollout_id))


@router.get("/fragments/rollouts/{rollout_id}")
def live(request: Request, desk: DeskHere, rollout_id: str, seen: str = "") -> Response:
    """What changes on the page of a rollout that runs; 204 while nothing has changed since `seen`."""
    with desk.world.state.read() as tx:
        if seen == _tag(rollout_by(tx, rollout_id), held_after(tx, rollout_id)):
            return Response(status_code=204)
    return render(request, "fragments/rollout.html", **_context(desk, rollout_id))


def _context(desk: Desk, rollout_id: str) -> dict[str, Any]:
    with desk.world.state.read() as tx:
        found = rollout_by(tx, rollout_id)
        progress = desk.folds.progress(tx, rollout_id)
        held = held_after(tx, rollout_id)
        events = _events(tx, found, held)
        missing = missing_labels(tx, found)
    return {
        "rollout": found,
        "tag": _tag(found, held),
        "held": held,
        "active": under_way(found),
        "place": place(found),
        "weight": weight(found),
        "says": status_line(found, progress.evidence),
        "flight": flight(found),
        "asked": _asked(found),
        "preview": _preview(found),
        "missing": missing,
        "progress": progress,
        "bounds": {"harm": harm_bound(found.judge), "safe": safe_bound(found.judge)},
        "compared": compared(found, progress),
        "judged": has_judge(found),
        "alpha_says": alpha_clause(found),
        "side": side(found),
        "paired": found.strategy in PAIRED,
        "online": found.strategy is Strategy.ONLINE,
        "pairs": _pairs(found, progress),
        "contest": bool(found.contestants),
        "goal": goal_clause(found),
        "dealt": shares(found),
        "shares": shares_over_time(found, desk.world.clock.now()),
        "latency": {"canary": latencies(progress.canary.latency), "baseline": latencies(progress.baseline.latency)},
        "events": events,
        "tones": {"phases": PHASE_TONE, "verdicts": VERDICT_TONE},
    }


def _tag(rollout: Rollout, held: Held | None) -> str:
    """What the page depends on. The time at which the last worker followed comes some moments after the end."""
    enforced = rollout.outcome is not None and rollout.outcome.enforced_at is not None
    said, shown, after = len(rollout.approvals), rollout.shown.requests, held.tag if held else ""
    told = f"{int(enforced)}.{int(rollout.unlabelled_since is not None)}.{said}.{shown}.{after}"
    return f"{rollout.phase.value}.{rollout.step}.{rollout.rows}.{len(rollout.ramp)}.{told}"


def _asked(rollout: Rollout) -> Asked | None:
    step = awaited_step(rollout)
    if step is None:
        return None
    said = [one for one in rollout.approvals if one.step == step]
    return Asked(rollout.steps[step], said, asked_for(rollout, step), approve_command(rollout))


def _preview(rollout: Rollout) -> Preview | None:
    if rollout.phase is not Phase.PREVIEW:
        return None
    path = f"/v2/models/{rollout.model}/versions/{rollout.version}/infer"
    return Preview(f"{PREVIEW_HEADER}: {PREVIEWED}", path, preview_ends(rollout))


def _pairs(rollout: Rollout, progress: Progress) -> list[Line]:
    return list(pair_lines(rollout, progress.pairs)) if rollout.strategy in PAIRED else []


def _events(tx: Reader, rollout: Rollout, held: Held | None) -> Sequence[Event]:
    """Its own, and those of what it left behind."""
    after = tx.events(subject=held.hold.id, newest_first=True, limit=_LISTED) if held else []
    return [*after, *tx.events(subject=rollout.id, newest_first=True, limit=_LISTED)]


def compared(rollout: Rollout, progress: Progress) -> list[Compared]:
    """Rates of what the judge looks at, side by side; counted by request; the verdict follows from the e-values."""
    canary, baseline = progress.canary, progress.baseline
    made = []
    if rollout.strategy is not Strategy.ONLINE:  # a checkpoint is asked about rows of the log, where nothing fails
        made = [_compare("failures", "of requests", (canary.failed, canary.completed), (baseline.failed, baseline.completed))]
    for index, level in enumerate(rollout.judge.quantiles):
        if index < len(canary.exceeded) and index < len(baseline.exceeded):
            made.append(
                _compare(
                    f"slower than p{level * 100:g}",
                    "of timed requests",
                    (canary.exceeded[index], canary.timed),
                    (baseline.exceeded[index], baseline.timed),
                )
            )
    if "labels" in rollout.judge.metrics:
        event = rollout.judge.label_event
        name = event.words if event else "judged event"
        of = "of rows" if rollout.strategy is Strategy.ONLINE else "of labels"
        made.append(_compare(name, of, (canary.events, canary.labelled), (baseline.events, baseline.labelled)))
    return made


def _compare(name: str, says: str, canary: tuple[int, int], baseline: tuple[int, int]) -> Compared:
    rates = [_rate(*canary), _rate(*baseline)]
    bounds = [value for rate in rates if rate for value in (rate.low, rate.point, rate.high)]
    places = spread(bounds) if bounds else []
    placed: list[Rate | None] = []
    for rate in rates:
        if rate is None:
            placed.append(None)
            continue
        low, point, high, *places = places
        placed.append(Rate(rate.events, rate.trials, rate.low, rate.point, rate.high, (low, point, high)))
    return Compared(name, says, placed[0], placed[1])


def _rate(events: int, trials: int) -> Rate | None:
    if not trials:
        return None
    low, high = rate_interval(trials, events)
    return Rate(events, trials, float(low), events / trials, float(high))
