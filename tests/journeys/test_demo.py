"""The story that the README promises, told by the real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.installation import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_act_ends_as_told(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "demo", "--folder", str(tmp_path), "--port", str(free_port()), "--data-port", str(free_port())]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    report = json.loads((tmp_path / "report.json").read_text())
    assert [(act["name"], act["ok"]) for act in report["acts"]] == [
        ("A commit becomes version 1", True),
        ("Version 2 is proven", True),
        ("Version 3 is right offline and wrong in production", True),
        ("December comes", True),
        ("Back by hand, and the books are right", True),
    ], told.stdout
    assert told.returncode == 0
    answers = [act["figures"]["traffic"] for act in report["acts"] if "traffic" in act["figures"]]
    assert sum(one["failed"] for one in answers) == 0
    assert sum(one["sent"] for one in answers) > 10_000
    pids = {*report["processes"].values(), *(one["pid"] for one in answers)}
    assert len(pids) == len(report["processes"]) + len(answers), (
        "the gateway, the controller and the load are processes of their own"
    )
    harm = report["acts"][2]["figures"]
    assert harm["outcome"]["verdict"] == "HARM"
    assert harm["e_values"]["harm/all"] >= 100
    assert harm["seconds_back"] <= 1.0
