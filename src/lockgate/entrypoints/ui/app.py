"""The pages and their static files, mounted on the application."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from lockgate.entrypoints.ui.pages import audit, docs, evidence, models, notifications, requests, rollouts, runs
from lockgate.entrypoints.ui.render import STATIC

_PAGES: tuple[APIRouter, ...] = (
    models.router,
    evidence.router,
    requests.router,
    rollouts.router,
    runs.router,
    audit.router,
    notifications.router,
    docs.router,
)


def mount_pages(app: FastAPI) -> None:
    for router in _PAGES:
        app.include_router(router)
    app.mount("/static", _Static(directory=STATIC), name="static")


class _Static(StaticFiles):
    """Addresses with a version are kept by browsers for ever, others for an hour."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        versioned = scope["query_string"].startswith(b"v=")
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if versioned else "public, max-age=3600"
        return response
