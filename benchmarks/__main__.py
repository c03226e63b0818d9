"""`python -m benchmarks`: the quick ones; peers need `make bench-serve`. Figures are printed, never asserted."""

from __future__ import annotations

import subprocess
import sys

PARTS = (
    ["benchmarks.judge"],
    ["benchmarks.guards"],
    ["benchmarks.registry", "--only", "sqlite"],
    ["benchmarks.channels", "--gigabytes", "0.3"],
    ["benchmarks.wheel"],
    ["benchmarks.image"],
    ["benchmarks.packaging"],
    ["benchmarks.serving", "--only", "bare", "lockgate", "--models", "flights", "--no-growth", "--name", "gateway"],
)

for part in PARTS:
    print(f"\n=== {' '.join(part)} ===", flush=True)
    subprocess.run([sys.executable, "-m", *part], check=True)
