"""A refusal that is a matter of gates says so by a status of its own: then it is no use to ask somebody with more rights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lockgate.entrypoints.api.mlflow.failures import GatesNotPassed
from lockgate.entrypoints.api.mlflow.shapes.asked import OfStage
from lockgate.kernel.errors import Refused
from lockgate.usecases.find_rule import missing_gates, rule_for
from lockgate.usecases.find_things import version_of
from lockgate.usecases.world import World


@contextmanager
def telling_gates(world: World, asked: OfStage) -> Iterator[None]:
    """
    Raises:
        GatesNotPassed: in place of Refused, where gates are missing on the way to the stage.
    """  # noqa: D212 - there is nothing else to say
    try:
        yield
    except Refused as refused:
        with world.state.read() as tx:
            version = version_of(tx, asked.name, asked.version)
            missing = missing_gates(tx, version, rule_for(tx, asked.name, asked.stage), asked.stage, world.clock.now())
        if missing:
            raise GatesNotPassed(refused.message, hint=refused.hint) from refused
        raise
