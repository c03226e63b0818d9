"""What a candidate is made of: pipeline, data, parameters, and the checks that come before all of it."""

from __future__ import annotations

import math
import re
import shlex
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lockgate.stages.fields import ListOf, Name, Number, Seconds, Share, Spec

_DEEPEST = 20
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]*\])?==[A-Za-z0-9][A-Za-z0-9.!+_-]*", re.ASCII)


def _file_in_project(value: str) -> str:
    parts = value.replace("\\", "/").split("/")
    if not value.strip() or "\0" in value or value.startswith(("/", "~")) or ".." in parts:
        raise ValueError("a path inside the project's folder expected")
    return value


def _module(value: str) -> str:
    if not value.endswith(".py"):
        raise ValueError("a Python file expected, such as pipeline.py")
    return value


def _word(value: str) -> str:
    if not value.isidentifier():
        raise ValueError("a name that a parameter of a function can have expected")
    return value


def _command(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"a command expected; {error}".lower()) from None
    if not words or "\0" in value:
        raise ValueError("a command expected, such as pytest -q")
    return value


def _pinned(value: str) -> str:
    if not _PINNED.fullmatch(value):
        raise ValueError("a pinned requirement expected, such as scikit-learn==1.7.2")
    return value


def _plain(value: Any, depth: int = 0) -> Any:
    """What JSON can say: what a step is given is part of its fingerprint and of the manifest."""
    if depth > _DEEPEST:
        raise ValueError(f"at most {_DEEPEST} levels of nesting expected")
    if isinstance(value, list):
        return [_plain(one, depth + 1) for one in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("names expected as keys")
        return {key: _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a finite number expected")
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise ValueError("a number of at most 64 bits expected")
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(f"a string, number, true, false, null, or lists and mappings of them expected, {_kind(value)} found")


def _kind(value: Any) -> str:
    return {"date": "a date", "datetime": "a date"}.get(type(value).__name__, type(value).__name__)


ProjectPath = Annotated[str, AfterValidator(_file_in_project)]
Word = Annotated[str, AfterValidator(_word)]
Command = Annotated[str, AfterValidator(_command)]
Requirement = Annotated[str, AfterValidator(_pinned)]
Plain = Annotated[Any, BeforeValidator(_plain)]


class DataSpec(Spec):
    """path: files, `*` as in a shell, in the project's folder. contract: a file of rules that the rows must keep."""

    path: ProjectPath
    contract: ProjectPath | None = None


class PackageSpec(Spec):
    """In which form the model travels, and what its own environment holds, should it run in one.

    runtime: onnx, native (the library's own format), or auto: ONNX where the conversion says what the original says, else native.
    """

    runtime: Literal["auto", "onnx", "native"] = "auto"
    requirements: Annotated[tuple[Requirement, ...], ListOf] = ()

    @model_validator(mode="after")
    def _requirements_make_sense(self) -> Self:
        if self.requirements and self.runtime == "onnx":
            raise ValueError("requirements belong to models that run in an environment of their own; one that is ONNX needs none")
        names = [re.sub(r"[-_.]+", "-", re.split(r"[\[=]", line)[0]).lower() for line in self.requirements]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"each package once among the requirements expected, {', '.join(twice)} found more than once")
        return self


class BuildSpec(Spec):
    model: Name
    pipeline: Annotated[ProjectPath, AfterValidator(_module)]
    data: Annotated[dict[Word, DataSpec], Field(min_length=1)]
    params: dict[Word, Plain] = Field(default_factory=dict)
    checks: dict[Name, Command] = Field(default_factory=dict)
    package: PackageSpec = PackageSpec()


class ColumnSpec(Spec):
    """What every value of a column must keep. `values`: the only ones there are; `unseen`: the share that may have others.

    Missing values break nothing but `nullable`, and `max_missing`: the share of the rows that may have none.
    """

    type: Literal["int", "float", "string", "bool", "datetime"] | None = None
    nullable: bool = False
    max_missing: Annotated[Share, Field(gt=0, lt=1)] | None = None
    min: Number | None = None
    max: Number | None = None
    values: Annotated[tuple[Plain, ...], Field(min_length=1), ListOf] | None = None
    unseen: Annotated[Share, Field(gt=0, lt=1)] | None = None
    unique: bool = False

    @model_validator(mode="after")
    def _rules_agree(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min ({self.min:g}) of at most max ({self.max:g}) expected")
        if (self.min is not None or self.max is not None) and self.type not in ("int", "float"):
            raise ValueError("min and max belong to columns of `type: int` or `type: float`")
        if self.max_missing is not None and not self.nullable:
            raise ValueError("max_missing belongs to columns that are `nullable: true`; of all others nothing may be missing")
        if self.unseen is not None and self.values is None:
            raise ValueError("unseen belongs to columns with `values`: it is the share that may have others")
        return self


class RowsSpec(Spec):
    """How many there must be, and may be."""

    min: Annotated[int, Field(ge=0)] = 1
    max: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _rules_agree(self) -> Self:
        if self.max is not None and self.min > self.max:
            raise ValueError(f"min ({self.min}) of at most max ({self.max}) expected")
        return self


class FreshnessSpec(Spec):
    """The newest value of `column` (a time; numbers are Unix seconds) is at most so old when the run begins."""

    column: Annotated[str, Field(min_length=1)]
    within: Annotated[Seconds, Field(gt=0)]


class ContractSpec(Spec):
    """Rules that data must keep before anything is learned from it. strict: no other columns than these."""

    columns: dict[str, ColumnSpec]
    rows: RowsSpec = RowsSpec()
    freshness: FreshnessSpec | None = None
    strict: bool = False
