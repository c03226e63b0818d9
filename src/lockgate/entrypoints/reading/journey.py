"""How a model stands on its journey: for each of the five stages what happened last, in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lockgate.boundary.acknowledgements import Acknowledgement, Readiness
from lockgate.domain.findings import Finding
from lockgate.domain.models import ModelVersion, RegisteredModel, TransitionRequest
from lockgate.domain.rollouts import Phase, Rollout
from lockgate.domain.runs import Run
from lockgate.domain.verdicts import GateVerdict, worst
from lockgate.entrypoints.reading.gates import Standing, gates_now
from lockgate.entrypoints.reading.live import Live
from lockgate.entrypoints.reading.tones import GATE_TONE, PHASE_TONE, RUN_TONE, Tone
from lockgate.entrypoints.reading.words import standing
from lockgate.ports.state import FINDINGS, ROLLOUTS, RUNS, VERSIONS, Reader
from lockgate.stages.deliver.rollout import under_way


@dataclass(frozen=True, slots=True)
class Mark:
    """One stage: `link` is the path of the page that shows more."""

    stage: str
    says: str
    tone: Tone
    at: datetime | None = None
    link: str | None = None


def journey(
    tx: Reader,
    model: RegisteredModel,
    live: Live,
    requests: Sequence[TransitionRequest],
    workers: Sequence[Acknowledgement],
    now: datetime,
) -> tuple[Mark, ...]:
    """requests: the model's open ones. workers: those alive."""
    runs = tx.find(RUNS, model=model.name, newest_first=True, limit=1)
    latest = tx.get(VERSIONS, model.name, model.latest_version) if model.latest_version else None
    rollouts = tx.find(ROLLOUTS, model=model.name, newest_first=True, limit=1)
    findings = tx.find(FINDINGS, model=model.name, newest_first=True, limit=1)
    standing = tx.get(VERSIONS, model.name, live.version) if live.version else None
    return (
        _build(runs[0] if runs else None),
        _decide(model.name, latest, gates_now(tx, latest, now) if latest else (), requests),
        _deliver(rollouts[0] if rollouts else None),
        _serve(standing, workers, live),
        _watch(model.name, findings[0] if findings else None),
    )


def _build(run: Run | None) -> Mark:
    if run is None:
        return Mark("build", "no run yet", Tone.CALM)
    says = f"version {run.version} registered" if run.version else f"run {run.status.value}"
    return Mark("build", says, RUN_TONE[run.status], run.finished_at or run.created_at, f"/runs/{run.id}")


def _decide(model: str, latest: ModelVersion | None, gates: Sequence[Standing], requests: Sequence[TransitionRequest]) -> Mark:
    if requests:
        first = requests[0]
        many = f"{len(requests)} requests wait" if len(requests) > 1 else f"version {first.version} waits for approval"
        return Mark("decide", many, Tone.ASK, first.created_at, f"/models/{model}#requests")
    if latest is None:
        return Mark("decide", "nothing to decide", Tone.CALM)
    verdicts = [gate.verdict for gate in gates]
    passed = f"{verdicts.count(GateVerdict.PASS)} of {len(verdicts)} gates passed" if verdicts else "no gates declared"
    if waived := verdicts.count(GateVerdict.WAIVED):
        passed += f", {waived} waived"
    tone = GATE_TONE[worst(verdicts)] if verdicts else Tone.CALM
    return Mark("decide", passed, tone, latest.created_at, f"/models/{model}/versions/{latest.version}")


def _deliver(rollout: Rollout | None) -> Mark:
    if rollout is None:
        return Mark("deliver", "no rollout yet", Tone.CALM)
    link = f"/rollouts/{rollout.id}"
    version = f"version {rollout.version}" + (f" in segment {rollout.segment}" if rollout.segment else "")
    if under_way(rollout):
        where = "in preview" if rollout.phase is Phase.PREVIEW else f"{rollout.phase.value} {standing(rollout)}"
        says = f"{version} {where}"
        return Mark("deliver", says, PHASE_TONE[rollout.phase], rollout.started_at, link)
    return Mark("deliver", f"{version} {rollout.phase.value}", PHASE_TONE[rollout.phase], rollout.ended_at, link)


def _serve(standing: ModelVersion | None, workers: Sequence[Acknowledgement], live: Live) -> Mark:
    if standing is None:
        return Mark("serve", "nothing in Production", Tone.CALM)
    holding = [worker.packages.get(standing.digest) for worker in workers]
    ready = sum(state is not None and state.readiness is Readiness.READY for state in holding)
    if not workers:
        return Mark("serve", "no worker is alive", Tone.BAD, live.since)
    tone = Tone.GOOD if ready == len(workers) else Tone.WAIT if ready else Tone.BAD
    return Mark("serve", f"{ready} of {len(workers)} workers ready", tone, live.since)


def _watch(model: str, finding: Finding | None) -> Mark:
    if finding is None:
        return Mark("watch", "nothing found", Tone.CALM)
    says = f"{finding.kind.value.replace('_', ' ')} of version {finding.version}"
    return Mark("watch", says, Tone.ASK, finding.at, f"/models/{model}#findings")
