"""What became of requests, and who said what to them: also who said yes alone, and why they could."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lockgate.domain.models import RequestState, TransitionRequest
from lockgate.entrypoints.reading.tones import REQUEST_TONE, Tone
from lockgate.ports.state import Reader
from lockgate.stages.decide.approvals import has_expired
from lockgate.usecases.find_answers import Answers, answers_to


@dataclass(frozen=True, slots=True)
class Answered:
    """state: now; a request whose time is over has expired, also where nobody has written it down yet."""

    request: TransitionRequest
    state: RequestState
    answers: Answers

    @property
    def tone(self) -> Tone:
        return REQUEST_TONE[self.state]


def answered(tx: Reader, requests: Iterable[TransitionRequest], now: datetime) -> list[Answered]:
    return [Answered(one, RequestState.EXPIRED if has_expired(one, now) else one.state, answers_to(tx, one)) for one in requests]
