"""Who is measured: the limit, Lockgate, and its peers."""

from __future__ import annotations

from benchmarks.serving.contestants.own import OWN
from benchmarks.serving.contestants.peers import PEERS

__all__ = ["ALL", "OWN", "PEERS"]

ALL = (*OWN, *PEERS)
