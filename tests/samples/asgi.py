"""Calls an ASGI application in this process, without a socket: what tests of routes and pages speak through."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Scope

from lockgate.entrypoints.api.app import create_app
from tests.samples.story import Story

PAGE = {"accept": "text/html"}
TOKEN = "control-token"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """`headers` go with every call."""

    app: ASGIApp
    headers: dict[str, str] = field(default_factory=lambda: {"host": "127.0.0.1:7070"})

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return asyncio.run(self.call("GET", path, b"", headers or {}))

    def page(self, path: str) -> Answer:
        return self.get(path, PAGE)

    def post(self, path: str, body: Any = None, *, actor: str | None = "ann", headers: dict[str, str] | None = None) -> Answer:
        """A write as it should be: JSON, and with a name."""
        named = {"x-lockgate-actor": actor} if actor is not None else {}
        sent = {"content-type": "application/json", **named, **(headers or {})}
        content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        return asyncio.run(self.call("POST", path, content, sent))

    async def call(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        address, _, query = path.partition("?")
        everything = {**self.headers, **headers}
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": address,
            "raw_path": address.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in everything.items()],
            "server": ("127.0.0.1", 7070),
            "client": ("127.0.0.1", 50000),
        }
        sent: list[Message] = []
        chunks = [body[at : at + 65536] for at in range(0, len(body), 65536)] or [b""]
        waiting = [{"type": "http.request", "body": one, "more_body": one is not chunks[-1]} for one in chunks]

        async def receive() -> Message:
            if waiting:
                return waiting.pop(0)
            await asyncio.Event().wait()  # the caller stays until it has its answer
            raise AssertionError("unreachable")

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start = next(message for message in sent if message["type"] == "http.response.start")
        content = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
        return Answer(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, content)


def client_of(story: Story) -> Client:
    """A client of the application over the story's home."""
    return Client(create_app(story.world, home=story.home, control_token=TOKEN, route_interval=0.002))
