"""What child processes that run other people's code get of our environment."""

from __future__ import annotations

import os

from lockgate.boundary.quiet import quieted
from lockgate.boundary.withheld import SIGNING, STATE

_SECRET = (STATE, *SIGNING)


def own_environment() -> dict[str, str]:
    """Ours, without what would let that code into the state, whose address may hold a password, or sign in our name."""
    return quieted({name: value for name, value in os.environ.items() if name not in _SECRET})


def keyless_environment() -> dict[str, str]:
    """Ours, for processes of ours that sign nothing."""
    return quieted({name: value for name, value in os.environ.items() if name not in SIGNING})


# What a model that is asked needs to run, and no more: whatever else stands in our environment may be a secret.
_PASSED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "SSL_CERT_FILE")
_PASSED_KINDS = ("LC_", "CUDA_", "NVIDIA_", "OMP_")
_TRUST = "LOCKGATE_TRUST_CODE"  # the platform's word, never a package's
_INSTALLING = "PIP_"  # where libraries come from; the address may hold a password, so it goes on to no model


def asked_environment(*, installing: bool) -> dict[str, str]:
    """For the process that asks a package. installing: it builds an environment of the package's own first."""
    kinds = (*_PASSED_KINDS, _INSTALLING) if installing else _PASSED_KINDS
    return quieted({name: value for name, value in os.environ.items() if name in (*_PASSED, _TRUST) or name.startswith(kinds)})
