"""Environments of packages, without fetching anything."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from lockgate.serving.isolation.venvs import Venvs


class Pretended(Venvs):
    """Environments that hold nothing but our own interpreter under another name; what runs there finds OWN=yes."""

    async def _run(self, *argv: str) -> None:
        if "venv" in argv:
            python = Path(argv[-1]) / "bin" / "python"
            python.parent.mkdir()
            python.write_text(f'#!/bin/sh\nOWN=yes exec {sys.executable} "$@"\n')
            python.chmod(0o755)


def pretend_environment(venvs: Path, requirements: Sequence[str]) -> None:
    asyncio.run(Pretended(venvs, {}).python(requirements))
