"""What `lockgate rollout status` says of a rollout that the year's budget left less than its plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.domain.rollouts import JudgePolicy
from lockgate.ports.state import ROLLOUTS
from lockgate.testing import builders as a
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("alpha", "plan_alpha", "bar", "said"),
    [
        (0.00273, 0.01, 366, "α is 0.273 %, what the year's 10 % leaves of the plan's 1 %"),
        (0.0005, 0.01, 2000, "leaves of the plan's 1 %. Warning: less than a tenth; harm must show 1.7 times the evidence"),
        (0.01, None, 100, ""),
    ],
)
def test_status_shows_its_own(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    alpha: float,
    plan_alpha: float | None,
    bar: int,
    said: str,
) -> None:
    one = a.rollout(judge=JudgePolicy(alpha=alpha, alpha_per_year=0.1), plan_alpha=plan_alpha)
    with open_world(Home(tmp_path / "home")).state.write() as tx:
        tx.put(ROLLOUTS, one)
    out = CommandLine(capsys, monkeypatch, tmp_path, tmp_path / "home")("rollout", "status", one.id).out
    assert f"HARM at e ≥ {bar}, SAFE" in out
    assert said in out
    assert ("the year's" in out) is bool(said)
