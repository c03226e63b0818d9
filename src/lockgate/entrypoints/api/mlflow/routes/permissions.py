"""`/permissions/registered-models`: who may do what follows from the policy; it is read here and written there."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lockgate.entrypoints.api.mlflow.callers import Administrator, Viewer
from lockgate.entrypoints.api.mlflow.shapes.levels import LEVELS, access_list
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.kernel.errors import Refused
from lockgate.usecases.find_things import model_named

router = APIRouter(prefix="/permissions/registered-models")


@router.get("/{model}")
def get(desk: DeskHere, _viewer: Viewer, model: str) -> Any:
    with desk.world.state.read() as tx:
        name = model_named(tx, model).name
        told = {"object_id": f"/registered-models/{name}", "object_type": "registered-model"}
        return {**told, "access_control_list": access_list(tx, name)}


@router.get("/{model}/permissionLevels")
def levels(desk: DeskHere, _viewer: Viewer, model: str) -> Any:
    with desk.world.state.read() as tx:
        model_named(tx, model)
    return {"permission_levels": [{"permission_level": level, "description": says} for level, says in LEVELS]}


@router.api_route("/{model}", methods=["PUT", "PATCH"])
def write(_actor: Administrator, model: str) -> Any:
    raise Refused(
        f"permissions of {model} are not set here: roles are the policy's",
        hint="Give roles to people in the policy's file: lockgate policy set FILE",
    )
