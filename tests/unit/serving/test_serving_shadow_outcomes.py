"""What is told of shadows: whether they agreed, unit by unit; nothing that a dying worker took along; the worse of two states."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lockgate.boundary.acknowledgements import PackageState, Readiness
from lockgate.boundary.observations import DISAGREED, FAILED
from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable, Shadow
from lockgate.kernel.errors import Unavailable
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.gateway.package import Package
from lockgate.serving.gateway.router import Router
from lockgate.testing.clock import VirtualClock
from tests.unit.serving.capture import Desk, adopted, die, tally


def test_units_of_a_shadow_say_whether_it_agreed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    shadow = tally(version=2, shadow=True)
    for key, agreed in ((1, True), (2, False), (2, True)):
        desk.ledger.paired(desk.ledger.admit(shadow, key), 0.001, 10.0 + key, 0.3, agreed=agreed)
    desk.ledger.fail(desk.ledger.admit(shadow, 3), "error", 14.0)
    asyncio.run(desk.flusher.flush())
    die(desk.spool)
    (cell,) = adopted(tmp_path / "spool")[0].cells
    assert [(unit.key, unit.bits) for unit in cell.units] == [(1, 0), (2, DISAGREED), (2, 0), (3, FAILED)]
    assert (cell.agreed, cell.disagreed, cell.failures) == (2, 1, {"error": 1})


def test_a_worker_that_dies_is_no_failure_of_the_shadow_that_it_had_asked(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    shadow, champion = tally(version=2, shadow=True), tally(0.005)
    desk.ledger.paired(desk.ledger.admit(shadow, 1), 0.001, 10.0, 0.0, agreed=True)
    for key in range(20):
        desk.ledger.admit(shadow, key)
    desk.ledger.admit(champion, 7)
    die(desk.spool)
    cells = {cell.version: cell for cell in adopted(tmp_path / "spool")[0].cells}
    assert (cells[2].completed, cells[2].failures) == (1, {})
    assert cells[1].failures == {"aborted": 1}


class Loads:
    """Loads whatever it is asked for, or nothing."""

    def __init__(self, *, broken: bool) -> None:
        self.broken = broken

    async def load(self, digest: str) -> Package:
        if self.broken:
            raise Unavailable("there is no room")
        return await asyncio.Event().wait()  # type: ignore[return-value]

    def free(self, package: Package) -> None: ...

    def forget(self, digest: str) -> None: ...


def test_a_package_that_is_to_answer_and_is_a_shadow_too_is_as_ready_as_the_worse_of_the_two() -> None:
    async def states(*, arm_broken: bool, shadow_broken: bool) -> dict[str, PackageState]:
        clock, ledger = VirtualClock(), Ledger("w", "i", Figures(), 0.0)
        router = Router(Loads(broken=arm_broken), Loads(broken=shadow_broken), ledger, clock, lambda: None)
        arms = (Arm(1, "champion", Role.CHAMPION, 1.0), Arm(2, "both", Role.PINNED))
        router.apply(RouteTable(Revision(1, 1), (Route("m", arms, shadows=(Shadow(2, "both"),)),)))
        await asyncio.sleep(0.01)
        return router.packages

    loading, failed = PackageState(Readiness.LOADING), PackageState(Readiness.FAILED, "there is no room")
    assert asyncio.run(states(arm_broken=False, shadow_broken=False)) == {"champion": loading, "both": loading}
    assert asyncio.run(states(arm_broken=False, shadow_broken=True)) == {"champion": loading, "both": failed}
    assert asyncio.run(states(arm_broken=True, shadow_broken=False)) == {"champion": failed, "both": failed}
