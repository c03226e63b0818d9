"""The distributions of the running interpreter, which is the one that the data plane runs too."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from lockgate.domain.distributions import Distribution, normalised
from lockgate.kernel.errors import MissingExtra

_METADATA = (".dist-info", ".egg-info")


class LocalDistributions:
    """A ports.distributions.Distributions. It looks again once anything was installed or removed: a look takes a fifth of a
    second, and every version that is registered asks.
    """

    def needed_by(self, modules: Iterable[str]) -> tuple[Distribution, ...]:
        return _needed(frozenset(modules), _installed())


def _installed() -> tuple[tuple[str, int], ...]:
    """Where Python looks for distributions, and their folders of metadata, each with the time of its last change in nanoseconds.

    An installer writes into the latter one file after another, so that the time of the folder above tells too little.
    """
    found: list[tuple[str, int]] = []
    for folder in sys.path:
        try:
            found.append((folder, Path(folder).stat().st_mtime_ns))
            with os.scandir(folder or ".") as inside:
                found.extend((one.path, one.stat().st_mtime_ns) for one in inside if one.name.endswith(_METADATA))
        except OSError:  # not there, an archive, or gone meanwhile
            continue
    return tuple(sorted(found))


@lru_cache(maxsize=64)
def _needed(modules: frozenset[str], installed: tuple[tuple[str, int], ...]) -> tuple[Distribution, ...]:
    bringing = _bringing(installed)
    if missing := sorted(name for name in modules if name not in bringing):
        hint = "Install what serves the version here: the extra of its runtime, pip install 'lockgate[EXTRA]'."
        raise MissingExtra(f"not installed here: {', '.join(missing)}", hint=hint)
    return tuple(sorted(_closure((name, "") for module in modules for name in bringing[module])))


@lru_cache(maxsize=1)
def _bringing(_installed: tuple[tuple[str, int], ...]) -> Mapping[str, Sequence[str]]:
    """Distributions by the modules that they bring."""
    return packages_distributions()


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
