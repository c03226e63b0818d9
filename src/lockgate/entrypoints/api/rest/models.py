"""Models, their versions, and what people say about them."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from lockgate.domain.models import Stage
from lockgate.entrypoints.api.people import ActorNamed
from lockgate.entrypoints.api.rest.paging import WindowAsked, page
from lockgate.entrypoints.api.shapes.basics import Page
from lockgate.entrypoints.api.shapes.events import EventRow, event_row
from lockgate.entrypoints.api.shapes.forms import Form
from lockgate.entrypoints.api.shapes.models import Model, NewComment, Version, VersionInFull
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.reading.files import manifest_of
from lockgate.entrypoints.reading.forms import forms_of
from lockgate.ports.state import ALIASES, MODELS, VERSIONS
from lockgate.usecases.add_comment import add_comment
from lockgate.usecases.find_things import model_named, version_of
from lockgate.usecases.write_card import write_card

router = APIRouter(prefix="/api/v1/models", tags=["models"])


@router.get("", response_model=Page[Model])
def models(desk: DeskHere, asked: WindowAsked) -> Any:
    """The registered models with their aliases."""
    listed = page(desk, MODELS, asked)
    with desk.world.state.read() as tx:
        aliases = [alias for one in listed["items"] for alias in tx.find(ALIASES, model=one.name)]
    items = [
        Model(
            name=one.name,
            created_at=one.created_at,
            latest_version=one.latest_version,
            aliases={alias.name: alias.version for alias in aliases if alias.model == one.name},
        )
        for one in listed["items"]
    ]
    return {**listed, "items": items}


@router.get("/{model}", response_model=Model)
def model(desk: DeskHere, model: str) -> Any:
    """One model with its aliases."""
    with desk.world.state.read() as tx:
        found = model_named(tx, model)
        aliases = {alias.name: alias.version for alias in tx.find(ALIASES, model=model)}
    return Model(name=found.name, created_at=found.created_at, latest_version=found.latest_version, aliases=aliases)


@router.get("/{model}/versions", response_model=Page[Version])
def versions(desk: DeskHere, model: str, asked: WindowAsked, stage: Stage | None = None) -> Any:
    """Its versions, with metrics and gates."""
    with desk.world.state.read() as tx:
        model_named(tx, model)
    return page(desk, VERSIONS, asked, model=model, stage=stage.value if stage else None)


@router.get("/{model}/versions/{version}", response_model=VersionInFull)
def version(desk: DeskHere, model: str, version: int) -> Any:
    """With gates, metrics, and the package's manifest: files, signature, golden rows, lineage."""
    with desk.world.state.read() as tx:
        found = version_of(tx, model, version)
    manifest = manifest_of(desk.world.artifacts, found.digest)
    shape = Version.model_validate(found)
    return VersionInFull(**shape.model_dump(), manifest=msgspec.to_builtins(manifest) if manifest else None)


@router.get("/{model}/versions/{version}/forms", response_model=list[Form])
def forms(desk: DeskHere, model: str, version: int) -> Any:
    """Wheel, data file and image of it, as they were last built: digest, size, how they answered the golden rows, how fast."""
    with desk.world.state.read() as tx:
        version_of(tx, model, version)
        return forms_of(tx, model, version)


@router.get("/{model}/versions/{version}/card", response_class=PlainTextResponse)
def card(desk: DeskHere, model: str, version: int) -> Response:
    """Its model card: what it is, what it was made of, what was measured, who decided, where it serves. Markdown."""
    return Response(write_card(desk.world, model, version), media_type="text/markdown; charset=utf-8")


@router.post("/{model}/versions/{version}/comments", status_code=201)
def comment(desk: DeskHere, actor: ActorNamed, model: str, version: int, body: NewComment) -> EventRow:
    """Say something about a version; it is kept among its events."""
    return event_row(add_comment(desk.world, model, version, actor, body.text))
