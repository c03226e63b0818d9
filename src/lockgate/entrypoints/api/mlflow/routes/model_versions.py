"""`/mlflow/model-versions`: versions are made by runs; here they are found, described, moved and deleted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lockgate.domain.models import ModelVersion
from lockgate.entrypoints.api.mlflow.callers import Administrator, Decider, Viewer, Writer
from lockgate.entrypoints.api.mlflow.filters import Comparison, ordered, parse_filter
from lockgate.entrypoints.api.mlflow.gates import telling_gates
from lockgate.entrypoints.api.mlflow.pages import page
from lockgate.entrypoints.api.mlflow.shapes import asked
from lockgate.entrypoints.api.mlflow.shapes.objects import check_tag, source_of, version_databricks, version_object
from lockgate.entrypoints.reading.desk import Desk, DeskHere
from lockgate.kernel.errors import Invalid
from lockgate.ports.state import NOTES, VERSIONS, Reader
from lockgate.usecases.delete_version import delete_version
from lockgate.usecases.find_things import version_of
from lockgate.usecases.set_notes import set_notes
from lockgate.usecases.transition_directly import transition_directly

router = APIRouter(prefix="/mlflow")
_FIELDS = ("name", "run_id", "version_number")
_ORDERS = {
    "name": lambda one: one.model,
    "version_number": lambda one: one.version,
    "creation_timestamp": lambda one: one.created_at,
}


@router.post("/model-versions/create")
def create(_actor: Writer) -> Any:
    raise Invalid(
        "versions come by a run only: its checks, its gates and its lineage are what a version stands for",
        hint="Run `lockgate run` in the model's project",
    )


@router.get("/model-versions/get")
def get(desk: DeskHere, _viewer: Viewer, sent: asked.OfVersionSent) -> Any:
    return _one(desk, sent)


@router.get("/model-versions/search")
def search(desk: DeskHere, _viewer: Viewer, sent: asked.SearchSent) -> Any:
    conditions = parse_filter(sent.filter, _FIELDS)
    with desk.world.state.read() as tx:
        found = ordered(_found(tx, conditions), sent.order_by, _ORDERS)
        return page(found, sent, "model_versions", lambda one: version_object(tx, one))


@router.patch("/model-versions/update")
def update(desk: DeskHere, actor: Writer, sent: asked.DescribingVersionSent) -> Any:
    set_notes(desk.world, sent.name, sent.version, actor, description=sent.description)
    return _one(desk, sent)


@router.delete("/model-versions/delete")
def delete(desk: DeskHere, actor: Administrator, sent: asked.OfVersionSent) -> dict[str, Any]:
    delete_version(desk.world, sent.name, sent.version, actor)
    return {}


@router.post("/model-versions/set-tag")
def set_tag(desk: DeskHere, actor: Writer, sent: asked.VersionTagSent) -> dict[str, Any]:
    set_notes(desk.world, sent.name, sent.version, actor, tags={sent.key: check_tag(sent.key, sent.value)})
    return {}


@router.delete("/model-versions/delete-tag")
def delete_tag(desk: DeskHere, actor: Writer, sent: asked.VersionTagSent) -> dict[str, Any]:
    set_notes(desk.world, sent.name, sent.version, actor, tags={sent.key: None})
    return {}


@router.get("/model-versions/get-download-uri")
def download_uri(desk: DeskHere, _viewer: Viewer, sent: asked.OfVersionSent) -> dict[str, str]:
    with desk.world.state.read() as tx:
        return {"artifact_uri": source_of(version_of(tx, sent.name, sent.version))}


@router.post("/model-versions/transition-stage")
def transition(desk: DeskHere, actor: Decider, sent: asked.MovingSent) -> Any:
    _move(desk, actor, sent)
    return _one(desk, sent)


@router.post("/databricks/model-versions/transition-stage")
def transition_databricks(desk: DeskHere, actor: Decider, sent: asked.MovingSent) -> Any:
    _move(desk, actor, sent)
    with desk.world.state.read() as tx:
        return {"model_version_databricks": version_databricks(tx, version_of(tx, sent.name, sent.version), actor)}


def _move(desk: Desk, actor: Decider, sent: asked.Moving) -> None:
    with telling_gates(desk.world, sent):
        archive, seen = sent.archive_existing_versions, sent.if_version_digest
        what = (sent.name, sent.version, sent.stage)
        transition_directly(desk.world, *what, actor, sent.comment, archive_existing=archive, if_digest=seen)


def _one(desk: Desk, sent: asked.OfVersion) -> dict[str, Any]:
    with desk.world.state.read() as tx:
        return {"model_version": version_object(tx, version_of(tx, sent.name, sent.version))}


def _found(tx: Reader, conditions: list[Comparison]) -> list[ModelVersion]:
    """The newest of each model first. Of one model only, where its name is among the conditions."""
    names = [said.values[0] for said in conditions if (said.key, said.how) == ("name", "=")]
    versions = tx.find(VERSIONS, model=names[0]) if names else tx.find(VERSIONS)
    notes = {(one.model, one.version): one.tags for one in tx.find(NOTES)}
    kept = [one for one in versions if all(said.holds(_facts(one, notes)) for said in conditions)]
    return sorted(kept, key=lambda one: (one.model, -one.version))


def _facts(version: ModelVersion, notes: dict[tuple[str, int], dict[str, str]]) -> dict[str, str]:
    tags = notes.get((version.model, version.version), {})
    facts = {"name": version.model, "run_id": version.run, "version_number": str(version.version)}
    return facts | {f"tags.{key}": value for key, value in tags.items()}
