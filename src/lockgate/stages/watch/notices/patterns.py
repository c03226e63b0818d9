"""Which events a webhook wants: patterns of actions, as `request:transition:*`, and perhaps one model's only."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from lockgate.domain.events import Action, Event
from lockgate.domain.notices import Webhook
from lockgate.kernel.errors import Fault, InvalidInput

MOST = 50
DELIVERIES = frozenset({Action.DELIVERY_DEAD, Action.DELIVERY_REPLAYED})


def wants(webhook: Webhook, event: Event) -> bool:
    """Never what became of its own deliveries: a receiver that is down would be told so for ever."""
    said = event.happened
    if said.action not in actions_matching(webhook.events) or webhook.model not in ("", said.model):
        return False
    return said.action not in DELIVERIES or said.details.get("webhook") != webhook.id


@lru_cache(maxsize=4096)
def actions_matching(patterns: tuple[str, ...]) -> frozenset[Action]:
    """Looked up once for each set of patterns, so that many webhooks and many events cost a look into a set each."""
    return frozenset(action for action in Action if any(fnmatchcase(action.value, pattern) for pattern in patterns))


def check_patterns(patterns: Sequence[str]) -> None:
    """Raises:
    InvalidInput: none or too many, or one that no event fits.
    """
    if not 1 <= len(patterns) <= MOST:
        raise InvalidInput("the webhook", [Fault("events", f"{len(patterns)} patterns found, 1 to {MOST} expected")], hint=_HINT)
    faults = [Fault("events", f"{one!r:.100} fits no event") for one in patterns if not actions_matching((one,))]
    if faults:
        raise InvalidInput("the webhook", faults, hint=_HINT)


_HINT = "docs/reference/events.md has the events; `*` stands for any text: request:transition:*"
