"""A reporter's thread: it begins when it can, outlives whatever is raised in it, and leaves nothing behind."""

from __future__ import annotations

import gc
import threading
import weakref

from tests.unit.client.following import until
from tests.unit.embedded.test_reporter import JUDGED, Desk, reporter


def test_what_the_program_raises_of_its_standing_ends_no_reports() -> None:
    desk, raised = Desk(), list[int]()

    def standing() -> dict[str, object] | None:
        raised.append(1)
        if len(raised) == 1:
            raise ValueError("mine")
        return None

    one = reporter(desk, standing=standing, every=0.01)
    one.answered(JUDGED, 1, 0.001, [0.5], {})
    until(lambda: desk.reports)
    one.close()
    assert len(raised) >= 2


def test_the_first_report_waits_for_nobody() -> None:
    desk = Desk()
    one = reporter(desk, standing=lambda: {"channel": "m@production", "host": "h", "revision": (0, 0)})
    one.begin()
    until(lambda: desk.reports)
    one.close()
    assert desk.reports[0].standing is not None


def test_a_program_that_can_have_no_thread_is_answered_and_reports_at_its_end() -> None:
    desk = Desk()
    one = reporter(desk)
    before = threading.stack_size(1 << 47)  # more than there are addresses
    try:
        assert len(one.answered(JUDGED, 1, 0.001, [0.5], {})) == 1
    finally:
        threading.stack_size(before)
    one.close()
    assert [cell.completed for cell in desk.reports[0].block.cells] == [1]


def test_a_reporter_that_was_closed_is_forgotten() -> None:
    one = reporter(Desk())
    one.close()
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None
