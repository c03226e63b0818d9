"""What the gates say of a candidate. All are judged, whatever the first ones say, so that people see everything at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from lockgate.domain.packages import Packaged
from lockgate.domain.runs import Run, StepRun, StepStatus
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.ports.state import WAIVERS
from lockgate.project.load import Project
from lockgate.stages.decide.gates import fairness, packaged, quality, robustness, skew, slices, split, supply_chain
from lockgate.stages.decide.gates.metrics import metrics
from lockgate.stages.decide.waiving import unpassed, waive
from lockgate.usecases.ask_package import measure_package, probe_package
from lockgate.usecases.build_world import BuildWorld
from lockgate.usecases.check_supply_chain import check_supply_chain
from lockgate.usecases.compare_recorded import compare_recorded
from lockgate.usecases.evaluate_champion import evaluate_champion
from lockgate.usecases.execute_tasks import OnProgress
from lockgate.usecases.find_things import next_version
from lockgate.usecases.take_candidate import Candidate
from lockgate.usecases.world import World

GATE = "gate"  # the kind that a gate has among a run's steps, while it is measured

Results = tuple[GateResult, ...]
Measure = Callable[[], Results]


def judge_candidate(
    world: World, build: BuildWorld, project: Project, run: Run, candidate: Candidate, on_progress: OnProgress
) -> Run:
    """The run with its metrics and the result of each gate; its `error` names the gates that neither passed nor are waived.

    on_progress: called with each gate that has rules, as with a step, when it begins and when it ends.

    Raises:
        NotFound, Corrupt: the champion's package or evaluation is gone or damaged.
    """
    results = _noted(candidate.packaged)
    for gate, measure in _gates(world, build, project, run, candidate):
        results += _timed(world, gate, measure, on_progress)
    results, error = _with_waivers(world, run, results)
    return replace(run, metrics=metrics(candidate.evaluation, project.label_event), gates=results, error=error)


def _gates(world: World, build: BuildWorld, project: Project, run: Run, candidate: Candidate) -> Iterator[tuple[str, Measure]]:
    """Those that the project file has rules for; what takes longest comes last."""
    gates, made, rows, event = project.gates, candidate.packaged, candidate.evaluation, project.label_event

    def measure_quality() -> Results:
        champion = evaluate_champion(world, build.runtimes, run.model, made)
        return quality.judge_gates(gates.quality, rows, champion, event)

    if gates.split.limits:
        yield split.GATE, partial(split.judge_split, gates.split, made.split)
    if gates.quality:
        yield quality.GATE, measure_quality
    if gates.fairness:
        yield fairness.GATE, partial(fairness.judge_fairness, gates.fairness, rows, fairness.threshold_of(event))
    if gates.slices is not None:
        cut = fairness.threshold_of(event)
        yield slices.GATE, partial(slices.judge_slices, gates.slices, rows, made.held_out, cut)
    if gates.skew is not None:
        yield skew.GATE, partial(compare_recorded, build.records, gates.skew, run.model, made)
    if gates.supply_chain is not None:
        yield supply_chain.GATE, partial(check_supply_chain, world, build.scanner, gates.supply_chain, candidate.manifest)
    if gates.robustness:
        yield robustness.GATE, partial(probe_package, build, gates, candidate.manifest, made)
    if gates.packaged.limits:
        yield packaged.GATE, partial(measure_package, build, gates.packaged, candidate.manifest, made)


def _timed(world: World, gate: str, measure: Measure, on_progress: OnProgress) -> Results:
    began = world.clock.now()
    step = StepRun(gate, GATE, StepStatus.RUNNING, started_at=began)
    on_progress(step)
    results = measure()
    passed = all(one.verdict is GateVerdict.PASS for one in results)
    seconds = (world.clock.now() - began).total_seconds()
    on_progress(replace(step, status=StepStatus.DONE if passed else StepStatus.FAILED, seconds=seconds))
    return results


def _with_waivers(world: World, run: Run, results: Results) -> tuple[Results, str | None]:
    """What the results are with the waivers that hold for the version that would come next, and what still stands in its way."""
    with world.state.read() as tx:
        waivers, number = tx.find(WAIVERS, model=run.model), next_version(tx, run.model)
    now = world.clock.now()
    missed = unpassed(results, waivers, number, now)
    error = "; ".join(f"gate {one.gate}: {one.rule}: {one.verdict.value}, {one.detail}" for one in missed) or None
    return waive(results, waivers, number, now), error


def _noted(packaged: Packaged) -> tuple[GateResult, ...]:
    """What the packager had to say, where everybody looks: a model that became slower should surprise nobody."""
    if not packaged.notes:
        return ()
    return (GateResult("package", f"runs as {packaged.runtime}", GateVerdict.PASS, "; ".join(packaged.notes)),)
