"""Scores in coarse steps: what a rollout's first requests scored, from which the edges of bins can be chosen.

Step i holds the scores in [i / STEPS, (i + 1) / STEPS), to within rounding; scores outside [0, 1) are in the outermost steps.
"""

from __future__ import annotations

STEPS = 200


def step(score: float) -> int:
    if score >= 1.0:
        return STEPS - 1
    return int(score * STEPS) if score > 0.0 else 0
