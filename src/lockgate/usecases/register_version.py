"""A run whose gates all passed becomes a version; where the project deploys automatically, the policy sends it on its way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from msgspec import to_builtins

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion, RegisteredModel
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, ProjectRecord
from lockgate.domain.runs import Run, RunStatus
from lockgate.ports.state import MODELS, PROJECTS, RUNS, VERSIONS, Writer
from lockgate.usecases.find_things import environment_of
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.send_on import send_on_its_way
from lockgate.usecases.world import World


def register_version(
    world: World, run: Run, actor: Actor, *, digest: str, evaluation: str, reference: str, project: ProjectRecord
) -> ModelVersion:
    """The next version of the run's model, with the run's last state, in one transaction.

    digest: of the package's manifest. evaluation, reference: digests of artifacts.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        remember_project(tx, project, actor, now)
        model = tx.get(MODELS, run.model) or RegisteredModel(run.model, now)
        number = model.latest_version + 1
        tx.put(MODELS, replace(model, latest_version=number))
        version = ModelVersion(
            model=run.model,
            version=number,
            digest=digest,
            run=run.id,
            author=run.author,
            created_at=now,
            dirty=run.dirty,
            metrics=run.metrics,
            gates=run.gates,
            evaluation=evaluation,
            reference=reference,
        )
        tx.put(VERSIONS, version)
        tx.put(RUNS, replace(run, status=RunStatus.REGISTERED, version=number, finished_at=now))
        details = {"run": run.id, "digest": digest, "commit": run.commit, "cause": run.cause}
        subject = f"{run.model}/{number}"
        tx.record(
            Happened(Action.VERSION_REGISTERED, actor.name, actor.authenticated, now, subject, run.model, number, dict(details))
        )
        if project.deployment is Deployment.AUTOMATIC:
            send_on_its_way(tx, version, now)
        return version


def remember_project(tx: Writer, project: ProjectRecord, actor: Actor, now: datetime) -> None:
    """Keep what the project file says, and let the model be answered by it.

    Switching between a person's go and the evidence's go, answering otherwise than before, and other segments that may have
    champions, are events of their own.
    """
    before = tx.get(PROJECTS, project.model)
    earlier = environment_of(tx, project.model, PRODUCTION)
    tx.put(PROJECTS, project)
    now_said = environment_of(tx, project.model, PRODUCTION)
    if before is None or before.deployment is not project.deployment:
        deployed = before.deployment.value if before else None
        tx.record(_set(Action.DEPLOYMENT_SET, project, actor, now, deployed, project.deployment.value))
    for action, was, said in (
        (Action.ANSWERS_SET, earlier.answers, now_said.answers),
        (Action.CHAMPIONS_SET, earlier.champions, now_said.champions),
    ):
        if was != said:
            tx.record(_set(action, project, actor, now, to_builtins(was), to_builtins(said)))
            publish_routes(tx, project.model)


def _set(action: Action, project: ProjectRecord, actor: Actor, now: datetime, before: object, after: object) -> Happened:
    details = {"from": before, "to": after}
    return Happened(action, actor.name, actor.authenticated, now, project.model, project.model, details=details)
