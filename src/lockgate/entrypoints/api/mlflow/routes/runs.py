"""`/mlflow/runs` and `/mlflow/experiments`, read only: a run of a pipeline is a run, each model an experiment of its name."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lockgate.domain.models import RegisteredModel
from lockgate.domain.runs import Run, RunStatus
from lockgate.entrypoints.api.mlflow.callers import Viewer
from lockgate.entrypoints.api.mlflow.filters import ordered, parse_filter
from lockgate.entrypoints.api.mlflow.pages import page
from lockgate.entrypoints.api.mlflow.shapes import asked
from lockgate.entrypoints.api.mlflow.shapes.moments import milliseconds
from lockgate.entrypoints.api.mlflow.shapes.objects import OURS
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.kernel.errors import Invalid
from lockgate.ports.state import MODELS, RUNS
from lockgate.usecases.find_things import model_named, run_by

router = APIRouter(prefix="/mlflow")
_STATUS = {
    RunStatus.RUNNING: "RUNNING",
    RunStatus.REGISTERED: "FINISHED",
    RunStatus.REFUSED: "FAILED",
    RunStatus.FAILED: "FAILED",
    RunStatus.INTERRUPTED: "KILLED",
}
_ORDERS = {"start_time": lambda one: one.created_at, "attributes.start_time": lambda one: one.created_at}


@router.get("/runs/get")
def get(desk: DeskHere, _viewer: Viewer, sent: asked.OfRunSent) -> Any:
    run_id = sent.run_id or sent.run_uuid
    if not run_id:
        raise Invalid("run_id: nothing found, the id of a run expected")
    with desk.world.state.read() as tx:
        return {"run": _run(run_by(tx, run_id))}


@router.post("/runs/search")
def search(desk: DeskHere, _viewer: Viewer, sent: asked.RunSearchSent) -> Any:
    """Of the models that are named as experiments; the newest first, if nothing else is asked."""
    conditions = parse_filter(sent.filter, ("run_id", "status"))
    with desk.world.state.read() as tx:
        found = [run for model in sent.experiment_ids for run in tx.find(RUNS, model=model, newest_first=True)]
    kept = [run for run in found if all(said.holds({"run_id": run.id, "status": _STATUS[run.status]}) for said in conditions)]
    return page(ordered(kept, sent.order_by, _ORDERS), sent, "runs", _run)


@router.get("/experiments/get")
def experiment(desk: DeskHere, _viewer: Viewer, sent: asked.OfExperimentSent) -> Any:
    with desk.world.state.read() as tx:
        return {"experiment": _experiment(model_named(tx, sent.experiment_id))}


@router.get("/experiments/get-by-name")
def experiment_named(desk: DeskHere, _viewer: Viewer, sent: asked.ExperimentNamedSent) -> Any:
    with desk.world.state.read() as tx:
        return {"experiment": _experiment(model_named(tx, sent.experiment_name))}


@router.api_route("/experiments/search", methods=["GET", "POST"])
def experiments(desk: DeskHere, _viewer: Viewer, sent: asked.SearchSent) -> Any:
    conditions = parse_filter(sent.filter, ("name",))
    with desk.world.state.read() as tx:
        found = [one for one in tx.find(MODELS) if all(said.holds({"name": one.name}) for said in conditions)]
    return page(found, sent, "experiments", _experiment)


def _run(run: Run) -> dict[str, Any]:
    at = milliseconds(run.finished_at or run.created_at)
    metrics = [{"key": key, "value": value, "timestamp": at, "step": 0} for key, value in sorted(run.metrics.items())]
    params = [{"key": key, "value": str(value)} for key, value in sorted(run.params.items())]
    return {"info": _info(run), "data": {"metrics": metrics, "params": params, "tags": _tags(run)}}


def _info(run: Run) -> dict[str, Any]:
    info: dict[str, Any] = {
        "run_id": run.id,
        "run_uuid": run.id,
        "run_name": run.id,
        "experiment_id": run.model,
        "user_id": run.actor,
        "status": _STATUS[run.status],
        "start_time": milliseconds(run.created_at),
        "artifact_uri": f"mlflow-artifacts:/models/{run.model}/{run.version}" if run.version else "",
        "lifecycle_stage": "active",
    }
    return info | ({"end_time": milliseconds(run.finished_at)} if run.finished_at else {})


def _tags(run: Run) -> list[dict[str, str]]:
    told = {"mlflow.user": run.author, f"{OURS}status": run.status.value, f"{OURS}cause": run.cause}
    told |= {"mlflow.source.git.commit": run.commit} if run.commit else {}
    told |= {f"{OURS}data.{name}": digest for name, digest in run.data.items()}
    told |= {f"{OURS}error": run.error} if run.error else {}
    return [{"key": key, "value": value} for key, value in sorted(told.items())]


def _experiment(model: RegisteredModel) -> dict[str, Any]:
    at = milliseconds(model.created_at)
    told = {"experiment_id": model.name, "name": model.name, "artifact_location": "", "lifecycle_stage": "active"}
    return {**told, "creation_time": at, "last_update_time": at}
