"""Ways to tell the world: a request over HTTP, a mail. Each takes seconds at most, whatever the other side does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """body: the first kilobytes. retry_after: seconds that the receiver asks for."""

    status: int
    body: bytes = b""
    retry_after: float | None = None


class Post(Protocol):
    """Safe for threads."""

    def check(self, url: str, private: Collection[str]) -> str:
        """The host that the URL names, as people may read it; nobody is asked yet.

        Raises:
            Invalid: it is no URL that a notice may go to.
        """
        ...

    def send(self, url: str, headers: Mapping[str, str], body: bytes, private: Collection[str]) -> Answer:
        """POST it. private: hosts, as `name` or `name:port`, that may be called although they are not public.

        Raises:
            Unavailable: nobody answered in time. Refused, Invalid: it may not go there.
        """
        ...


class Mail(Protocol):
    """Safe for threads."""

    def send(self, recipient: str, subject: str, text: str, notice_id: str) -> None:
        """Raises:
        Unavailable: the mail server did not take it now. Refused: it will not. NotFound: none is set up.
        """
        ...
