"""What every read needs, in one place: the world, the home's folder, and what was already folded of the rollouts' journals."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from lockgate.entrypoints.reading.progress import Folds
from lockgate.usecases.world import World


@dataclass(frozen=True, slots=True)
class Desk:
    """`home` is None where there is no folder, as in tests: then there are no logs of runs."""

    world: World
    home: Path | None = None
    folds: Folds = field(default_factory=Folds)


def desk_of(request: Request) -> Desk:
    return cast("Desk", request.app.state.desk)


DeskHere = Annotated[Desk, Depends(desk_of)]
