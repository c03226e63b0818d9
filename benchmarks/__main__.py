"""`python -m benchmarks`: all of them, one after the other. Figures are printed, never asserted."""

from __future__ import annotations

import subprocess
import sys

PARTS = ("benchmarks.judge", "benchmarks.serve")

for part in PARTS:
    print(f"\n=== {part} ===", flush=True)
    subprocess.run([sys.executable, "-m", part], check=True)
