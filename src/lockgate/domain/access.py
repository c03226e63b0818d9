"""Who may come in: users, the tokens that they show, and the browsers in which they are signed in. Secrets are kept as hashes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest

from lockgate.kernel.digest import digest_bytes


class Scope(StrEnum):
    """What a token or a browser may be used for; what its user may do beside that is the policy's matter."""

    READ = "read"
    WRITE = "write"  # ask for transitions, comment, tag, start and steer rollouts
    DECIDE = "decide"  # approve and reject, grant waivers, break the glass
    ADMIN = "admin"  # users, tokens, policy, webhooks


@dataclass(frozen=True, slots=True)
class User:
    """issuer, subject: by whom an identity provider vouches for the user, and its name for them; empty of one made here."""

    name: str
    created_at: datetime
    groups: tuple[str, ...] = ()
    email: str = ""
    issuer: str = ""
    subject: str = ""
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """hash: of the text that the caller shows, which is kept nowhere."""

    id: str
    user: str
    name: str
    hash: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def opens(self, text: str) -> bool:
        """Whether `text` is this token. Takes the same time wherever they differ."""
        return compare_digest(self.hash, digest_bytes(text.encode()))

    def ended(self, now: datetime) -> str | None:
        """Why it opens nothing any more; None while it does."""
        if self.revoked_at is not None:
            return f"was revoked at {self.revoked_at:%Y-%m-%d %H:%M} UTC"
        if now >= self.expires_at:
            return f"expired at {self.expires_at:%Y-%m-%d %H:%M} UTC"
        return None


@dataclass(frozen=True, slots=True)
class Login:
    """A browser in which a user is signed in. id: hash of what its cookie holds. seen_at: when it last asked, by and by.

    token: the id of the one that was shown for it; empty where an identity provider vouched.
    """

    id: str
    user: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime
    seen_at: datetime
    token: str = ""
