"""Libraries that lie ready for packages which name their own: in an image nothing can be installed when it starts.

The folder that the variable names holds one folder for each list of requirements, as `pip install --target` makes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lockgate.kernel.digest import digest_json, digits
from lockgate.kernel.errors import Invalid

VARIABLE = "LOCKGATE_LIBRARIES"
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]*\])?==[A-Za-z0-9][A-Za-z0-9.!+_-]*", re.ASCII)
_NAME = 16  # digits


def check_pinned(requirements: Sequence[str]) -> None:
    """Raises Invalid if one is not pinned."""
    for requirement in requirements:
        if not _PINNED.fullmatch(requirement):
            raise Invalid(f"requirement {requirement!r:.100} is not pinned", hint="Write NAME==VERSION.")


def name_of(requirements: Sequence[str]) -> str:
    """Of the folder that holds exactly these, in whatever order they are named."""
    return digits(digest_json(sorted(requirements)))[:_NAME]


def ready(requirements: Sequence[str], environment: Mapping[str, str]) -> Path | None:
    """Where they lie; None: nowhere."""
    folder = environment.get(VARIABLE)
    path = Path(folder) / name_of(requirements) if folder else None
    return path if path is not None and path.is_dir() else None
