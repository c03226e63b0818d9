"""A run whose gates all passed or are waived becomes a version; with automatic deployment, the policy sends it on its way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from msgspec import to_builtins

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion, RegisteredModel
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.runs import Run, RunStatus
from lockgate.kernel.errors import Refused
from lockgate.ports.state import MODELS, PROJECTS, RUNS, VERSIONS, WAIVERS, Reader, Writer
from lockgate.stages.decide.waiving import unpassed, waive
from lockgate.usecases.bind_request import bind_open_requests
from lockgate.usecases.find_things import environment_of
from lockgate.usecases.keep_evidence import keep_evidence
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.send_on import send_on_its_way
from lockgate.usecases.sign_version import next_number, record_signed, renumbered, with_papers
from lockgate.usecases.world import World


def register_version(
    world: World, run: Run, actor: Actor, *, digest: str, evaluation: str, reference: str, project: ProjectRecord
) -> ModelVersion:
    """The next version of the run's model, with the run's last state, in one transaction. Its evidence is kept, and its papers
    are signed, before.

    digest: of the package's manifest. evaluation, reference: digests of artifacts.

    Raises:
        Refused: a gate did not pass, and is not waived for this version at this time. Unavailable: the key to sign with.
    """
    now = world.clock.now()
    evidence = keep_evidence(world, run, digest, evaluation, reference)
    drawn = ModelVersion(
        model=run.model,
        version=next_number(world, run.model),
        digest=digest,
        run=run.id,
        author=run.author,
        created_at=now,
        dirty=run.dirty,
        metrics=run.metrics,
        gates=run.gates,
        evidence=evidence,
        evaluation=evaluation,
        reference=reference,
    )
    drawn = with_papers(world, drawn, run)
    with world.state.write() as tx:
        remember_project(tx, project, actor, now)
        model = tx.get(MODELS, run.model) or RegisteredModel(run.model, now)
        number = model.latest_version + 1
        _check_gates(tx, run, number, now)
        tx.put(MODELS, replace(model, latest_version=number))
        version = renumbered(world, drawn, number, run)
        tx.put(VERSIONS, version)
        tx.put(RUNS, replace(run, status=RunStatus.REGISTERED, version=number, finished_at=now))
        details = {"run": run.id, "digest": digest, "commit": run.commit, "cause": run.cause, "evidence": evidence}
        subject = f"{run.model}/{number}"
        tx.record(
            Happened(Action.VERSION_REGISTERED, actor.name, actor.authenticated, now, subject, run.model, number, dict(details))
        )
        record_signed(tx, world, version, actor, now)
        if project.is_automatic(project.first):
            send_on_its_way(tx, version, now)
        return version


def _check_gates(tx: Reader, run: Run, version: int, now: datetime) -> None:
    """The run was judged a moment ago; what is registered must hold now, and for the number that the version really gets."""
    waivers = tx.find(WAIVERS, model=run.model)
    if unpassed(run.gates, waivers, version, now) or waive(run.gates, waivers, version, now) != run.gates:
        why = f"the gates of {run.id} did not all pass, or the waivers are other ones by now"
        raise Refused(f"{why}: version {version} of {run.model} is not registered", hint="Run again: what is finished is reused.")


def remember_project(tx: Writer, project: ProjectRecord, actor: Actor, now: datetime) -> None:
    """Keep what the project file says, and let the model be answered by it.

    What people said under other gates or `approvals` counts no more. Switching between a person's go and the evidence's go,
    answering otherwise than before, and other segments that may have champions, are events of their own.
    """
    before = tx.get(PROJECTS, project.model)
    earlier = environment_of(tx, project.model, PRODUCTION)
    tx.put(PROJECTS, project)
    bind_open_requests(tx, actor, now, project.model)
    now_said = environment_of(tx, project.model, PRODUCTION)
    if before is None or before.deployment is not project.deployment:
        deployed = before.deployment.value if before else None
        tx.record(_set(Action.DEPLOYMENT_SET, project, actor, now, deployed, project.deployment.value))
    for name, environment in project.environments.items():
        own, own_before = environment.deployment, before.environments.get(name, Environment()).deployment if before else None
        if own is not own_before:
            tx.record(_set(Action.DEPLOYMENT_SET, project, actor, now, _said(own_before), _said(own), environment=name))
    for action, was, said in (
        (Action.ANSWERS_SET, earlier.answers, now_said.answers),
        (Action.CHAMPIONS_SET, earlier.champions, now_said.champions),
    ):
        if was != said:
            tx.record(_set(action, project, actor, now, to_builtins(was), to_builtins(said)))
            publish_routes(tx, project.model)


def _said(deployment: Deployment | None) -> str | None:
    return deployment.value if deployment else None


def _set(
    action: Action, project: ProjectRecord, actor: Actor, now: datetime, before: object, after: object, **more: object
) -> Happened:
    details = {"from": before, "to": after, **more}
    return Happened(action, actor.name, actor.authenticated, now, project.model, project.model, details=details)
