"""Export what an image of versions is made of, for whoever builds images by a service of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lockgate.domain.forms import Contents
from lockgate.ports.outbox import Outbox
from lockgate.usecases.gather_contents import gather_signed
from lockgate.usecases.world import World

Export = Callable[[Sequence[Contents]], Path]


def export_image(world: World, versions: Sequence[tuple[str, int]], outbox: Outbox, export: Export) -> Path:
    """Where the Dockerfile lies. Nothing was built, so nothing is proven, and nothing is recorded. outbox: to gather files in.

    Raises:
        Refused, NotFound, Corrupt: as `gather_signed`. Conflict, Unavailable: as `export` has it.
    """
    with outbox.draft() as draft:
        return export(gather_signed(world, versions, draft))
