"""Robustness rules: how answers may change when one input does (metamorphic tests), and what any model must know.

Held-out rows are asked as they are and with one input changed; a row breaks the law if the score moved as it may not. PASS: the
share of such rows is proven to be at most what the rule allows. FAIL: it is proven to be more. INCONCLUSIVE: neither. ERROR: the
model cannot be asked, or does not answer at all.

After Ribeiro, Wu, Guestrin and Singh, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList" (arXiv:2005.04118):
invariance, directional expectation, and minimum functionality, here for tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.manifest import Signature
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.kernel.errors import Invalid
from lockgate.stages.decide.gates.probes import Probe, Unaskable, probe
from lockgate.stages.decide.gates.share import judge_share
from lockgate.stages.decide.robustness_spec import CaseSpec, Law, RobustnessSpec

GATE = "robustness"
_ANYTHING = np.finfo(np.float64).max

Floats = NDArray[np.float64]
Ask = Callable[[Mapping[str, Sequence[Any]]], Sequence[float]]
"""Columns of rows → the packaged model's scores; raises Invalid if it cannot answer them."""


def judge_robustness(
    rules: Iterable[RobustnessSpec | CaseSpec], signature: Signature, held_out: Mapping[str, Sequence[Any]], ask: Ask
) -> tuple[GateResult, ...]:
    """The verdict of each rule, in their order. held_out: the features of the evaluation's rows, by column."""
    return tuple(
        _case(one, signature, ask) if isinstance(one, CaseSpec) else _law(one, signature, held_out, ask) for one in rules
    )


def _law(rule: RobustnessSpec, signature: Signature, held_out: Mapping[str, Sequence[Any]], ask: Ask) -> GateResult:
    if not held_out:
        why = "the evaluation's index is not that of the split's held-out rows, so there are no rows to ask about"
        return GateResult(GATE, rule.text, GateVerdict.ERROR, why)
    try:
        rows = probe(rule, signature, held_out)
        before, after = _scores(ask, rows.before), _answers(rule, ask, rows)
    except (Unaskable, Invalid) as error:
        return GateResult(GATE, rule.text, GateVerdict.ERROR, str(error))
    broken = _broken(rule, before, after)
    return _said(rule, rows, before, after, broken)


def _scores(ask: Ask, columns: Mapping[str, Sequence[Any]]) -> Floats:
    return np.asarray(ask(columns), dtype=float)


def _answers(rule: RobustnessSpec, ask: Ask, rows: Probe) -> Floats:
    """The scores of the changed rows. Where any answer will do, a model that refuses them has broken the law in all of them."""
    try:
        return _scores(ask, rows.after)
    except Invalid:
        if rule.law in (Law.BEYOND, Law.UNSEEN):
            return np.full(len(rows), np.nan)
        raise


def _broken(rule: RobustnessSpec, before: Floats, after: Floats) -> NDArray[np.bool_]:
    moved = after - before
    if rule.law is Law.RISING:
        return ~(moved >= -rule.allowed)
    if rule.law is Law.FALLING:
        return ~(moved <= rule.allowed)
    if rule.law in (Law.BEYOND, Law.UNSEEN):
        low, high = rule.between or (-_ANYTHING, _ANYTHING)
        return ~((low <= after) & (after <= high))  # no answer lies nowhere
    return ~(np.abs(moved) <= rule.allowed)


def _said(rule: RobustnessSpec, rows: Probe, before: Floats, after: Floats, broken: NDArray[np.bool_]) -> GateResult:
    n, k = len(broken), int(broken.sum())
    low, high, verdict = judge_share(k, n, rule.at_most)
    told = f"{k:,} of {n:,} rows break it ({low:.2%} to {high:.2%} of all); at most {rule.at_most:.2%} may"
    if k:
        told += f". {_worst(rule, rows, before, after, broken)}"
    if verdict is GateVerdict.INCONCLUSIVE:
        told += ". Hold out more rows"
    measured = {"rows": n, "broken": k, "low": low, "high": high, "limit": rule.at_most, "tolerance": rule.allowed}
    return GateResult(GATE, rule.text, verdict, told, measured)


def _worst(rule: RobustnessSpec, rows: Probe, before: Floats, after: Floats, broken: NDArray[np.bool_]) -> str:
    """The row that shows it best: people look for it at once."""
    moved = np.where(broken, np.abs(np.nan_to_num(after - before, nan=np.inf)), -1.0)
    row = int(np.argmax(moved))
    old, new = rows.before[rule.column][row], rows.after[rule.column][row]
    answer = f"{after[row]:.4g}" if np.isfinite(after[row]) else "no answer"
    return f"For example {rule.column} {old!r} → {new!r}: {before[row]:.4g} → {answer}"


def _case(case: CaseSpec, signature: Signature, ask: Ask) -> GateResult:
    names = [tensor.name for tensor in signature.inputs]
    missing, unknown = [name for name in names if name not in case.expects], [name for name in case.expects if name not in names]
    if missing or unknown:
        told = [f"{', '.join(missing)} missing"] * bool(missing) + [f"{', '.join(unknown)} unknown"] * bool(unknown)
        why = f"a whole row expected: {'; '.join(told)}. The inputs are {', '.join(names)}"
        return GateResult(GATE, case.text, GateVerdict.ERROR, why)
    try:
        score = float(ask({name: [case.expects[name]] for name in names})[0])
    except Invalid as error:
        return GateResult(GATE, case.text, GateVerdict.ERROR, error.message)
    low = case.at_least if case.at_least is not None else -np.inf
    high = case.at_most if case.at_most is not None else np.inf
    verdict = GateVerdict.PASS if low <= score <= high else GateVerdict.FAIL
    return GateResult(GATE, case.text, verdict, f"the score is {score:.4g}", {"score": score})
