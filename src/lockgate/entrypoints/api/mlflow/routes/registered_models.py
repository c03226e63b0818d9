"""`/mlflow/registered-models`: names, what is written beside them, and aliases."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lockgate.domain.models import RegisteredModel, Stage
from lockgate.entrypoints.api.mlflow.callers import Viewer, Writer
from lockgate.entrypoints.api.mlflow.failures import AlreadyExists
from lockgate.entrypoints.api.mlflow.filters import ordered, parse_filter
from lockgate.entrypoints.api.mlflow.pages import page
from lockgate.entrypoints.api.mlflow.shapes import asked
from lockgate.entrypoints.api.mlflow.shapes.objects import (
    check_tag,
    latest_versions,
    model_databricks,
    model_object,
    version_object,
)
from lockgate.entrypoints.reading.desk import Desk, DeskHere
from lockgate.kernel.errors import Conflict, Refused
from lockgate.ports.state import MODELS, NOTES
from lockgate.usecases.create_model import create_model
from lockgate.usecases.find_things import model_named, version_of
from lockgate.usecases.set_alias import alias_named, remove_alias, set_alias
from lockgate.usecases.set_notes import set_notes

router = APIRouter(prefix="/mlflow")
_FIELDS = {
    "name": lambda one: one.name,
    "creation_timestamp": lambda one: one.created_at,
    "timestamp": lambda one: one.created_at,  # as MLflow calls it where it orders models
}


@router.post("/registered-models/create")
def create(desk: DeskHere, actor: Writer, sent: asked.NewModelSent) -> Any:
    tags = {one.key: check_tag(one.key, one.value) for one in sent.tags}
    try:
        create_model(desk.world, sent.name, actor, sent.description, tags)
    except Conflict as error:
        raise AlreadyExists(error.message, hint=error.hint) from error
    return _one(desk, sent.name)


@router.get("/registered-models/get")
def get(desk: DeskHere, _viewer: Viewer, sent: asked.OfModelSent) -> Any:
    return _one(desk, sent.name)


@router.get("/databricks/registered-models/get")
def get_databricks(desk: DeskHere, viewer: Viewer, sent: asked.OfModelSent) -> Any:
    with desk.world.state.read() as tx:
        return {"registered_model_databricks": model_databricks(tx, model_named(tx, sent.name), viewer)}


@router.get("/registered-models/search")
def search(desk: DeskHere, _viewer: Viewer, sent: asked.SearchSent) -> Any:
    conditions = parse_filter(sent.filter, ("name",))
    with desk.world.state.read() as tx:
        tags = {notes.model: notes.tags for notes in tx.find(NOTES, version=0)}
        found = [one for one in tx.find(MODELS) if all(said.holds(_facts(one, tags)) for said in conditions)]
        found = ordered(sorted(found, key=lambda one: one.name), sent.order_by, _FIELDS)
        return page(found, sent, "registered_models", lambda one: model_object(tx, one))


@router.get("/registered-models/list")
def listed(desk: DeskHere, _viewer: Viewer, sent: asked.ListingSent) -> Any:
    with desk.world.state.read() as tx:
        found = sorted(tx.find(MODELS), key=lambda one: one.name)
        return page(found, sent, "registered_models", lambda one: model_object(tx, one))


@router.api_route("/registered-models/get-latest-versions", methods=["GET", "POST"])
def latest(desk: DeskHere, _viewer: Viewer, sent: asked.LatestSent) -> Any:
    with desk.world.state.read() as tx:
        model_named(tx, sent.name)
        found = latest_versions(tx, sent.name, tuple(sent.stages) or tuple(Stage))
        return {"model_versions": [version_object(tx, one) for one in found]}


@router.patch("/registered-models/update")
def update(desk: DeskHere, actor: Writer, sent: asked.DescribingSent) -> Any:
    set_notes(desk.world, sent.name, 0, actor, description=sent.description)
    return _one(desk, sent.name)


@router.post("/registered-models/rename")
def rename(_actor: Writer, sent: asked.RenamingSent) -> Any:
    """Refused to all, so nobody is sent for another token first."""
    raise Refused(
        f"{sent.name} cannot be renamed: packages, routes and the audit log know it by this name",
        hint="Take another name in lockgate.yaml and run `lockgate run`: that is another model",
    )


@router.delete("/registered-models/delete")
def delete(_actor: Writer, sent: asked.OfModelSent) -> Any:
    """Refused to all, so nobody is sent for another token first."""
    raise Refused(
        f"{sent.name} cannot be deleted: its name and its numbers are never used again",
        hint="Delete those of its versions that stand nowhere, or archive them",
    )


@router.post("/registered-models/set-tag")
def set_tag(desk: DeskHere, actor: Writer, sent: asked.ModelTagSent) -> dict[str, Any]:
    set_notes(desk.world, sent.name, 0, actor, tags={sent.key: check_tag(sent.key, sent.value)})
    return {}


@router.delete("/registered-models/delete-tag")
def delete_tag(desk: DeskHere, actor: Writer, sent: asked.ModelTagSent) -> dict[str, Any]:
    set_notes(desk.world, sent.name, 0, actor, tags={sent.key: None})
    return {}


@router.post("/registered-models/alias")
def move_alias(desk: DeskHere, actor: Writer, sent: asked.NewAliasSent) -> dict[str, Any]:
    set_alias(desk.world, sent.name, sent.alias, sent.version, actor)
    return {}


@router.delete("/registered-models/alias")
def drop_alias(desk: DeskHere, actor: Writer, sent: asked.OfAliasSent) -> dict[str, Any]:
    remove_alias(desk.world, sent.name, sent.alias, actor)
    return {}


@router.get("/registered-models/alias")
def by_alias(desk: DeskHere, _viewer: Viewer, sent: asked.OfAliasSent) -> Any:
    with desk.world.state.read() as tx:
        model_named(tx, sent.name)
        found = alias_named(tx, sent.name, sent.alias)
        return {"model_version": version_object(tx, version_of(tx, sent.name, found.version))}


def _one(desk: Desk, name: str) -> dict[str, Any]:
    with desk.world.state.read() as tx:
        return {"registered_model": model_object(tx, model_named(tx, name))}


def _facts(model: RegisteredModel, tags: dict[str, dict[str, str]]) -> dict[str, str]:
    return {"name": model.name, **{f"tags.{key}": value for key, value in tags.get(model.name, {}).items()}}
