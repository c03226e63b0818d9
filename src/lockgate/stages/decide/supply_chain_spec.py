"""What must be known of a version's supply chain, as people write it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from lockgate.domain.vulnerabilities import Severity
from lockgate.stages.fields import ListOf, Seconds, Spec

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{2,99}$")]


class VulnerabilitiesSpec(Spec):
    """fail_on: the severity from which on a known weakness fails; one that nobody rated counts as high. fixable_only: those for
    which there is no version without it do not fail. ignore: names of some that never do, under any of their names. snapshot_age:
    of what they are held against, at most.
    """

    fail_on: Literal["low", "medium", "high", "critical"] = "high"
    fixable_only: bool = False
    ignore: Annotated[tuple[Identifier, ...], ListOf] = ()
    snapshot_age: Annotated[Seconds, Field(gt=0)] = 7 * 86400.0

    @property
    def limit(self) -> Severity:
        return Severity[self.fail_on.upper()]


class SupplyChainSpec(Spec):
    """sbom: a signed bill of materials. signature: signed provenance."""

    vulnerabilities: VulnerabilitiesSpec | None = None
    sbom: Literal["required"] | None = None
    signature: Literal["required"] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.vulnerabilities is None and self.sbom is None and self.signature is None:
            raise ValueError("at least one of vulnerabilities, sbom and signature expected")
        return self
