"""Which events a webhook wants."""

from __future__ import annotations

import pytest

from lockgate.domain.events import Action, Event
from lockgate.kernel.errors import InvalidInput
from lockgate.stages.watch.notices.patterns import MOST, actions_matching, check_patterns, wants
from lockgate.testing.builders import MODEL, happened
from lockgate.testing.company import webhook


def event(**fields: object) -> Event:
    return Event(7, happened(**fields), "", "")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", set(Action)),
        ("rollout:plan:aborted", {Action.ROLLOUT_ABORTED}),
        ("run:pipeline:[rf]*ed", {Action.RUN_REFUSED, Action.RUN_FAILED}),
        ("ROLLOUT:*", set()),
        ("rollout", set()),
    ],
)
def test_a_pattern_stands_for_whole_actions(pattern: str, expected: set[Action]) -> None:
    assert actions_matching((pattern,)) == expected


def test_several_patterns_add_up() -> None:
    both = actions_matching(("request:transition:*", "watch:*"))
    assert both == actions_matching(("request:transition:*",)) | actions_matching(("watch:*",))


@pytest.mark.parametrize(
    ("model", "of", "expected"),
    [("", MODEL, True), ("", "", True), (MODEL, MODEL, True), (MODEL, "x", False), (MODEL, "", False)],
)
def test_a_webhook_of_one_model_is_told_of_that_one_only(model: str, of: str, expected: bool) -> None:  # noqa: FBT001
    mine = webhook(events=("watch:*",), model=model)
    assert wants(mine, event(action=Action.FINDING_RECORDED, model=of)) is expected


def test_nobody_is_told_that_it_did_not_listen() -> None:
    mine = webhook(events=("*",))
    assert not wants(mine, event(action=Action.DELIVERY_DEAD, details={"webhook": mine.id}))
    assert wants(mine, event(action=Action.DELIVERY_DEAD, details={"webhook": "webhook-2"}))


def test_a_pattern_that_no_event_fits_is_a_fault_and_all_are_told_at_once() -> None:
    check_patterns(("request:transition:*", "*:failed"))
    with pytest.raises(InvalidInput) as caught:
        check_patterns(("request:transition:*", "requests:*", "rollout:weight"))
    assert [fault.message for fault in caught.value.faults] == ["'requests:*' fits no event", "'rollout:weight' fits no event"]


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_none_and_too_many_are_a_fault(count: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 50 expected"):
        check_patterns(("*",) * count)
