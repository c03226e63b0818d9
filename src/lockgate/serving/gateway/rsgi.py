"""The part of RSGI (Granian's interface to Python) that is spoken here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class Headers(Protocol):
    def get(self, key: str, default: None = None, /) -> str | None: ...


class Scope(Protocol):
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def headers(self) -> Headers: ...


class HTTPProtocol(Protocol):
    async def __call__(self) -> bytes: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...
