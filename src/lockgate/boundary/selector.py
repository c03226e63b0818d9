"""Which arm answers this unit? A salted hash, the same in every process, language and restart, with no shared state.

No dependency beyond the standard library, so that a wheel can carry it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

_SCALE = 2.0**64


def unit_key(salt: str, unit: str) -> int:
    """The unit under the rollout's salt, as 64 bits: what is stored and counted instead of the unit itself."""
    return int.from_bytes(blake2b(unit.encode(), digest_size=8, key=salt.encode()[:64]).digest(), "big")


def choose(key: int, weights: Sequence[float]) -> int:
    """The index of the arm that `key` belongs to; `weights` add up to 1.

    Arms lie side by side on [0, 1) in their order. Whoever ramps an arm up must list it before the arm that shrinks: then a
    growing weight moves only keys that were not there before, and no key ever goes back.
    """
    position = key / _SCALE
    edge = 0.0
    for index, weight in enumerate(weights):
        edge += weight
        if position < edge:
            return index
    return max(index for index, weight in enumerate(weights) if weight > 0)
