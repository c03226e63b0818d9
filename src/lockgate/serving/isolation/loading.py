"""Load a package as it will be used, repeat its golden rows, and measure what that takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import cast

from lockgate.boundary.manifest import Manifest, decode
from lockgate.kernel.clock import Clock
from lockgate.kernel.digest import digits
from lockgate.kernel.errors import Invalid, NotFound
from lockgate.runtimes.model import Model
from lockgate.runtimes.package import Files, read
from lockgate.runtimes.registry import RUNTIMES
from lockgate.serving.isolation import memory
from lockgate.serving.isolation.golden import GoldenRows
from lockgate.serving.isolation.orders import Footprint, Loaded

Loader = Callable[[Manifest, Files], Model]
_ROUND = 8  # repetitions of the golden rows that are compared with the round before
_ROUNDS = 25
_SETTLED = 0.2  # relative difference of two rounds' medians
_MARGIN = 1e-4  # seconds: no two rounds differ by less than that in any way that matters


@dataclass(frozen=True, slots=True)
class Trial:
    """A package that was loaded and answers as it should."""

    manifest: Manifest
    model: Model
    report: Loaded


def manifest_of(artifacts: Path, digest: str) -> Manifest:
    """The manifest alone, verified; its files are not read.

    Raises:
        NotFound: it is not there. Corrupt: its bytes are not those of its digest. Invalid: it is no manifest.
    """
    name = digits(digest)
    try:
        return decode((artifacts / name[:2] / name[2:]).read_bytes(), digest)
    except OSError as error:
        raise NotFound(f"the manifest: artifact {digest} cannot be read: {error.strerror}") from error


def named_loader(name: str) -> Loader:
    """The function behind MODULE:FUNCTION.

    Raises:
        Invalid: there is none.
    """
    module, _, function = name.partition(":")
    try:
        return cast("Loader", getattr(import_module(module), function))
    except (ImportError, AttributeError) as error:
        raise Invalid(f"loader {name!r} cannot be found: {error}") from error


def try_package(artifacts: Path, digest: str, load: Loader, clock: Clock, settle: float) -> Trial:
    """Read, verify, load and warm up.

    settle: seconds that the golden rows are repeated for at most, until their latency stays.

    Raises:
        LockgateError: as runtimes.package.read, runtimes.registry.load_model and GoldenRows.check. Whatever else a model raises.
    """
    begun = clock.monotonic()
    manifest, files = read(artifacts, digest)
    _import_runtime(manifest)
    golden = GoldenRows(manifest)
    memory.forget_peak()
    resident, own = memory.resident(), memory.own()
    model = load(manifest, files)
    golden.check(model)
    seconds = clock.monotonic() - begun
    batchable = golden.answers_rows_alone(model)
    p99 = _settled(lambda: golden.check(model), clock, settle)
    footprint = Footprint(growth=max(0, memory.own() - own), spike=max(0, memory.peak() - resident), process=max(0, memory.own()))
    return Trial(manifest, model, Loaded(seconds, p99, footprint, batchable))


def _import_runtime(manifest: Manifest) -> None:
    """A worker has its runtime's library already: what that takes is not the package's."""
    runtime = RUNTIMES.get(manifest.runtime)
    if runtime is not None:
        try:
            import_module(runtime.module)
            if runtime.composed and manifest.options.get("inline") is True:
                for one in RUNTIMES.values():
                    if one.inline:
                        import_module(one.module)
        except ImportError:
            return  # the loader says so, and what to do about it


def _settled(run: Callable[[], None], clock: Clock, patience: float) -> float:
    """Repeat until a round's median is that of the round before; the second longest of the last two rounds (p99, so to say)."""
    until = clock.monotonic() + patience
    before: list[float] = []
    for _ in range(_ROUNDS):
        times = [_timed(run, clock) for _ in range(_ROUND) if clock.monotonic() < until] or [_timed(run, clock)]
        if before and abs(median(times) - median(before)) <= _SETTLED * median(before) + _MARGIN:
            return sorted(before + times)[-2]
        before = times
        if clock.monotonic() >= until:
            break
    return max(before)


def _timed(run: Callable[[], None], clock: Clock) -> float:
    begun = clock.monotonic()
    run()
    return clock.monotonic() - begun
