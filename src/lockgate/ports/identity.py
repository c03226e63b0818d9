"""Who a browser's user is, as somebody else vouches for it: an identity provider of the company, say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-in that was begun. address: where the browser goes. The rest is asked for at its end, and secret until then."""

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """issuer and subject name the user for ever; name is for a new one. groups: None if the provider tells of none."""

    issuer: str
    subject: str
    name: str
    email: str = ""
    groups: tuple[str, ...] | None = None


class IdentityProvider(Protocol):
    """name: for people, as on the button. create: whether somebody who is vouched for and not known here becomes a user."""

    @property
    def name(self) -> str: ...

    @property
    def create(self) -> bool: ...

    def ask(self, return_to: str) -> Asked:
        """Begin a sign-in. return_to: the address of ours to which the provider sends the browser back.

        Raises:
            Unavailable: the provider does not answer.
        """
        ...

    def vouch(self, asked: Asked, return_to: str, code: str) -> Vouched:
        """Exchange the code that came back for who the user is. asked, return_to: of the same sign-in.

        Raises:
            Refused: what came is not for us, not for this sign-in, not signed by the provider, or too old. Unavailable: as above.
        """
        ...
