"""Keep what the versions in Staging answered to those who asked for them: part of the controller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lockgate.domain.environments import STAGING
from lockgate.ports.state import ROLLOUTS, Writer
from lockgate.stages.deliver.evidence import shown
from lockgate.usecases.find_staged import brought_in
from lockgate.usecases.start_rollout import standing_in
from lockgate.usecases.take_observations import Taken


def note_staging(tx: Writer, taken: Mapping[str, Taken]) -> None:
    """With the rollout that brought the version in. taken: what concerns each model."""
    for model, seen in taken.items():
        version = standing_in(tx, model, STAGING) if seen.aside else None
        came = brought_in(tx, version, STAGING) if version else None
        if came is not None and (so_far := shown(came, seen.aside)) != came.shown:
            tx.put(ROLLOUTS, replace(came, shown=so_far))
