"""What the record tells of a request beyond its votes: which were given alone, and which other request closed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lockgate.domain.events import Action
from lockgate.domain.models import Decision, TransitionRequest
from lockgate.domain.policy import BrokenGlass
from lockgate.ports.state import BROKEN_GLASS, Reader


@dataclass(frozen=True, slots=True)
class Answers:
    """glasses: by who and when, what let them say yes alone. closed_by: the request whose approval closed this one too, or ""."""

    glasses: Mapping[tuple[str, datetime], BrokenGlass] = field(default_factory=dict)
    closed_by: str = ""

    def glass_of(self, decision: Decision) -> BrokenGlass | None:
        """None: it was given by the rules."""
        return self.glasses.get((decision.by, decision.at))


def answers_to(tx: Reader, request: TransitionRequest) -> Answers:
    approved = [one.happened for one in tx.events(subject=request.id) if one.happened.action is Action.REQUEST_APPROVED]
    found = {
        (one.actor, one.at): tx.get(BROKEN_GLASS, one.details["break_glass"]) for one in approved if "break_glass" in one.details
    }
    closed_by = next((one.details["approved_by"] for one in approved if "approved_by" in one.details), "")
    return Answers({key: glass for key, glass in found.items() if glass is not None}, closed_by)


def open_glasses(tx: Reader, now: datetime) -> list[BrokenGlass]:
    """Under which somebody may act alone now; the oldest first."""
    return [one for one in tx.find(BROKEN_GLASS) if one.opened_at <= now < one.until]
