"""The data-plane workers that count: those that were heard lately."""

from __future__ import annotations

from datetime import datetime

from lockgate.boundary.acknowledgements import Acknowledgement
from lockgate.ports.state import WORKERS, Reader
from lockgate.stages.deliver.readiness import Seen, live

PATIENCE = 10.0  # seconds without a word after which a worker no longer counts as alive


def live_workers(tx: Reader, now: datetime) -> list[Acknowledgement]:
    seen = [Seen(worker.seen_at, worker.acknowledgement) for worker in tx.find(WORKERS)]
    return live(seen, now.timestamp(), PATIENCE)
