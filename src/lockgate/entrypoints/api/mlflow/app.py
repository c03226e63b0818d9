"""The application behind `/api/2.0`: its routes are in no description of ours, since others have described them."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from lockgate.entrypoints.api.mlflow.failures import PREFIX, Translated, on_error, on_http, on_surprise
from lockgate.entrypoints.api.mlflow.routes import (
    activities,
    artifacts,
    comments,
    model_versions,
    permissions,
    registered_models,
    registry_webhooks,
    runs,
    transition_requests,
)
from lockgate.kernel.errors import LockgateError

ROUTERS = (
    registered_models.router,
    model_versions.router,
    transition_requests.router,
    comments.router,
    activities.router,
    registry_webhooks.router,
    permissions.router,
    artifacts.router,
    runs.router,
)


def mount_mlflow(app: FastAPI) -> None:
    """Let the application answer clients of MLflow and Databricks. What stands around it is to be added before."""
    inner = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    inner.state = app.state
    for router in ROUTERS:
        inner.include_router(router)
    inner.add_exception_handler(LockgateError, on_error)
    inner.add_exception_handler(HTTPException, on_http)
    inner.add_exception_handler(Exception, on_surprise)
    app.mount(PREFIX, inner)
    app.add_middleware(Translated)
