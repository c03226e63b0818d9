"""What a graph should answer, by its definition and row by row: how the data plane runs graphs is checked against this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Many
from itertools import cycle, islice
from math import fsum, isfinite, prod
from typing import Any

import numpy as np

from lockgate.boundary.manifest import Golden, Signature, Tensor
from lockgate.kernel.errors import Invalid
from lockgate.stages.build.packaging.golden import golden_rows
from lockgate.stages.build.packaging.graph import Average, Leaf, Node, Sequence, Switch, Vote, inner
from lockgate.stages.build.packaging.parity import tolerance_for

Columns = Mapping[str, Many[Any]]
"""By input one cell for each row; a cell of several values is a list."""
Ask = Callable[[Leaf, Columns], Many[float]]
"""A model's own scores of at least one row; it is given more columns than it takes."""
Scores = list[float | None]


def scores(node: Node, columns: Columns, rows: int, ask: Ask, tolerances: Mapping[str, float]) -> Scores:
    """One score for each row; None where there is no case, or where a vote hangs on less than what models may deviate by.

    tolerances: by leaf as text.
    """
    if rows == 0:
        return []
    if isinstance(node, Leaf):
        return [score if isfinite(score) else None for score in ask(node, columns)]
    if isinstance(node, Switch):
        return _switched(node, columns, rows, ask, tolerances)
    if isinstance(node, Sequence):
        return _in_sequence(node, columns, rows, ask, tolerances)
    said = [scores(one, columns, rows, ask, tolerances) for one in node.nodes]
    if isinstance(node, Average):
        return [_mean(row, node.weights) for row in zip(*said, strict=True)]
    margins = [tolerance(one, tolerances) for one in node.nodes]
    return [_share(row, node, margins) for row in zip(*said, strict=True)]


def tolerance(node: Node, tolerances: Mapping[str, float]) -> float:
    """By how much the node's score may deviate. That of a vote may not, since close votes are left out."""
    if isinstance(node, Leaf):
        return tolerances[str(node)]
    return 0.0 if isinstance(node, Vote) else max(tolerance(one, tolerances) for one in inner(node))


def _mean(row: Many[float | None], weights: Many[float]) -> float | None:
    terms = [weight * score for weight, score in zip(weights, row, strict=True) if score is not None]
    return fsum(terms) / fsum(weights) if len(terms) == len(weights) else None


def _share(row: Many[float | None], vote: Vote, margins: Many[float]) -> float | None:
    known = [score for score in row if score is not None]
    close = any(abs(score - vote.threshold) <= margin for score, margin in zip(known, margins, strict=False))
    if close or len(known) < len(row):
        return None
    return sum(score >= vote.threshold for score in known) / len(row)


def _switched(node: Switch, columns: Columns, rows: int, ask: Ask, tolerances: Mapping[str, float]) -> Scores:
    answers: Scores = [None] * rows
    names = [_spelled(value) for value in columns[node.field]]
    branches = [(one, [row for row, name in enumerate(names) if name == case]) for case, one in node.cases.items()]
    if node.default is not None:
        branches.append((node.default, [row for row, name in enumerate(names) if name not in node.cases]))
    for one, mine in branches:
        said = scores(one, _only(columns, mine), len(mine), ask, tolerances)
        for row, score in zip(mine, said, strict=True):
            answers[row] = score
    return answers


def _in_sequence(node: Sequence, columns: Columns, rows: int, ask: Ask, tolerances: Mapping[str, float]) -> Scores:
    said = scores(node.nodes[0], columns, rows, ask, tolerances)
    for one in node.nodes[1:]:
        known = [row for row, score in enumerate(said) if score is not None]
        given = {**_only(columns, known), node.column: [said[row] for row in known]}
        answers: Scores = [None] * rows
        for row, score in zip(known, scores(one, given, len(known), ask, tolerances), strict=True):
            answers[row] = score
        said = answers
    return said


def _only(columns: Columns, rows: Many[int]) -> dict[str, list[Any]]:
    return {name: [cells[row] for row in rows] for name, cells in columns.items()}


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# Golden rows


def golden(graph: Node, inputs: Many[Tensor], nodes: Mapping[str, tuple[Signature, Golden]], ask: Ask, levels: Columns) -> Golden:
    """Rows of the nodes' golden rows, with what the graph should answer by the nodes' own answers.

    nodes: by leaf as text. levels: values of inputs that no node takes.

    Raises:
        Invalid: no row can be answered by the graph.
    """
    columns = _rows(inputs, list(nodes.values()), levels)
    rows = len(next(iter(columns.values())))
    tolerances = {name: one.tolerance for name, (_, one) in nodes.items()}
    expected = scores(graph, columns, rows, ask, tolerances)
    known = np.array([score is not None for score in expected])
    if not known.any():
        raise Invalid(
            f"the graph can answer none of its nodes' {rows} golden rows for certain",
            hint="Give its switches a default, and its votes a threshold that scores are not near to.",
        )
    told = np.array([0.0 if score is None else score for score in expected])
    kept = [int(row) for row in golden_rows(told, known)]
    chosen = {tensor.name: _flat(tensor, [columns[tensor.name][row] for row in kept]) for tensor in inputs}
    widest = max(tolerance(graph, tolerances), tolerance_for(told[kept], probabilities=False))
    return Golden(chosen, told[kept].tolist(), widest)


def _rows(inputs: Many[Tensor], nodes: Many[tuple[Signature, Golden]], levels: Columns) -> dict[str, list[Any]]:
    """Whole rows of nodes that take all inputs; if none does, rows put together from the columns of several."""
    known = [{tensor.name: _cells(tensor, one.inputs[tensor.name]) for tensor in said.inputs} for said, one in nodes]
    wanted = [tensor.name for tensor in inputs if tensor.name not in levels]
    whole = [columns for columns in known if all(name in columns for name in wanted)]
    if whole:
        together = {name: [cell for columns in whole for cell in columns[name]] for name in wanted}
    else:
        together = {name: next(columns[name] for columns in known if name in columns) for name in wanted}
    rows = max(len(cells) for cells in [*together.values(), *levels.values()])
    return {name: list(islice(cycle(cells), rows)) for name, cells in {**together, **levels}.items()}


def _cells(tensor: Tensor, values: list[Any]) -> list[Any]:
    """One cell for each row: golden values lie flat, or nested where the shape is free."""
    width = prod(tensor.shape[1:])
    if width == 1 or -1 in tensor.shape[1:] or (values and isinstance(values[0], list)):
        return values
    return [values[start : start + width] for start in range(0, len(values), width)]


def _flat(tensor: Tensor, cells: list[Any]) -> list[Any]:
    return flat_cells(cells) if -1 not in tensor.shape[1:] else cells


def flat_cells(cells: Many[Any]) -> list[Any]:
    """The values of all rows, one after the other."""
    return [value for cell in cells for value in (flat_cells(cell) if isinstance(cell, list) else [cell])]
