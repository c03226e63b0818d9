"""The control plane's web application: REST, control channel, health, metrics and pages over one world."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from lockgate.boundary.key_file import KeyFile
from lockgate.entrypoints.api import channels, control, health, login, problems, reports
from lockgate.entrypoints.api.callers import Callers
from lockgate.entrypoints.api.channel_watch import ChannelWatch
from lockgate.entrypoints.api.entrance import Entrance
from lockgate.entrypoints.api.guard import Guard
from lockgate.entrypoints.api.mlflow.app import mount_mlflow
from lockgate.entrypoints.api.published import Published
from lockgate.entrypoints.api.rest import (
    gates,
    learning,
    models,
    moves,
    policy,
    requests,
    rollouts,
    runs,
    scans,
    status,
    subscribers,
    watching,
    webhooks,
)
from lockgate.entrypoints.api.route_watch import INTERVAL, RouteWatch
from lockgate.entrypoints.api.sign_ins import SignIns
from lockgate.entrypoints.reading.desk import Desk
from lockgate.entrypoints.ui.app import mount_pages
from lockgate.entrypoints.ui.errors import error_page
from lockgate.kernel.errors import LockgateError
from lockgate.ports.identity import IdentityProvider
from lockgate.ports.records import RecordSink
from lockgate.usecases.notice_world import NoticeWorld
from lockgate.usecases.world import World

_MACHINES = ("/api/", "/control/", "/channels/", "/artifacts/", "/reports", "/health/", "/metrics", "/openapi.json")
_ROUTERS = (
    models.router,
    gates.router,
    scans.router,
    requests.router,
    moves.router,
    policy.router,
    rollouts.router,
    learning.router,
    runs.router,
    watching.router,
    webhooks.router,
    status.router,
    subscribers.router,
    control.router,
    channels.router,
    reports.router,
    health.router,
    login.router,
)


def create_app(  # noqa: PLR0913 - what the process that starts it has, each by name
    world: World,
    *,
    home: Path | None,
    control_token: str,
    hosts: Collection[str] = (),
    keys: KeyFile | None = None,
    url: str = "",
    identity: IdentityProvider | None = None,
    notices: NoticeWorld | None = None,
    reported: RecordSink | None = None,
    route_interval: float = INTERVAL,
) -> FastAPI:
    """The application, ready for Uvicorn.

    home: the folder in which logs of runs lie. control_token: what workers must show, not empty. hosts: names beside loopback's
    by which callers may reach it. keys: of data planes on other machines. url: the address by which browsers reach it, if that is
    not the one at which it listens. identity: who vouches for people; with one the server is closed without users too.
    notices: by what webhooks are tried, and where their secrets lie. reported: where records of reports are kept, if they are.
    route_interval: seconds between two looks for a newer
    route table while workers wait.
    """
    if not control_token:
        raise ValueError("an empty control token would let anybody in")
    app = FastAPI(title="Lockgate", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.state.desk = Desk(world, home)
    app.state.control_token = control_token
    app.state.keys = keys
    app.state.route_watch = RouteWatch(world.state, route_interval)
    app.state.published = Published(home) if home is not None else None
    app.state.channel_watch = ChannelWatch(app.state.published, route_interval)
    app.state.paces = reports.Paces(world.clock)
    app.state.reported_records = reported
    app.state.callers = Callers(world, closed=identity is not None)
    app.state.notices = notices
    app.state.sign_ins = SignIns(identity, url, world.clock)
    app.add_middleware(Entrance, callers=app.state.callers, told=_told)
    app.add_middleware(Guard, hosts=[*hosts, *filter(None, [urlsplit(url).hostname])])
    for router in _ROUTERS:
        app.include_router(router)
    mount_mlflow(app)
    mount_pages(app)
    app.add_exception_handler(LockgateError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_surprise)
    return app


async def _on_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, LockgateError):
        raise error
    return _told(request, error)


def _told(request: Request, error: LockgateError) -> Response:
    if _for_people(request):
        return error_page(request, problems.status_of(error), error.message, error.hint)
    return problems.of_error(error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    answer = problems.of_validation(error)
    return error_page(request, HTTPStatus.NOT_FOUND, "There is no such page.", None) if _for_people(request) else answer


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    if _for_people(request):
        detail = "There is no such page." if status is HTTPStatus.NOT_FOUND else str(error.detail)
        return error_page(request, status, detail, None)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        asked, hint = f"{request.method} {request.url.path}", "GET /docs shows what there is."
        return problems.problem(status, f"there is no {asked}", hint=hint, headers=error.headers)
    return problems.problem(status, str(error.detail), headers=error.headers)


async def _on_surprise(request: Request, error: Exception) -> Response:
    """What nobody foresaw: said without its innards, which go to the log."""
    status, detail = HTTPStatus.INTERNAL_SERVER_ERROR, f"The server made a mistake ({type(error).__name__}); its log says more."
    return error_page(request, status, detail, None) if _for_people(request) else problems.problem(status, detail)


def _for_people(request: Request) -> bool:
    return not request.url.path.startswith(_MACHINES) and "text/html" in request.headers.get("accept", "")
