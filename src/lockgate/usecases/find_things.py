"""Find a thing by its name or say clearly that it is not there."""

from __future__ import annotations

from lockgate.domain.models import ModelVersion, RegisteredModel, TransitionRequest
from lockgate.domain.policy import CURRENT, Policy
from lockgate.domain.projects import Environment
from lockgate.domain.rollouts import Rollout
from lockgate.domain.runs import Run
from lockgate.kernel.errors import NotFound
from lockgate.ports.state import ALIASES, MODELS, POLICIES, PROJECTS, REQUESTS, ROLLOUTS, RUNS, VERSIONS, Reader


def model_named(tx: Reader, name: str) -> RegisteredModel:
    found = tx.get(MODELS, name)
    if found is None:
        raise NotFound(f"there is no model {name!r}", hint="See the models: lockgate models")
    return found


def next_version(tx: Reader, model: str) -> int:
    """The number that the model's next version would get now."""
    known = tx.get(MODELS, model)
    return known.latest_version + 1 if known else 1


def run_by(tx: Reader, run_id: str) -> Run:
    found = tx.get(RUNS, run_id)
    if found is None:
        raise NotFound(f"there is no run {run_id!r}", hint="See the runs: lockgate runs")
    return found


def version_of(tx: Reader, model: str, version: int) -> ModelVersion:
    found = tx.get(VERSIONS, model, version)
    if found is not None:
        return found
    known = tx.get(MODELS, model)
    if known is None:
        names = ", ".join(sorted(one.name for one in tx.find(MODELS))) or "none yet"
        raise NotFound(f"there is no model {model!r}; models here: {names}", hint="Make one: lockgate run")
    if 1 <= version <= known.latest_version:
        raise NotFound(f"{model} {version} was deleted", hint=f"See what there is: lockgate versions {model}")
    raise NotFound(
        f"{model} has no version {version}; its latest is {known.latest_version}", hint=f"See lockgate versions {model}"
    )


def version_named(tx: Reader, model: str, name: str) -> ModelVersion:
    """By its number or by an alias of it, such as `champion`."""
    if name.isdecimal() and name.isascii():
        return version_of(tx, model, int(name[:_LONGEST_NUMBER]))
    alias = tx.get(ALIASES, model, name)
    if alias is not None:
        return version_of(tx, model, alias.version)
    known = ", ".join(one.name for one in tx.find(ALIASES, model=model_named(tx, model).name)) or "none yet"
    raise NotFound(f"{model} has no alias {name!r}; its aliases: {known}", hint=f"See its versions: lockgate versions {model}")


_LONGEST_NUMBER = 18  # digits: what databases hold


def request_by(tx: Reader, request_id: str) -> TransitionRequest:
    found = tx.get(REQUESTS, request_id)
    if found is None:
        raise NotFound(f"there is no request {request_id!r}", hint="See the open ones: lockgate requests")
    return found


def rollout_by(tx: Reader, rollout_id: str) -> Rollout:
    found = tx.get(ROLLOUTS, rollout_id)
    if found is None:
        raise NotFound(f"there is no rollout {rollout_id!r}", hint="See them all: lockgate rollout status")
    return found


def environment_of(tx: Reader, model: str, name: str) -> Environment:
    """What the project file says of an environment; where it says nothing: replace, and one approval by somebody else."""
    record = tx.get(PROJECTS, model)
    return record.environments.get(name, Environment()) if record else Environment()


def policy_of(tx: Reader) -> Policy:
    """The platform's policy; without one, a policy that asks for nothing beside what the project files do."""
    record = tx.get(POLICIES, CURRENT)
    return record.policy if record else Policy()
