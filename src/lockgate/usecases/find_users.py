"""Find users and their tokens."""

from __future__ import annotations

from lockgate.domain.access import AccessToken, User
from lockgate.kernel.errors import NotFound
from lockgate.ports.state import ACCESS_TOKENS, USERS, Reader


def user_named(tx: Reader, name: str) -> User:
    """The user of that name.

    Raises:
        NotFound: there is none.
    """
    found = tx.get(USERS, name)
    if found is None:
        raise NotFound(f"there is no user {name[:120]!r}", hint="lockgate user list shows them, lockgate user add makes one.")
    return found


def users_with_tokens(tx: Reader) -> list[tuple[User, list[AccessToken]]]:
    """All users with all their tokens, those that ended too, in the order in which they were made."""
    tokens = tx.find(ACCESS_TOKENS)
    return [(user, [token for token in tokens if token.user == user.name]) for user in tx.find(USERS)]
