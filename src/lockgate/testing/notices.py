"""The world that notices go out to, in memory: what was sent is kept, and the answers are the test's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor, Future
from typing import Any, NamedTuple, TypeVar

from lockgate.kernel.errors import LockgateError
from lockgate.ports.post import Answer
from lockgate.ports.secrets import WebhookSecret

T = TypeVar("T")


class Sent(NamedTuple):
    url: str
    headers: Mapping[str, str]
    body: bytes


class Mailed(NamedTuple):
    recipient: str
    subject: str
    text: str
    notice_id: str


class MemorySecrets:
    """A ports.secrets.WebhookSecrets."""

    def __init__(self) -> None:
        self.kept: Mapping[str, WebhookSecret] = {}

    def read(self) -> Mapping[str, WebhookSecret]:
        return self.kept

    def write(self, kept: Mapping[str, WebhookSecret]) -> None:
        self.kept = dict(kept)


class MemoryPost:
    """A ports.post.Post. answer: of the next requests, or how one fails."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.answer: Answer | LockgateError = Answer(200)

    def check(self, url: str, private: Collection[str]) -> str:
        del private
        return url.split("/")[2]

    def send(self, url: str, headers: Mapping[str, str], body: bytes, private: Collection[str]) -> Answer:
        del private
        self.sent.append(Sent(url, headers, body))
        if isinstance(self.answer, LockgateError):
            raise self.answer
        return self.answer


class MemoryMail:
    """A ports.post.Mail."""

    def __init__(self) -> None:
        self.mailed: list[Mailed] = []

    def send(self, recipient: str, subject: str, text: str, notice_id: str) -> None:
        self.mailed.append(Mailed(recipient, subject, text, notice_id))


class AtOnce(Executor):
    """Does what it is given before it says that it will."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
