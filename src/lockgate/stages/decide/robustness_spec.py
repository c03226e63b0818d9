"""Robustness rules as people write them: how answers may change when their inputs do, and how they may not.

Each rule is a mapping of one key, as in `rising in: distance`; what is not said has its default.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from lockgate.stages.fields import ListOf, Number, Share, Spec


class Law(StrEnum):
    """What must hold for the answers to rows that were changed in one input."""

    INVARIANT = "invariant to"  # another value of it, from another row: the answer stays
    RISING = "rising in"  # a greater value: the answer does not fall
    FALLING = "falling in"
    STABLE = "stable under noise in"  # a little noise: the answer hardly moves
    BEYOND = "answers beyond the range of"  # smaller and greater than any seen: there is an answer
    UNSEEN = "answers unseen values of"  # a text that nobody has seen: there is an answer


class RobustnessSpec(Spec):
    """column: the input that is changed. tolerance: by how much a score may differ, or move the wrong way, unnoticed. at_most:
    share of rows that may break the law. noise: of `stable under noise in`, as a share of the column's standard deviation.
    between: where an answer to what was never seen must lie.
    """

    law: Annotated[Law, Field(strict=False)]
    column: Annotated[str, Field(min_length=1)]
    tolerance: Annotated[Number, Field(ge=0)] | None = None
    at_most: Annotated[Share, Field(gt=0, lt=1)] = 0.01
    noise: Annotated[Share, Field(gt=0, le=1)] = 0.01
    between: Annotated[tuple[Number, Number], ListOf] | None = None

    @model_validator(mode="after")
    def _only_what_it_knows(self) -> Self:
        if "noise" in self.model_fields_set and self.law is not Law.STABLE:
            raise ValueError(f"{self.law.value} knows no noise")
        anything = self.law in (Law.BEYOND, Law.UNSEEN)
        if self.tolerance is not None and anything:
            raise ValueError(f"{self.law.value} knows no tolerance: any answer will do, or one that lies `between`")
        if self.between is not None and not (anything and self.between[0] < self.between[1]):
            why = "the lesser number first expected" if anything else f"{self.law.value} knows no bounds of the answer"
            raise ValueError(f"between: {why}")
        return self

    @property
    def allowed(self) -> float:
        if self.tolerance is not None:
            return self.tolerance
        return 0.05 if self.law is Law.STABLE else 1e-6

    @property
    def text(self) -> str:
        return f"{self.law.value} {self.column}"


class CaseSpec(Spec):
    """A row with the bounds of its score: what any model worth its name must know. expects: each input by its name."""

    expects: Annotated[dict[str, bool | int | float | str], Field(min_length=1)]
    at_least: Number | None = None
    at_most: Number | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("`at_least` or `at_most` expected, which says what the score must be")
        return self

    @property
    def text(self) -> str:
        row = ", ".join(f"{name}={value}" for name, value in self.expects.items())
        low = f">= {self.at_least:g}" if self.at_least is not None else ""
        high = f"<= {self.at_most:g}" if self.at_most is not None else ""
        return f"expects {' and '.join(filter(None, (low, high)))} of {row}"


def rule(value: Any, info: ValidationInfo) -> Any:
    """`{rising in: distance}` and `{rising in: {column: distance, at_most: 2%}}` as the spec of one law."""
    if isinstance(value, RobustnessSpec | CaseSpec):
        return value
    if isinstance(value, dict) and "expects" in value:
        return CaseSpec.model_validate(value, context=info.context)
    known = [law.value for law in Law]
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in known:
        raise ValueError(f"one of {', '.join(known)} or expects, with the name of an input, expected")
    ((law, said),) = value.items()
    told = said if isinstance(said, dict) else {"column": said}
    return RobustnessSpec.model_validate({"law": law, **told}, context=info.context)


RobustnessRule = Annotated[RobustnessSpec | CaseSpec, BeforeValidator(rule)]
