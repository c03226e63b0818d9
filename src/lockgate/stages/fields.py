"""What the specs of all stages are made of: a frozen model that knows no other keys, and the types of single values."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationInfo

from lockgate.kernel.quantities import format_duration, format_share, parse_duration, parse_share

_NAME = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*", re.ASCII)
_LONGEST_NAME = 63


FROM_FILE = MappingProxyType({"from": "file"})
"""The validation context under which durations and shares need their unit: in a file, `delay: 30` could be anything."""


class Spec(BaseModel):
    """Part of what was asked for. Never changed by us."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _seconds(value: Any, info: ValidationInfo) -> float:
    if isinstance(value, float) and info.context is not FROM_FILE:
        return value
    return parse_duration(value if isinstance(value, str) else "")


def _share(value: Any, info: ValidationInfo) -> float:
    if isinstance(value, float) and info.context is not FROM_FILE:
        return value
    return parse_share(value if isinstance(value, str) else "")


def check_name(value: str) -> str:
    """The name of a model, a step or an environment. Raises ValueError if it is none."""
    if len(value) > _LONGEST_NAME or not _NAME.fullmatch(value):
        raise ValueError(f"up to {_LONGEST_NAME} lower-case letters, digits and single - _ . between them expected")
    return value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _float(value: Any) -> Any:
    """YAML writes 1 where 1.0 is meant; true is no number."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53 else value


def _features(value: Any) -> Any:
    if value == "all":
        return "all"
    if not isinstance(value, list | tuple) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError("'all' or a list of feature names expected")
    return tuple(value)


Seconds = Annotated[float, BeforeValidator(_seconds), PlainSerializer(format_duration, when_used="json")]
Share = Annotated[float, BeforeValidator(_share), PlainSerializer(format_share, when_used="json")]
Name = Annotated[str, AfterValidator(check_name)]
Number = Annotated[float, BeforeValidator(_float)]
Probability = Annotated[float, BeforeValidator(_float), Field(gt=0, lt=1)]
ListOf = BeforeValidator(_tuple)
Features = Annotated[Literal["all"] | tuple[str, ...], BeforeValidator(_features)]
