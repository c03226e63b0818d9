"""Through which rollout did a version come to stand where it stands, and may it go on?"""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.environments import STAGE_OF
from lockgate.domain.models import ModelVersion
from lockgate.domain.projects import After
from lockgate.domain.rollouts import Rollout, Strategy
from lockgate.kernel.errors import Refused
from lockgate.kernel.quantities import format_duration
from lockgate.ports.state import Reader
from lockgate.stages.deliver.order import possible_at
from lockgate.stages.deliver.rollout import entering
from lockgate.usecases.find_rollouts import promoted
from lockgate.usecases.find_things import environment_of
from lockgate.usecases.start_rollout import plan_for, standing_in


def brought_in(tx: Reader, version: ModelVersion, environment: str) -> Rollout | None:
    """The rollout by which the version came into the environment where it stands now; None: it does not stand there.

    It is the last one that was promoted there, or another version would stand in its place.
    """
    if version.stage is not STAGE_OF[environment]:
        return None
    last = next((one for one in promoted(tx, version.model) if one.environment == environment), None)
    return last if last is not None and entering(last) == version.version else None


def check_had_its_time(tx: Reader, version: ModelVersion, environment: str, now: datetime) -> None:
    """Let pass or raise. Looked at when a version is asked for, and again with every yes.

    A checkpoint of the course of learning that goes on comes in by the proof of its own rollout.

    Raises:
        Refused: it does not stand, or has not stood long enough, where it must have stood before.
    """
    after = environment_of(tx, version.model, environment).after
    if after is None or _by_its_own_proof(tx, version, environment) or version.stage is STAGE_OF[environment]:
        return  # what is in Production already and is asked for in a segment has had its time
    name, place, goal = f"{version.model} {version.version}", STAGE_OF[after.environment].value, STAGE_OF[environment].value
    came = brought_in(tx, version, after.environment)
    if came is None or came.ended_at is None:
        raise Refused(
            f"{name} stands in {version.stage.value}, {place} expected{_for(after)} before it comes into {goal}",
            hint=f"lockgate request {name} --to {place}",
        )
    due = possible_at(after, came.ended_at)
    if now < due:
        raise Refused(
            f"{name} has stood in {place} since {_moment(came.ended_at)}, {format_duration(after.seconds)} there expected",
            hint=f"From {_moment(due)} on: lockgate request {name} --to {goal}",
        )


def _by_its_own_proof(tx: Reader, version: ModelVersion, environment: str) -> bool:
    online = plan_for(tx, version, environment).strategy is Strategy.ONLINE
    return online and standing_in(tx, version.model, environment) is not None  # with nothing to compare with it would replace


def _for(after: After) -> str:
    return f" for {format_duration(after.seconds)}" if after.seconds else ""


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
