"""Hold a data frame against a contract: everything that breaks it, each with how many rows and some of the values."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandas.api import types
from pandera.errors import SchemaErrors

from lockgate.integrations.pandera.whole import whole
from lockgate.stages.build.spec import ColumnSpec, ContractSpec

_EXAMPLES = 3


def check(frame: pd.DataFrame, contract: dict[str, Any], at: float) -> tuple[str, ...]:
    """What breaks the contract, one sentence for each rule; nothing when all of it is kept.

    contract: a `stages.build.spec.ContractSpec` as JSON. at: Unix seconds of the run, by which freshness is judged.
    """
    spec = ContractSpec.model_validate(contract)
    breaches = [*_columns(frame, spec), *whole(frame, spec, at), *_types(frame, spec)]
    rules = {name: _column(one) for name, one in spec.columns.items() if name in frame and _has_type(frame[name], one)}
    return (*breaches, *_broken(frame, pa.DataFrameSchema(rules)))


def _columns(frame: pd.DataFrame, spec: ContractSpec) -> list[str]:
    missing = [f"column {name} is missing" for name in spec.columns if name not in frame]
    unknown = [f"column {name} is not in the contract" for name in frame.columns if spec.strict and name not in spec.columns]
    return missing + unknown


def _types(frame: pd.DataFrame, spec: ContractSpec) -> list[str]:
    wrong = [(name, one) for name, one in spec.columns.items() if name in frame and not _has_type(frame[name], one)]
    return [f"{name}: type {one.type} expected, {_found(frame[name], one)}" for name, one in wrong]


def _found(column: pd.Series[Any], spec: ColumnSpec) -> str:
    """The example is one that is wrong: where numbers are expected, the first that is none."""
    values = column.dropna()
    if spec.type in ("int", "float") and not types.is_numeric_dtype(values):
        wrong = values[pd.to_numeric(values, errors="coerce").isna()]
        values = wrong if len(wrong) else values
    present = values.head(1).tolist()
    return f"{column.dtype} found, such as {present[0]!r:.40}" if present else f"{column.dtype} found"


def _has_type(column: pd.Series[Any], spec: ColumnSpec) -> bool:
    """Whole numbers with gaps come as floats from a CSV file: they are whole numbers all the same."""
    if spec.type == "int":
        whole = types.is_float_dtype(column) and bool((column.dropna() % 1 == 0).all())
        return whole or (types.is_integer_dtype(column) and not types.is_bool_dtype(column))
    if spec.type == "float":
        return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)
    if spec.type == "string":
        return types.is_string_dtype(column.dropna())
    if spec.type == "bool":
        return types.is_bool_dtype(column)
    return spec.type is None or types.is_datetime64_any_dtype(column)


def _column(spec: ColumnSpec) -> pa.Column:
    rules = []
    if spec.min is not None:
        rules.append(pa.Check.ge(spec.min, error=f"{spec.min:g} or more expected"))
    if spec.max is not None:
        rules.append(pa.Check.le(spec.max, error=f"{spec.max:g} or less expected"))
    if (values := spec.values) is not None and spec.unseen is None:  # noqa: PD011 - not a frame's
        rules.append(pa.Check.isin(list(values), error=f"one of {', '.join(map(str, values))} expected"))
    return pa.Column(checks=rules, nullable=spec.nullable, unique=spec.unique)


def _broken(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> list[str]:
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        groups = cases.groupby(["column", "check"], sort=False, dropna=False)
        return [_sentence(str(column), str(rule), group["failure_case"]) for (column, rule), group in groups]
    return []


def _sentence(column: str, rule: str, cases: pd.Series[Any]) -> str:
    rows = f"{len(cases)} {'row breaks' if len(cases) == 1 else 'rows break'} it"
    if rule == "not_nullable":
        return f"{column}: no missing values expected; {rows}"
    expected = "no value twice expected" if rule == "field_uniqueness" else rule
    examples = ", ".join(f"{value!s:.40}" for value in cases.drop_duplicates()[:_EXAMPLES])
    return f"{column}: {expected}; {rows}, such as {examples}"
