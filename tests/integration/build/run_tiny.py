"""`python -m tests.integration.build.run_tiny FOLDER`: runs the tiny pipeline in a process of its own, for tests that kill it."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.integration.build.tiny_project import open_place

if __name__ == "__main__":
    run = open_place(Path(sys.argv[1])).run()
    print(run.status.value)
