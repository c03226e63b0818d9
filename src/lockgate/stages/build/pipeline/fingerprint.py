"""A step's fingerprint: one digest over named parts. If it is the same there is no need to run; if not, the parts say why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.kernel.digest import canonical_json, digest_bytes, digest_json
from lockgate.stages.build.pipeline.closure import Closure

ALWAYS = ("numpy", "pandas", "pyarrow", "scipy", "sklearn")  # what data frames and models are made of, imported by name or not
_LONGEST = 80


def code_parts(closure: Closure) -> dict[str, str]:
    return {f"code {name}": digest for name, digest in closure.code.items()}


def library_parts(imported: Iterable[str], versions: Mapping[str, str]) -> dict[str, str]:
    """versions: of Python and of the libraries that are installed, by the name that is imported."""
    names = sorted({*imported, *ALWAYS} & set(versions))
    return {"python": versions["python"], **{f"library {name}": versions[name] for name in names}}


def param_parts(names: Iterable[str], params: Mapping[str, Any]) -> dict[str, str]:
    """Short values as they are, so that a reader sees what changed."""
    spelled = {name: canonical_json(params[name]).decode() for name in sorted(names)}
    return {f"param {name}": text if len(text) <= _LONGEST else digest_bytes(text.encode()) for name, text in spelled.items()}


def input_parts(digests: Mapping[str, str]) -> dict[str, str]:
    """digests: of data and of what the steps upstream gave, by name."""
    return {f"input {name}": digest for name, digest in sorted(digests.items())}


def fingerprint(parts: Mapping[str, str]) -> str:
    return digest_json(dict(parts))


@dataclass(frozen=True, slots=True)
class Difference:
    """One part that is not as it was; None where it was or is not there."""

    part: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.part} is new"
        if self.after is None:
            return f"{self.part} is gone"
        if self.after.startswith("sha256:"):
            return f"{self.part} changed"
        return f"{self.part}: {self.before} → {self.after}"


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
    """What changed, the step's own code first, then its inputs, parameters and libraries."""
    changed: Collection[str] = {part for part in {*before, *after} if before.get(part) != after.get(part)}
    order = ("code", "input", "param", "python", "library")
    ranked = sorted(changed, key=lambda part: (order.index(kind) if (kind := part.split()[0]) in order else len(order), part))
    return tuple(Difference(part, before.get(part), after.get(part)) for part in ranked)
