"""A few seconds of the fuzzer in a process of its own; it ends at once when anything but InvalidInput comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FUZZER = Path(__file__).parents[2] / "fuzz" / "fuzz_decoders.py"
SECONDS = 8


@pytest.mark.skipif(find_spec("atheris") is None and os.environ.get("CI") != "true", reason="atheris is not installed")
def test_nothing_but_invalid_input_comes_out_of_any_reader(tmp_path: Path) -> None:
    limits = [f"-max_total_time={SECONDS}", "-max_len=4096", "-rss_limit_mb=2048", f"-artifact_prefix={tmp_path}/"]
    run = subprocess.run([sys.executable, FUZZER, *limits], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run.returncode == 0, f"{found}\n{run.stdout[-3000:]}\n{run.stderr[-1000:]}"
    assert "Done" in run.stderr
