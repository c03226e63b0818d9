"""Models and versions, as MLflow answers them, and with what Databricks adds. Times are Unix milliseconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lockgate.domain.models import ModelVersion, RegisteredModel, RequestState, Stage
from lockgate.domain.people import Actor
from lockgate.entrypoints.api.mlflow.shapes.activities import open_request
from lockgate.entrypoints.api.mlflow.shapes.levels import level_of
from lockgate.entrypoints.api.mlflow.shapes.moments import milliseconds
from lockgate.kernel.errors import Invalid
from lockgate.ports.state import ALIASES, REQUESTS, VERSIONS, Reader
from lockgate.usecases.set_notes import notes_of

OURS = "lockgate."  # how tags begin that Lockgate itself answers: nobody sets them


def version_object(tx: Reader, version: ModelVersion) -> dict[str, Any]:
    notes = notes_of(tx, version.model, version.version)
    aliases = [one.name for one in tx.find(ALIASES, model=version.model) if one.version == version.version]
    return {
        "name": version.model,
        "version": str(version.version),
        "creation_timestamp": milliseconds(version.created_at),
        "last_updated_timestamp": _last_event(tx, f"{version.model}/{version.version}", version.created_at),
        "user_id": version.author,
        "current_stage": version.stage.value,
        "description": notes.description,
        "source": source_of(version),
        "run_id": version.run,
        "run_link": "",
        "status": "READY",
        "status_message": "",
        "tags": _tags({**notes.tags, f"{OURS}digest": version.digest}),
        "aliases": sorted(aliases),
    }


def version_databricks(tx: Reader, version: ModelVersion, viewer: Actor) -> dict[str, Any]:
    told = version_object(tx, version)
    waiting = tx.find(REQUESTS, model=version.model, version=version.version, state=RequestState.OPEN.value)
    del told["aliases"]
    return {
        **told,
        "permission_level": level_of(tx, version.model, viewer),
        "open_requests": [open_request(tx, one, version, viewer) for one in waiting],
        "email_subscription_status": "DEFAULT",
    }


def model_object(tx: Reader, model: RegisteredModel) -> dict[str, Any]:
    notes = notes_of(tx, model.name)
    first = tx.events(model=model.name, limit=1)
    return {
        "name": model.name,
        "creation_timestamp": milliseconds(model.created_at),
        "last_updated_timestamp": _last_of_model(tx, model),
        "user_id": first[0].happened.actor if first else "",
        "description": notes.description,
        "latest_versions": [version_object(tx, one) for one in latest_versions(tx, model.name)],
        "tags": _tags(notes.tags),
        "aliases": [{"alias": one.name, "version": str(one.version)} for one in tx.find(ALIASES, model=model.name)],
    }


def model_databricks(tx: Reader, model: RegisteredModel, viewer: Actor) -> dict[str, Any]:
    """id: the name: it is never changed and never used again."""
    told = model_object(tx, model)
    del told["aliases"]
    return {**told, "id": model.name, "permission_level": level_of(tx, model.name, viewer)}


def latest_versions(tx: Reader, model: str, stages: tuple[Stage, ...] = tuple(Stage)) -> list[ModelVersion]:
    """The newest in each stage where there is one."""
    found = (tx.find(VERSIONS, model=model, stage=stage.value, newest_first=True, limit=1) for stage in stages)
    return [one for several in found for one in several]


def source_of(version: ModelVersion) -> str:
    """Where its package lies, for clients whose tracking address is this server."""
    return f"mlflow-artifacts:/models/{version.model}/{version.version}"


def check_tag(key: str, value: str) -> str:
    """The value, if a tag of that name is anybody's to set.

    Raises:
        Invalid: it is one that Lockgate itself answers.
    """
    if key.startswith(OURS):
        raise Invalid(f"the tag {key[:100]!r} is Lockgate's own; its names begin with {OURS!r}")
    return value


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]


def _last_of_model(tx: Reader, model: RegisteredModel) -> int:
    last = tx.events(model=model.name, newest_first=True, limit=1)
    return milliseconds(last[0].happened.at if last else model.created_at)


def _last_event(tx: Reader, subject: str, otherwise: datetime) -> int:
    last = tx.events(subject=subject, newest_first=True, limit=1)
    return milliseconds(last[0].happened.at if last else otherwise)
