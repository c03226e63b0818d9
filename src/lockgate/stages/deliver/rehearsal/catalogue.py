"""Which scenarios a plan is rehearsed under: what may be wrong differs between a canary, a shadow and a contest."""

from __future__ import annotations

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.contests import Contest, Goal
from lockgate.domain.rollouts import JudgePolicy, Plan, Strategy
from lockgate.stages.deliver.rehearsal.scenarios import SCENARIOS, TENTH, End, Fault, Scenario
from lockgate.stages.deliver.rollout import CONTESTS

_STOPPED = (End.STOPPED,)
_NOBODY = Scenario("no-traffic", Fault(silent=True), (End.WAITING,), every=TENTH)
_NO_LABELS = Fault(unlabelled=True)


def scenarios(plan: Plan) -> tuple[Scenario, ...]:
    """Those that the strategy knows, whatever the judge looks at."""
    if plan.strategy is Strategy.SHADOW:
        return _of_a_shadow(plan.judge)
    return _of_a_contest(plan) if plan.strategy in CONTESTS else SCENARIOS


def scenario_names() -> tuple[str, ...]:
    """Of all strategies, each once."""
    labelled = Contest(goal=Goal(LabelEvent("true", 0.0)))
    plans = (Plan(Strategy.CANARY), Plan(Strategy.SHADOW), Plan(Strategy.AB, contest=labelled))
    return tuple(dict.fromkeys(one.name for plan in plans for one in scenarios(plan)))


def judged_event(plan: Plan) -> LabelEvent | None:
    """The event of labels that the rollout waits for; None where it waits for none."""
    if plan.strategy in CONTESTS:
        return plan.contest.goal.event if plan.contest else None
    return plan.judge.label_event if "labels" in plan.judge.metrics else None


def most_differing(judge: JudgePolicy) -> float:
    """The share of answers in which a shadow may differ; where agreement is not judged, none is too many."""
    return 1.0 - judge.agreement.at_least if judge.agreement and "agreement" in judge.metrics else 1.0


def _of_a_shadow(judge: JudgePolicy) -> tuple[Scenario, ...]:
    allowed, floor = most_differing(judge), judge.margins["errors"].floor
    return (
        Scenario("harmless", Fault(), (End.PROMOTED,)),
        Scenario("differs-x2", Fault(differing=min(1.0, 2 * allowed)), _STOPPED, "agreement"),
        Scenario("errors-x4", Fault(errors=min(1.0, 4 * floor)), _STOPPED, "errors"),
        Scenario("outage", Fault(errors=1.0), _STOPPED, "errors"),
        Scenario("labels-x1.25", Fault(labels_ratio=1.25), _STOPPED, "labels"),
        Scenario("no-labels", _NO_LABELS, (End.WAITING,), "labels", TENTH),
        _NOBODY,
    )


def _of_a_contest(plan: Plan) -> tuple[Scenario, ...]:
    """Better and worse by what the goal counts. Beside contenders that are as good as the champion, nobody wins against a worse
    version, and it is enough that it does not.
    """
    goal = plan.contest.goal if plan.contest else None
    most = goal is not None and goal.most
    labels = goal is not None and goal.event is not None

    def by(ratio: float) -> Fault:
        ratio = ratio if most else 1 / ratio
        return Fault(labels_ratio=ratio) if labels else Fault(errors_ratio=ratio)

    undecided = (End.INCONCLUSIVE, End.WAITING)
    contenders = plan.contest is not None and bool(plan.contest.contenders)
    beaten = (End.CHAMPION, *_STOPPED, *(undecided if contenders else ()))
    return (
        Scenario("alike", Fault(), undecided),
        Scenario("better-x1.25", by(1.25), (End.PROMOTED,)),
        Scenario("better-x1.5", by(1.5), (End.PROMOTED,)),
        Scenario("worse-x1.25", by(1 / 1.25), beaten),
        Scenario("errors-x5", Fault(errors_ratio=5), (End.CHAMPION, *_STOPPED), "errors"),
        Scenario("latency-x2", Fault(latency_ratio=2), _STOPPED, "latency"),
        Scenario("router-skew", Fault(router_ratio=1.2), (End.ROUTER_FAULT,)),
        *((Scenario("no-labels", _NO_LABELS, undecided, every=TENTH),) if labels else ()),
        _NOBODY,
    )
