"""What the packaged form of a candidate does when it is asked and served, for that is what production will meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from lockgate.boundary.manifest import Manifest
from lockgate.domain.packages import Packaged
from lockgate.domain.verdicts import GateResult
from lockgate.kernel.errors import Invalid
from lockgate.ports.runtimes import Runtime
from lockgate.stages.decide.gates.packaged import judge_packaged, requests_for, unmeasured
from lockgate.stages.decide.gates.robustness import judge_robustness
from lockgate.stages.decide.packaged_spec import PackagedSpec
from lockgate.stages.decide.spec import GatesSpec
from lockgate.usecases.build_world import BuildWorld


def probe_package(build: BuildWorld, gates: GatesSpec, manifest: Manifest, packaged: Packaged) -> tuple[GateResult, ...]:
    """The verdicts on what must hold of the answers."""
    ask = partial(_scores, build.runtimes, manifest, packaged.files)
    return judge_robustness(gates.robustness, packaged.signature, packaged.held_out, ask)


def measure_package(build: BuildWorld, spec: PackagedSpec, manifest: Manifest, packaged: Packaged) -> tuple[GateResult, ...]:
    """The verdicts on what the package costs; nothing is started where nothing is limited. Asked are the golden rows."""
    if not spec.limits:
        return ()
    try:
        cost = build.server.cost(manifest, packaged.files, packaged.golden.inputs, requests_for(spec))
    except Invalid as error:
        return unmeasured(spec, error.message)
    return judge_packaged(spec, cost)


def _scores(
    runtimes: Iterable[Runtime], manifest: Manifest, files: Mapping[str, bytes], columns: Mapping[str, Sequence[Any]]
) -> Sequence[float]:
    runtime = next((one for one in runtimes if one.name == manifest.runtime), None)
    if runtime is None:
        raise Invalid(f"there is no runtime for {manifest.runtime!r} here that could be asked")
    return runtime.scores(manifest, files, columns)
