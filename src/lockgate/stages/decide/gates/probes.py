"""Held-out rows, changed in one input each: what a robustness rule asks the model about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.boundary.tensors import DTYPES
from lockgate.stages.decide.robustness_spec import Law, RobustnessSpec

MOST_ROWS = 2000
UNSEEN = "lockgate: a value that nobody has seen"
_WHOLE = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
_NUMBERS = ("FP32", "FP64", *_WHOLE)
_TEXT = "BYTES"
_SEED = 0  # fixed: the same candidate is always asked the same

Columns = dict[str, list[Any]]


class Unaskable(Exception):
    """The rule cannot be asked of this model; the message says why."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Rows as they are and as they were changed; of both, all inputs. rows: places among the held-out rows that were taken."""

    before: Columns
    after: Columns

    def __len__(self) -> int:
        return len(next(iter(self.before.values()), []))


def probe(rule: RobustnessSpec, signature: Signature, held_out: Mapping[str, Sequence[Any]]) -> Probe:
    """The rows that tell whether the rule's law holds; those in which nothing changed are left out.

    Raises:
        Unaskable: there is no such input, it is of another type, or it has but one value.
    """
    tensor = _tensor(rule, signature)
    random = np.random.default_rng(_SEED)
    columns = _complete({one.name: list(held_out[one.name]) for one in signature.inputs})
    taken = _sample(len(columns[tensor.name]), random)
    before = {name: [values[row] for row in taken] for name, values in columns.items()}
    changed = _CHANGES[rule.law](rule, tensor, before[rule.column], columns[rule.column], random)
    differs = [row for row, (old, new) in enumerate(zip(before[rule.column], changed, strict=True)) if old != new]
    if not differs:
        raise Unaskable(f"{rule.column} has the same value in all {len(taken)} rows: nothing can be changed")
    before = {name: [values[row] for row in differs] for name, values in before.items()}
    return Probe(before, {**before, rule.column: [changed[row] for row in differs]})


def _tensor(rule: RobustnessSpec, signature: Signature) -> Tensor:
    known = {tensor.name: tensor for tensor in signature.inputs}
    if rule.column not in known:
        raise Unaskable(f"the model has no input {rule.column!r}; it has {', '.join(known)}")
    tensor = known[rule.column]
    numbers = rule.law in (Law.RISING, Law.FALLING, Law.STABLE, Law.BEYOND)
    if numbers and tensor.datatype not in _NUMBERS:
        raise Unaskable(f"{rule.column} is {tensor.datatype}: `{rule.law.value}` is about numbers")
    if rule.law is Law.UNSEEN and tensor.datatype != _TEXT:
        raise Unaskable(f"{rule.column} is {tensor.datatype}: `{rule.law.value}` is about texts")
    return tensor


def _complete(columns: Columns) -> Columns:
    """Rows in which nothing is missing: serving refuses all others."""
    kept = [row for row, values in enumerate(zip(*columns.values(), strict=True)) if all(map(_is_there, values))]
    if not kept:
        raise Unaskable("no held-out row is complete, and a request with missing values is refused in serving")
    return {name: [values[row] for row in kept] for name, values in columns.items()}


def _is_there(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not isfinite(value))


def _sample(rows: int, random: np.random.Generator) -> list[int]:
    return sorted(random.choice(rows, MOST_ROWS, replace=False).tolist()) if rows > MOST_ROWS else list(range(rows))


def _another(rule: RobustnessSpec, tensor: Tensor, own: list[Any], every: list[Any], random: np.random.Generator) -> list[Any]:
    """A value that another row has: nothing that could not have been asked."""
    del rule, tensor
    return [every[row] for row in random.integers(0, len(every), len(own))]


def _greater(rule: RobustnessSpec, tensor: Tensor, own: list[Any], every: list[Any], random: np.random.Generator) -> list[Any]:
    """One of the greater values that were seen; where there is none, the value stays."""
    del rule, tensor
    seen = sorted(set(every))
    places = np.searchsorted(seen, own, side="right")
    room = len(seen) - places
    steps = (random.random(len(own)) * room).astype(int)
    return [seen[place + step] if left else old for old, place, left, step in zip(own, places, room, steps, strict=True)]


def _noisy(rule: RobustnessSpec, tensor: Tensor, own: list[Any], every: list[Any], random: np.random.Generator) -> list[Any]:
    """Whole numbers move by one at least: there is no smaller noise."""
    noise = random.normal(0.0, float(np.std(np.asarray(every, dtype=float))) * rule.noise, len(own))
    if tensor.datatype not in _WHOLE:
        return [value + step for value, step in zip(own, noise.tolist(), strict=True)]
    steps = [round(step) or (1 if step > 0 else -1) for step in noise.tolist()]
    return [_fitting(value + step, tensor) for value, step in zip(own, steps, strict=True)]


def _outside(rule: RobustnessSpec, tensor: Tensor, own: list[Any], every: list[Any], random: np.random.Generator) -> list[Any]:
    """As far below the least and above the greatest value as these lie from each other, by turns."""
    del rule, random
    low, high = min(every), max(every)
    reach = max(high - low, abs(high), 1)
    return [_fitting(low - reach if row % 2 else high + reach, tensor) for row in range(len(own))]


def _fitting(value: float, tensor: Tensor) -> float:
    """The value that the datatype has nearest to it."""
    kind = np.dtype(DTYPES[tensor.datatype])
    limits = np.iinfo(kind) if tensor.datatype in _WHOLE else np.finfo(kind)
    return type(value)(min(max(value, limits.min), limits.max))


def _unheard(rule: RobustnessSpec, tensor: Tensor, own: list[Any], every: list[Any], random: np.random.Generator) -> list[Any]:
    del rule, tensor, every, random
    return [UNSEEN] * len(own)


_Change = Callable[[RobustnessSpec, Tensor, list[Any], list[Any], np.random.Generator], list[Any]]
_CHANGES: dict[Law, _Change] = {
    Law.INVARIANT: _another,
    Law.RISING: _greater,
    Law.FALLING: _greater,
    Law.STABLE: _noisy,
    Law.BEYOND: _outside,
    Law.UNSEEN: _unheard,
}
