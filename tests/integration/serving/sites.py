"""A controller, its state and a data plane that follows it: what tests of a rollout in force have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from lockgate.domain.rollouts import Rollout
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.publish_routes import route_table
from lockgate.usecases.world import World
from tests.integration.serving.data_plane import MODEL, DataPlane, Reply, call, columns


@dataclass
class RolloutSite:
    world: World
    plane: DataPlane
    rollout: Rollout
    judges: Judges = field(default_factory=Judges)

    def tick(self) -> Rollout:
        advance_rollouts(self.world, self.judges)
        with self.world.state.read() as tx:
            return rollout_by(tx, self.rollout.id)

    def ask(self, user: int) -> Reply:
        reply = self.plane.infer(columns((1.0, "AA")), None, x_user_id=f"user-{user}")
        assert reply.status == 200
        return reply

    def follows(self) -> bool:
        """Whether the worker routes by the table in force."""
        with self.world.state.read() as tx:
            revision = str(route_table(tx).revision)
        dry_run = call(self.plane.url(f"/v2/models/{MODEL}/route"), columns((1.0, "AA")))
        return dry_run.status == 200 and bool(dry_run.json["revision"] == revision)
