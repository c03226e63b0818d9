"""The lessons are not believed any more: the learning stops, and a champion that learned what is suspected goes."""

from __future__ import annotations

from datetime import datetime

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.learning import Learning, Online
from lockgate.domain.models import ModelVersion
from lockgate.domain.people import LEARNER
from lockgate.kernel.quantities import format_share
from lockgate.ports.state import Writer
from lockgate.stages.deliver.online.course import tainted, way_back
from lockgate.usecases.check_signature import against_signature
from lockgate.usecases.return_by_loading import stood_in_production
from lockgate.usecases.roll_back import return_to
from lockgate.usecases.stop_learning import put_stopped


def sound_alarm(
    tx: Writer, learning: Learning, champion: ModelVersion, online: Online, event: LabelEvent, now: datetime
) -> Learning:
    """The learning, stopped. Where nothing clean ever stood in Production, the champion stays, and people decide."""
    said = (
        f"the champion's rate of the judged event ({event.words}) rose above {format_share(online.at_most)} from row"
        f" {learning.clean} of the log on, as was sure at row {learning.learned - 1}: the lessons are not believed any more"
    )
    stopped = put_stopped(tx, learning, LEARNER, said, now)
    if tainted(champion, stopped):
        stood = (one for one in stood_in_production(tx, learning.model) if against_signature(tx, one) is None)
        target = way_back(stopped, stood)
        if target is not None:
            return_to(tx, target, LEARNER, now, f"version {champion.version} learned rows from {learning.clean} on: {said}")
    return stopped
