"""Dice for the parts of River that are made while a model learns, and are given no seed.

Every leaf of a tree, for one, holds distributions with a generator of their own, begun with what the machine just had at hand:
two learners of the same rows would never hold the same bytes, and most of these bytes would be generators that nobody ever draws
from. While a model of ours learns, whatever asks for a generator without a seed gets the one that the model has for all of them.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Dice:
    """Of one model, from when it was opened."""

    def __init__(self) -> None:
        self.generator = random.Random(0)  # noqa: S311 - a model's own dice

    @contextmanager
    def thrown(self) -> Iterator[None]:
        """For what is made inside. Models learn one at a time."""
        _River.dice, before = self, _River.dice
        try:
            yield
        finally:
            _River.dice = before


class _River:
    """The module `random`, as River's modules see it."""

    dice: Dice | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(random, name)

    def Random(self, seed: Any = None) -> random.Random:  # noqa: N802 - the name that is asked for
        if seed is None and _River.dice is not None:
            return _River.dice.generator
        return random.Random(seed)  # noqa: S311 - as above


_seen_by_river = _River()


def hand_out() -> None:
    """To the modules of River that are loaded by now."""
    for name, module in list(sys.modules.items()):
        if name.startswith("river.") and vars(module).get("random") is random:
            vars(module)["random"] = _seen_by_river
