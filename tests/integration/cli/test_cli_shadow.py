"""What `lockgate rollout status` says of a shadow."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary.histogram import bucket
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evidence import Pairs
from lockgate.domain.rollouts import Agreement, JudgePolicy, Phase, Strategy
from lockgate.ports.state import JOURNAL, ROLLOUTS
from lockgate.testing import builders as a
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine

pytestmark = pytest.mark.integration

POLICY = JudgePolicy(metrics=("agreement", "labels"), agreement=Agreement(0.95), label_event=LabelEvent("missed", 0.25))


def test_status_shows_agreement_differences_failures_labels_and_latency_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = a.observation(
        canary=a.arm_observation(completed=200, failed=4, latency={bucket(0.03): 196}, labels=((1, 1), (2, 0))),
        baseline=a.arm_observation(completed=400, failed=0, latency={bucket(0.01): 400}, labels=((1, 0), (2, 0))),
        pairs=Pairs(190, 6, {bucket(0.001): 190, bucket(0.4): 6}),
    )
    shadow = a.rollout(
        strategy=Strategy.SHADOW, steps=(), step=0, phase=Phase.PROGRESSING, share=0.5, judge=POLICY, unit="request", rows=1
    )
    with open_world(Home(tmp_path / "home")).state.write() as tx:
        tx.put(ROLLOUTS, shadow)
        tx.put(JOURNAL, a.journal_row(rollout=shadow.id, seq=0, observations=(seen,), evidence={"harm": -1.0}))
    said = CommandLine(capsys, monkeypatch, tmp_path, tmp_path / "home")("rollout", "status", shadow.id)
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert lines[0].endswith("by shadow, progressing about 50%, judge says WAIT")
    assert lines[1:7] == [
        "agreement 96.9 % of 196 pairs, at least 95 % asked",
        "difference of the scores p50 0.00102, p95 0.00102, p99 0.412",
        "missed by one alone shadow 1, champion 0",
        "failures shadow 2 % (4 of 200), champion 0 % (0 of 400)",
        "missed shadow 50 % (1 of 2), champion 0 % (0 of 2)",
        (
            "latency, not judged shadow p50 31.1 ms (29.6–31.1), p99 31.1 ms (29.6 or more),"
            " champion p50 10.1 ms (9.63–10.1), p99 10.1 ms (9.63 or more)"
        ),
    ]
    assert "HARM at e ≥ 100, SAFE at e ≥ 20 for each metric" in said.out
