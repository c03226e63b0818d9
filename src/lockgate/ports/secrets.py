"""What webhooks need that nobody may read in the state: where they go, and what they are signed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SigningKey:
    """text: `whsec_…`. until: Unix seconds after which it signs no more; None: as long as there is no newer one."""

    text: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """address: the whole URL; of e-mail, the recipient. keys: the newest first. authorization: what that header says."""

    address: str
    keys: tuple[SigningKey, ...] = ()
    authorization: str = ""

    def __repr__(self) -> str:
        return "WebhookSecret(…)"  # so that no log and no traceback spells it


class WebhookSecrets(Protocol):
    """By the webhook's id. Changed within a write transaction of the state only: writers then take turns here too."""

    def read(self) -> Mapping[str, WebhookSecret]:
        """Empty where none was ever kept.

        Raises:
            Invalid: what is there cannot be understood.
        """
        ...

    def write(self, kept: Mapping[str, WebhookSecret]) -> None:
        """In place of all that was kept; whole or not at all."""
        ...
