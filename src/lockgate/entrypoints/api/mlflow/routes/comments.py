"""`/mlflow/comments`: what people say about a version; each changes their own."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lockgate.entrypoints.api.mlflow.callers import Writer
from lockgate.entrypoints.api.mlflow.shapes import asked
from lockgate.entrypoints.api.mlflow.shapes.activities import comment_object
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.usecases.add_comment import comment_on
from lockgate.usecases.edit_comment import delete_comment, edit_comment

router = APIRouter(prefix="/mlflow/comments")


@router.post("/create")
def create(desk: DeskHere, actor: Writer, sent: asked.NewCommentSent) -> Any:
    comment, _ = comment_on(desk.world, sent.name, sent.version, actor, sent.comment)
    return {"comment": comment_object(comment, actor)}


@router.patch("/update")
def update(desk: DeskHere, actor: Writer, sent: asked.CommentEditSent) -> Any:
    return {"comment": comment_object(edit_comment(desk.world, sent.id, actor, sent.comment), actor)}


@router.delete("/delete")
def delete(desk: DeskHere, actor: Writer, sent: asked.OfCommentSent) -> dict[str, Any]:
    delete_comment(desk.world, sent.id, actor)
    return {}
