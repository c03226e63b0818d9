"""For probes and Prometheus: does the process live, can it reach its state, and the figures of the control plane."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response

from lockgate.domain.models import RequestState
from lockgate.domain.rollouts import Phase
from lockgate.entrypoints.reading.desk import Desk, DeskHere
from lockgate.ports.state import INBOX, MODELS, REQUESTS, ROLLOUTS
from lockgate.usecases.live_workers import live_workers
from lockgate.usecases.publish_routes import route_table

router = APIRouter(tags=["health"])


@router.get("/health/live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.get("/health/ready")
def ready(desk: DeskHere) -> dict[str, str]:
    """The state can be read; 503 while it cannot."""
    with desk.world.state.read() as tx:
        return {"status": "ready", "revision": str(route_table(tx).revision)}


@router.get("/metrics", response_class=Response)
def metrics(desk: DeskHere) -> Response:
    """The figures of the control plane, for Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StateCollector(desk))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _StateCollector(Collector):
    """Reads the figures when they are asked for: what is not counted twice cannot disagree."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterator[Metric]:
        now = self._desk.world.clock.now()
        with self._desk.world.state.read() as tx:
            rollouts = GaugeMetricFamily("lockgate_rollouts", "Rollouts by phase.", labels=["phase"])
            for phase in Phase:
                rollouts.add_metric([phase.value], tx.count(ROLLOUTS, phase=phase.value))
            last = tx.events(newest_first=True, limit=1)
            figures = {
                "models": ("Registered models.", tx.count(MODELS)),
                "requests_open": ("Transition requests that wait for a decision.", tx.count(REQUESTS, state=RequestState.OPEN)),
                "events": ("Events in the audit log.", last[0].seq if last else 0),
                "workers": ("Data plane workers alive.", len(live_workers(tx, now))),
                "inbox_blocks": ("Blocks of observations that wait for the controller.", tx.count(INBOX)),
            }
        yield rollouts
        for name, (says, value) in figures.items():
            yield GaugeMetricFamily(f"lockgate_{name}", says, value=value)
