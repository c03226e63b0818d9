"""Where is the model worst? Slices are searched in one half of the held-out examples and confirmed in the other.

Whoever looks at a thousand slices finds one that looks bad. So the search, by single columns and pairs of them, sees only half
of the examples; the few candidates that it names are measured again in the other half, which took no part in choosing them, and
only those count whose lower bound shows them worse. The chance of naming any slice where the model is equally good everywhere is
2.5 %, shared out among the candidates. It is a search: that nothing was found does not prove that there is nothing.

After Chung and others, "Slice Finder" (arXiv:1807.06068), who search by effect size and significance on the same examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from lockgate.domain.evaluation import Evaluation
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.gates.metrics import CUT, Examples, Floats
from lockgate.stages.decide.gates.slicing import Cell, Sums, columns_of, cut
from lockgate.stages.decide.slices_spec import Loss, SlicesSpec

GATE = "slices"
_CANDIDATES = 5
_TAIL = 0.025
_CAUTION = 2.0  # standard errors: a slice must look bad with certainty, not only bad, to be worth a look in the other half
_SEED = 0  # fixed: the same evaluation always gets the same verdict
_ALIKE = 0.5  # share of common examples from which two slices are one finding
_TINY = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class _Worse:
    """A slice in the confirming half. low: of the ratio, or of the difference, of its mean loss to that of all others."""

    name: str
    n: int
    loss: float
    rest: float
    low: float


def judge_slices(
    spec: SlicesSpec, evaluation: Evaluation, held_out: Mapping[str, Sequence[Any]], threshold: float | None = None
) -> tuple[GateResult, ...]:
    """One result. held_out: the features of the evaluation's rows, searched beside its own columns."""
    examples = Examples.of(evaluation)
    metric = spec.metric or (Loss.BRIER if examples.binary and examples.probabilities else Loss.ABSOLUTE)
    if (why_not := _why_not(metric, examples)) is not None:
        return (GateResult(GATE, spec.text, GateVerdict.ERROR, why_not, {"n": len(examples)}),)
    fewest = 4 * spec.min_slice
    if len(examples) < fewest:
        told = f"the evaluation has {len(examples)} examples, at least {fewest} are needed to search slices of {spec.min_slice}"
        verdict = GateVerdict.INCONCLUSIVE if _limit(spec) else GateVerdict.PASS
        return (GateResult(GATE, spec.text, verdict, told, {"n": len(examples)}),)
    cut_at = spec.threshold if spec.threshold is not None else CUT if threshold is None else threshold
    losses = _losses(metric, examples, cut_at)
    search, confirm = _halves(len(examples))
    columns = columns_of({**held_out, **evaluation.slices})
    cells = _search(list(cut(columns, search, losses[search])), losses[search], search, spec)
    worse = _confirmed(spec, cells, losses, confirm)
    return (_said(spec, metric, worse, len(cells), len(examples)),)


def _why_not(metric: Loss, examples: Examples) -> str | None:
    if not examples.finite:
        return "predictions or labels are missing or infinite"
    if metric is not Loss.ABSOLUTE and not examples.binary:
        return f"{metric.value} needs labels that are 0 or 1"
    if metric in (Loss.BRIER, Loss.LOG_LOSS) and not examples.probabilities:
        return f"{metric.value} needs predictions between 0 and 1"
    return None


def _losses(metric: Loss, examples: Examples, threshold: float) -> Floats:
    prediction, label = examples.prediction, examples.label
    sure = np.clip(prediction, _TINY, 1 - _TINY)
    by_metric: dict[Loss, Floats] = {
        Loss.BRIER: (prediction - label) ** 2,
        Loss.LOG_LOSS: -np.where(label == 1, np.log(sure), np.log1p(-sure)),
        Loss.ERROR: ((prediction >= threshold) != (label == 1)).astype(float),
        Loss.ABSOLUTE: np.abs(prediction - label),
    }
    return by_metric[metric]


def _halves(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    order = np.random.default_rng(_SEED).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def _search(found: list[Sums], losses: Floats, rows: NDArray[np.intp], spec: SlicesSpec) -> list[Cell]:
    """The slices that look worst with certainty, without those that say the same again."""
    ranked = sorted((entry for sums in found for entry in _entries(sums, losses, spec)), key=lambda entry: -entry[0])
    chosen: list[Cell] = []
    for _, sums, place in ranked:
        cell = sums.cell(place)
        if not any(cell.shares(other) or _overlap(cell, other, rows) >= _ALIKE for other in chosen):
            chosen.append(cell)
        if len(chosen) == _CANDIDATES:
            break
    return chosen


def _entries(sums: Sums, losses: Floats, spec: SlicesSpec) -> list[tuple[float, Sums, int]]:
    """(cautious excess over all other examples, where it is)."""
    n, rest = sums.count, len(losses) - sums.count
    large = np.flatnonzero((2 * n >= spec.min_slice) & (2 * rest >= spec.min_slice))
    n, rest, total, squares = n[large], rest[large], sums.total[large], sums.squares[large]
    mean, other = total / n, (losses.sum() - total) / rest
    variance = (squares / n - mean**2) / n + ((losses**2).sum() - squares) / rest**2 - other**2 / rest
    cautious = mean - other - _CAUTION * np.sqrt(np.maximum(variance, 0.0))
    return [(float(one), sums, int(place)) for one, place in zip(cautious, large, strict=True) if one > 0]


def _overlap(one: Cell, other: Cell, rows: NDArray[np.intp]) -> float:
    """Common examples, as a share of those that either has."""
    ours, theirs = one.holds(rows), other.holds(rows)
    return float((ours & theirs).sum() / max((ours | theirs).sum(), 1))


def _confirmed(spec: SlicesSpec, cells: list[Cell], losses: Floats, rows: NDArray[np.intp]) -> list[_Worse]:
    """Those whose lower bound in the other half is beyond no difference, the worst first."""
    told = [_measured(spec, cell, losses[rows], cell.holds(rows), _TAIL / len(cells)) for cell in cells]
    none = 1.0 if spec.max_ratio is not None else 0.0
    return sorted((one for one in told if one is not None and one.low > none), key=lambda one: -one.low)


def _measured(spec: SlicesSpec, cell: Cell, losses: Floats, within: NDArray[np.bool_], tail: float) -> _Worse | None:
    """By Welch's standard error; a ratio's bound by Fieller: the slice's mean is provably more than so many times the rest's.

    None where too few of its examples are in this half.
    """
    ours, others = losses[within], losses[~within]
    if 2 * len(ours) < spec.min_slice / 2 or len(others) == 0:
        return None
    mean, rest = float(ours.mean()), float(others.mean())
    own, theirs = float(ours.var(ddof=1)) / len(ours), float(others.var(ddof=1)) / max(len(others), 1)
    reach = float(ndtri(1 - tail))
    apart = mean - rest - reach * float(np.sqrt(own + theirs))
    low = _ratio_from(mean, rest, own, theirs, reach) if spec.max_ratio is not None else apart
    return _Worse(cell.name, len(ours), mean, rest, low)


def _ratio_from(mean: float, rest: float, own: float, theirs: float, reach: float) -> float:
    """The least r for which mean - r · rest is not proven to be above 0; 0 where the rest's mean is not proven to be above 0."""
    square = rest**2 - reach**2 * theirs
    if square <= 0:
        return 0.0
    root = (mean * rest) ** 2 - square * (mean**2 - reach**2 * own)
    return float((mean * rest - max(root, 0.0) ** 0.5) / square)


def _limit(spec: SlicesSpec) -> float | None:
    return spec.max_ratio if spec.max_ratio is not None else spec.max_difference


def _said(spec: SlicesSpec, metric: Loss, worse: list[_Worse], candidates: int, n: int) -> GateResult:
    limit = _limit(spec)
    measured = {"n": n, "candidates": candidates, "metric": metric.value, "slices": [_shown(one) for one in worse]}
    if not worse:
        told = f"no slice was found in which {metric.value} is worse than elsewhere, by columns and pairs of them"
        return GateResult(GATE, spec.text, GateVerdict.PASS, told, measured)
    first = worse[0]
    told = f"{metric.value} is {first.loss:.4g} where {first.name} ({first.n:,} examples), {first.rest:.4g} elsewhere"
    kind = f"{first.low:.3g} times or more" if spec.max_ratio is not None else f"{first.low:.3g} or more worse"
    told += f": {kind}, found in one half of the examples and confirmed in the other"
    if len(worse) > 1:
        told += f"; also where {'; '.join(one.name for one in worse[1:])}"
    broken = limit is not None and first.low > limit
    asked = f". {limit:g} is allowed" if limit is not None else ""
    return GateResult(GATE, spec.text, GateVerdict.FAIL if broken else GateVerdict.PASS, told + asked, measured)


def _shown(one: _Worse) -> dict[str, Any]:
    return {"slice": one.name, "n": one.n, "loss": one.loss, "rest": one.rest, "low": one.low}
