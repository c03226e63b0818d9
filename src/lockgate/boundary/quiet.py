"""Libraries tell their makers how they are used; here they do not, unless whoever runs us says so.

onnxruntime: since 1.29 its official Linux builds send what they load to Microsoft. `Privacy.md` in its distribution: the variable
must be set before the library is initialised, and is then all that is needed; `disable_telemetry_events()` comes too late for the
first event.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

QUIET = {"ORT_DISABLE_TELEMETRY": "1"}


def quieted(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that may import them. What our own says of it stands."""
    return {**environment, **{name: os.environ.get(name, value) for name, value in QUIET.items()}}
