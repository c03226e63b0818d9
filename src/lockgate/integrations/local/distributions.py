"""The distributions of the running interpreter, which is the one that the data plane runs too."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

from packaging.requirements import InvalidRequirement, Requirement

from lockgate.domain.distributions import Distribution, normalised
from lockgate.kernel.errors import MissingExtra


class LocalDistributions:
    """A ports.distributions.Distributions."""

    def needed_by(self, modules: Iterable[str]) -> tuple[Distribution, ...]:
        bringing = packages_distributions()
        if missing := sorted(name for name in modules if name not in bringing):
            hint = "Install what serves the version here: the extra of its runtime, pip install 'lockgate[EXTRA]'."
            raise MissingExtra(f"not installed here: {', '.join(missing)}", hint=hint)
        return tuple(sorted(_closure((name, "") for module in modules for name in bringing[module])))


def _closure(roots: Iterable[tuple[str, str]]) -> Iterator[Distribution]:
    """roots: name and extra. A requirement that is not installed is one that this platform does not need, or an extra's."""
    waiting = deque((normalised(name), extra) for name, extra in roots)
    seen: set[tuple[str, str]] = set()
    told: set[str] = set()
    while waiting:
        name, extra = waiting.popleft()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if name not in told:
            told.add(name)
            yield Distribution(name, found.version)
        waiting.extend(_required(found.requires or (), extra))


def _required(lines: Iterable[str], extra: str) -> Iterator[tuple[str, str]]:
    for line in lines:
        try:
            one = Requirement(line)
        except InvalidRequirement:  # of old metadata, from before there was a grammar
            continue
        if one.marker is None or one.marker.evaluate({"extra": extra}):
            yield normalised(one.name), ""
            yield from ((normalised(one.name), wanted) for wanted in one.extras)
