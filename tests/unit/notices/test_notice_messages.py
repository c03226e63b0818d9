"""Every event is one clear sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.domain.events import Action, Event, Happened, chained
from lockgate.stages.watch.notices.messages import body_of, message_of, page_of
from lockgate.testing.builders import MODEL, happened

DETAILS = {
    "run": "run-1", "digest": "sha256:00", "commit": "4f2a91c", "cause": "push", "dirty": False, "error": "auc 0.61 < 0.7",
    "to": "Production", "from": "Staging", "comment": "looks good", "state": "open", "segment": None, "why": "it does harm",
    "until": "2026-01-06T09:00:00+00:00", "waiver": "waiver-1", "gate": "quality", "rule": "auc >= 0.7", "for": 4,
    "alias": "champion", "environment": "production", "strategy": "canary", "steps": [0.05, 0.5], "baseline": 2, "weight": 0.05,
    "signal": "safe", "detail": "proven safe on every metric", "version": 3, "step": 0, "reason": "latency", "kind": "drift",
    "finding": "finding-1", "action": "retrain", "job": "job-1", "name": "ci", "by": "ben", "target": "hooks.example.org",
    "webhook": "webhook-1", "event": 7, "attempts": 14, "answer": "503", "id": "comment-1",
}  # fmt: skip


def event(action: Action, **fields: object) -> Event:
    return chained(7, happened(**{"action": action, "model": MODEL, "version": 3, "details": DETAILS, **fields}), "")


def is_one_sentence(text: str) -> bool:
    return text[0].isalnum() and text[-1] in ".!?…" and "\n" not in text and not re.search(r"[{}]|None|  |: \.|\(\)", text)


@pytest.mark.parametrize("action", Action)
def test_every_action_has_a_sentence_that_says_whom_or_what_it_is_about(action: Action) -> None:
    text = message_of(event(action, subject="the-subject"))
    assert is_one_sentence(text), text
    assert any(name in text for name in (f"{MODEL} v3", "the-subject", "anna", "webhook-1")), text


@pytest.mark.parametrize("action", Action)
def test_a_sentence_stands_also_where_nothing_more_is_known(action: Action) -> None:
    """An event of an older lockgate may lack details that a newer one records."""
    text = message_of(event(action, details={}, subject="the-subject"))
    assert text[0].isalnum()
    assert text.endswith(".")
    assert "None" not in text


@pytest.mark.parametrize(
    ("action", "details", "expected"),
    [
        (Action.REQUEST_CREATED, {"to": "Production", "comment": ""}, "anna asks for flight-delay v3 to go to Production."),
        (
            Action.REQUEST_CREATED,
            {"to": "Production", "comment": "at last", "segment": "ewr"},
            "anna asks for flight-delay v3 in segment ewr to go to Production: at last.",
        ),
        (
            Action.REQUEST_APPROVED,
            {"to": "Production", "state": "approved", "comment": ""},
            "anna approved flight-delay v3 for Production, and that is enough.",
        ),
        (
            Action.REQUEST_CANCELLED,
            {"request": "request-1", "why": "version 3 already is in Staging"},
            "The request of flight-delay v3 was cancelled by anna: version 3 already is in Staging.",
        ),
        (Action.ROLLOUT_STEPPED, {"weight": 0.05}, "flight-delay v3 now answers 5% of the traffic."),
        (
            Action.ROLLOUT_STEPPED,
            {"weight": 0, "share": 0.5},
            "flight-delay v3 is asked beside the champion about 50% of the traffic.",
        ),
        (
            Action.ROLLED_BACK,
            {"from": 4, "to": 3, "reason": "slow"},
            "flight-delay v3 serves again in place of v4, says anna: slow.",
        ),
        (Action.ROLLED_BACK, {"from": 0, "to": 3, "reason": ""}, "flight-delay v3 serves again, says anna."),
        (
            Action.HOLD_ENDED,
            {"why": "harm", "detail": "p = 0.001"},
            "Holding back a share behind flight-delay v3 found harm: p = 0.001.",
        ),
        (Action.FINDING_RECORDED, {"kind": "drift", "detail": "PSI 0.4!"}, "Watching flight-delay v3 found drift: PSI 0.4!"),
    ],
)
def test_sentences_as_people_read_them(action: Action, details: dict[str, object], expected: str) -> None:
    assert message_of(event(action, details=details)) == expected


@given(st.text(max_size=1000), st.sampled_from([Action.COMMENT_ADDED, Action.RUN_FAILED, Action.ROLLOUT_ABORTED]))
@example("x" * 1000, Action.RUN_FAILED)
def test_whatever_people_write_it_stays_one_bounded_line(text: str, action: Action) -> None:
    said = message_of(event(action, details={"comment": text, "error": text, "detail": text}))
    assert len(said) < 400
    assert said.splitlines() == [said]


def test_the_body_is_the_event_and_always_the_same_bytes() -> None:
    one = event(Action.REQUEST_CREATED, details={"to": "Production", "comment": "ü"}, subject="request-1")
    assert body_of(one) == body_of(one)
    assert json.loads(body_of(one)) == {
        "type": "request:transition:created",
        "timestamp": "2026-01-05T09:00:00+00:00",
        "data": {
            "seq": 7,
            "hash": one.hash,
            "actor": "anna",
            "authenticated": False,
            "subject": "request-1",
            "model": MODEL,
            "version": 3,
            "details": {"to": "Production", "comment": "ü"},
        },
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (happened(subject="run-7", model=MODEL), "/runs/run-7"),
        (happened(subject="rollout-7", model=MODEL, version=3), "/rollouts/rollout-7"),
        (happened(subject="request-7", model=MODEL, version=3), f"/models/{MODEL}/versions/3"),
        (happened(subject="finding-7", model=MODEL), f"/models/{MODEL}"),
        (happened(subject="webhook-7"), "/audit"),
        (happened(subject="run-x|Your account> <!channel> <https://evil.example"), "/audit"),
        (happened(subject="run-x"), "/audit"),
        (happened(subject="run-x> <!channel>", model=MODEL), f"/models/{MODEL}"),
        (happened(subject="a b|c>/1", model="a b|c>", version=1), "/models/a%20b%7Cc%3E/versions/1"),
    ],
)
def test_a_notice_leads_to_the_page_of_what_it_is_about(said: Happened, expected: str) -> None:
    assert page_of(Event(7, said, "", "")) == expected


class Noted(dict[str, Any]):
    """Details that note what they are asked for."""

    asked: ClassVar[set[str]] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def test_no_sentence_asks_for_a_detail_that_the_reference_does_not_name() -> None:
    reference = (Path(__file__).parents[3] / "docs" / "reference" / "events.md").read_text()
    for action in Action:
        message_of(Event(7, happened(action=action, model=MODEL, details=Noted(DETAILS)), "", ""))
    assert Noted.asked - set(re.findall(r"`([a-z_]+)`", reference)) == set()
    assert len(Noted.asked) > 20
