"""What the workers' acknowledgements say together."""

from __future__ import annotations

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.routes import Revision
from lockgate.stages.deliver.readiness import Seen, enforced_at, live, readiness

FIRST = Revision(0, 1)


def worker(
    name: str, state: Readiness | None = None, *, n: int = 1, applied: float = 0.0, incarnation: str = "a"
) -> Acknowledgement:
    packages = {"sha256:2": PackageState(state, "golden rows differ")} if state else {}
    return Acknowledgement(name, incarnation, Revision(0, n), applied, packages)


def test_ready_is_ready_everywhere() -> None:
    assert readiness([worker("1", Readiness.READY), worker("2", Readiness.READY)], "sha256:2", FIRST)[0] is Readiness.READY
    assert readiness([worker("1", Readiness.READY), worker("2", Readiness.LOADING)], "sha256:2", FIRST)[0] is Readiness.LOADING
    assert readiness([worker("1", Readiness.READY), worker("2")], "sha256:2", FIRST)[0] is Readiness.LOADING


def test_one_failure_is_a_failure_with_its_reason() -> None:
    state, reason = readiness([worker("1", Readiness.READY), worker("2", Readiness.FAILED)], "sha256:2", FIRST)
    assert (state, reason) == (Readiness.FAILED, "worker 2: golden rows differ")


def test_no_worker_no_readiness() -> None:
    assert readiness([], "sha256:2", FIRST) == (Readiness.LOADING, "no data plane worker is alive")


def test_what_a_worker_said_by_an_earlier_table_says_nothing_of_this_rollout() -> None:
    said = [worker("1", Readiness.FAILED, n=4)]
    assert readiness(said, "sha256:2", Revision(0, 5)) == (Readiness.LOADING, "")
    assert readiness(said, "sha256:2", Revision(0, 4))[0] is Readiness.FAILED


def test_a_restarted_worker_takes_the_place_of_its_former_self() -> None:
    seen = [Seen(100.0, worker("1", incarnation="old")), Seen(101.0, worker("1", incarnation="new"))]
    assert [one.incarnation for one in live(seen, 102.0, patience=10)] == ["new"]


def test_who_is_silent_does_not_count() -> None:
    seen = [Seen(100.0, worker("1")), Seen(80.0, worker("2"))]
    assert [one.worker for one in live(seen, 101.0, patience=10)] == ["1"]


def test_a_clock_that_was_set_back_hides_nobody() -> None:
    seen = [Seen(3700.0, worker("1", incarnation="dead since")), Seen(100.0, worker("1", incarnation="alive"))]
    assert [one.incarnation for one in live(seen, 101.0, patience=10)] == ["alive"]


def test_a_revision_is_enforced_when_the_last_worker_routes_by_it() -> None:
    assert enforced_at([worker("1", n=3, applied=10.0), worker("2", n=4, applied=12.5)], Revision(0, 3)) == 12.5
    assert enforced_at([worker("1", n=3, applied=10.0), worker("2", n=2, applied=9.0)], Revision(0, 3)) is None
    assert enforced_at([], Revision(0, 3)) is None
