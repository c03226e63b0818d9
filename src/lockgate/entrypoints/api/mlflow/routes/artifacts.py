"""`/mlflow-artifacts`: packages of versions, to be read. They are made by runs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from lockgate.entrypoints.api.mlflow.callers import Viewer, Writer
from lockgate.entrypoints.api.mlflow.folders import folder_at
from lockgate.entrypoints.api.mlflow.shapes import asked
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.kernel.errors import Refused

router = APIRouter(prefix="/mlflow-artifacts/artifacts")


@router.get("")
def listed(desk: DeskHere, _viewer: Viewer, sent: asked.OfFolderSent) -> Any:
    with desk.world.state.read() as tx:
        folder, rest = folder_at(tx, desk.world.artifacts, sent.path)
    return {"files": [_entry(*one) for one in folder.below(rest)]}


@router.get("/{path:path}")
def download(desk: DeskHere, _viewer: Viewer, path: str) -> Response:
    with desk.world.state.read() as tx:
        folder, rest = folder_at(tx, desk.world.artifacts, path)
    return Response(folder.content(desk.world.artifacts, rest), media_type="application/octet-stream")


@router.api_route("/{path:path}", methods=["PUT", "DELETE"])
def write(_actor: Writer, path: str) -> Any:
    raise Refused(f"{path[:200]!r} cannot be written: packages are made by runs, and never changed", hint="Run `lockgate run`")


def _entry(path: str, size: int | None) -> dict[str, Any]:
    return {"path": path, "is_dir": True} if size is None else {"path": path, "is_dir": False, "file_size": size}
