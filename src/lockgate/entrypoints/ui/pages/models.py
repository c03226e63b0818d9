"""The page that stays open: every model with what is live, on trial, or waits for a person. And each model and version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from lockgate.domain.models import RegisteredModel, RequestState, TransitionRequest
from lockgate.domain.policy import CURRENT
from lockgate.domain.rollouts import Rollout
from lockgate.entrypoints.reading.answered import answered
from lockgate.entrypoints.reading.asked import open_requests
from lockgate.entrypoints.reading.desk import Desk, DeskHere
from lockgate.entrypoints.reading.files import manifest_of
from lockgate.entrypoints.reading.forms import forms_of
from lockgate.entrypoints.reading.gates import gates_now, waivers_in_force
from lockgate.entrypoints.reading.journey import Mark, journey
from lockgate.entrypoints.reading.learning import Told, learning_of, learning_or_none
from lockgate.entrypoints.reading.live import Live, live_models, trials_in_production, waiting_requests
from lockgate.entrypoints.reading.papers import papers_of
from lockgate.entrypoints.reading.progress import latest_evidence
from lockgate.entrypoints.reading.scans import scans_now
from lockgate.entrypoints.reading.segments import segment_clause
from lockgate.entrypoints.reading.subscribers import SHOWN, following
from lockgate.entrypoints.reading.tones import PHASE_TONE, VERDICT_TONE
from lockgate.entrypoints.reading.words import status_line
from lockgate.entrypoints.ui.pictures import Flight, Rates, flight, learned_rates
from lockgate.entrypoints.ui.render import render, visit
from lockgate.kernel.errors import Corrupt
from lockgate.ports.state import (
    ALIASES,
    FINDINGS,
    INBOX,
    MODELS,
    POLICIES,
    PROJECTS,
    REQUESTS,
    ROLLOUTS,
    TRIGGERS,
    VERSIONS,
    Reader,
)
from lockgate.usecases.find_answers import open_glasses
from lockgate.usecases.find_rollouts import rollouts_of, rollouts_under_way
from lockgate.usecases.find_rule import moves_from
from lockgate.usecases.find_things import model_named, version_of
from lockgate.usecases.live_workers import live_workers

PER_PAGE = 25
_LISTED = 50

router = APIRouter(include_in_schema=False)
PageAsked = Annotated[int, Query(ge=1, le=10_000)]


@dataclass(frozen=True, slots=True)
class Card:
    model: RegisteredModel
    live: Live
    trial: Rollout | None
    says: str
    flight: Flight | None
    requests: Sequence[TransitionRequest]
    journey: tuple[Mark, ...]
    segments: Sequence[str] = ()


@router.get("/")
def home(request: Request, desk: DeskHere, page: PageAsked = 1) -> Response:
    return render(request, "models.html", **_overview(desk, page))


@router.get("/fragments/models")
def cards(request: Request, desk: DeskHere, page: PageAsked = 1, seen: str = "") -> Response:
    """The cards alone, for a page that is open; 204 while nothing has changed since `seen`."""
    with desk.world.state.read() as tx:
        if seen == _tag(tx, desk):
            return Response(status_code=204)
    return render(request, "fragments/models.html", **_overview(desk, page))


def _overview(desk: Desk, page: int) -> dict[str, Any]:
    with desk.world.state.read() as tx:
        models = tx.find(MODELS, limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
        total = tx.count(MODELS)
        cards = _cards(tx, models, desk.world.clock.now())
        tag, glasses = _tag(tx, desk), open_glasses(tx, desk.world.clock.now())
    pages = -(-total // PER_PAGE)
    return {"cards": cards, "total": total, "page": page, "pages": pages, "tag": tag, "tones": VERDICT_TONE, "glasses": glasses}


def _cards(tx: Reader, models: Sequence[RegisteredModel], now: datetime) -> list[Card]:
    live, workers = live_models(tx, [model.name for model in models]), live_workers(tx, now)
    trials = trials_in_production(tx)
    waiting: dict[str, list[TransitionRequest]] = defaultdict(list)
    for request in waiting_requests(tx):
        waiting[request.model].append(request)
    made = []
    for model in models:
        trial, here = trials.get(model.name), live[model.name]
        says = status_line(trial, latest_evidence(tx, trial.id)) if trial else ""
        marks = journey(tx, model, here, waiting[model.name], workers, now)
        segments = tuple(filter(None, map(segment_clause, here.segments)))
        made.append(Card(model, here, trial, says, flight(trial) if trial else None, waiting[model.name], marks, segments))
    return made


def _tag(tx: Reader, desk: Desk) -> str:
    """What the cards depend on, in a few figures; times that only grow older are refreshed by the browser."""
    last = tx.events(newest_first=True, limit=1)
    rows = sum(rollout.rows for rollout in rollouts_under_way(tx))
    now = desk.world.clock.now()
    workers = live_workers(tx, now)
    held = sum(len(worker.packages) for worker in workers)
    timed = len(waivers_in_force(tx, None, now)) + len(open_glasses(tx, now))  # they end without an event
    return f"{last[0].seq if last else 0}.{rows}.{len(workers)}.{held}.{min(tx.count(INBOX), 1)}.{timed}"


@router.get("/models/{name}")
def model(request: Request, desk: DeskHere, name: str, page: PageAsked = 1) -> Response:
    now = desk.world.clock.now()
    with desk.world.state.read() as tx:
        found = model_named(tx, name)
        triggers = tx.find(TRIGGERS, model=name, newest_first=True, limit=_LISTED)
        context: dict[str, Any] = {
            "model": found,
            "live": live_models(tx, [name])[name],
            "aliases": tx.find(ALIASES, model=name),
            "project": tx.get(PROJECTS, name),
            "versions": tx.find(VERSIONS, model=name, newest_first=True, limit=_LISTED, offset=(page - 1) * _LISTED),
            "total": tx.count(VERSIONS, model=name),
            "page": page,
            "requests": answered(tx, tx.find(REQUESTS, model=name, newest_first=True, limit=_LISTED), now),
            "rollouts": tx.find(ROLLOUTS, model=name, newest_first=True, limit=_LISTED),
            "findings": tx.find(FINDINGS, model=name, newest_first=True, limit=_LISTED),
            "learning": learning_or_none(tx, name),
            "programs": following(tx, now, name)[:SHOWN],
            "waivers": waivers_in_force(tx, name, now),
            "glasses": [one for one in open_glasses(tx, now) if one.model in ("", name)],
        }
        context["gates"] = {one.version: gates_now(tx, one, now) for one in context["versions"]}
    by_finding: dict[str, list[Any]] = defaultdict(list)
    for trigger in triggers:
        by_finding[trigger.finding].append(trigger)
    context["pages"] = -(-context["total"] // _LISTED)
    tones = {"phases": PHASE_TONE}
    context["rates"] = _rates(context["learning"])
    return render(request, "model.html", triggers=by_finding, tones=tones, columns=_columns(context["versions"]), **context)


@router.get("/fragments/models/{name}/learning")
def learning(request: Request, desk: DeskHere, name: str, seen: str = "") -> Response:
    """The panel of a model that learns, alone; 204 while nothing has changed since `seen`."""
    with desk.world.state.read() as tx:
        told = learning_of(tx, name)
    if seen == told.tag:
        return Response(status_code=204)
    return render(request, "fragments/learning.html", learning=told, rates=_rates(told))


def _rates(told: Told | None) -> Rates | None:
    return learned_rates(told.checkpoints, told.online.at_most if told.online else None) if told else None


def _columns(versions: Sequence[Any]) -> list[str]:
    """The metrics that most of the versions have, at most four: a table that fits a screen."""
    seen: dict[str, int] = defaultdict(int)
    for version in versions:
        for name in version.metrics:
            seen[name] += 1
    return sorted(seen, key=lambda name: (-seen[name], name))[:4]


@router.get("/models/{name}/versions/{number}")
def version(request: Request, desk: DeskHere, name: str, number: int) -> Response:
    now = desk.world.clock.now()
    with desk.world.state.read() as tx:
        found = version_of(tx, name, number)
        requests = answered(tx, tx.find(REQUESTS, model=name, version=number, newest_first=True, limit=_LISTED), now)
        events = tx.events(subject=f"{name}/{number}", newest_first=True, limit=_LISTED)
        gates, scans = gates_now(tx, found, now), scans_now(tx, found, now)
        asked = open_requests(tx, now, visit(request)["me"], name, number)
        moves = moves_from(tx, found)
        forms = forms_of(tx, name, number)
        policy = tx.get(POLICIES, CURRENT)
        trials = [(one, status_line(one, latest_evidence(tx, one.id))) for one in rollouts_of(tx, name, number)]
    manifest, papers, damage = None, None, None
    try:
        manifest = manifest_of(desk.world.artifacts, found.digest)
        papers = papers_of(desk.world.artifacts, found, policy)
    except Corrupt as error:
        damage = error.message
    return render(
        request,
        "version.html",
        version=found,
        gates=gates,
        scans=scans,
        most=_LISTED,
        forms=forms,
        manifest=manifest,
        papers=papers,
        trials=trials,
        damage=damage,
        closed=[one for one in requests if one.state is not RequestState.OPEN],
        asked=asked,
        moves=moves,
        events=events,
    )
