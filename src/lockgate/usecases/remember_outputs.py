"""What earlier runs gave, as far as it is remembered and still there."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.domain.runs import StepOutput
from lockgate.ports.executor import Values
from lockgate.ports.state import OUTPUTS, Reader, Writer
from lockgate.stages.build.pipeline.tasks import Task


@dataclass(frozen=True, slots=True)
class RememberedOutputs:
    """A stages.build.pipeline.plan.Memory of one model's tasks."""

    tx: Reader
    values: Values
    model: str

    def output(self, print_: str) -> StepOutput | None:
        return self.tx.get(OUTPUTS, print_)

    def latest(self, task: Task) -> StepOutput | None:
        found = self.tx.find(OUTPUTS, step=step_name(self.model, task), newest_first=True, limit=1)
        return found[0] if found else None

    def holds(self, digest: str) -> bool:
        return self.values.holds(digest)


def step_name(model: str, task: Task) -> str:
    return f"{model}/{task.key}"


def remember_output(tx: Writer, output: StepOutput) -> None:
    """As the newest: an output whose value was lost is made again under its old fingerprint."""
    tx.remove(OUTPUTS, output.fingerprint)
    tx.put(OUTPUTS, output)
