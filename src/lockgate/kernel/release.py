"""Which release this is, and where its code lies."""

from __future__ import annotations

from pathlib import Path

__version__ = "0.1.0"
PACKAGE = Path(__file__).resolve().parent.parent  # the folder `lockgate`
