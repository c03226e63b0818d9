"""Nouns of the journey with sensible defaults: a test names only what it is about.

Every builder takes the noun's own fields by name. Times are those of a fresh VirtualClock.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.observations import Block, Cell, Feedback
from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable
from lockgate.domain.events import Action, Happened
from lockgate.domain.evidence import ArmObservation, JournalRow, Observation
from lockgate.domain.findings import Finding, FindingKind, Job, JobState, Label, Trigger, TriggerDecision, WatchWindow
from lockgate.domain.holds import Events, Hold, HoldRow, Outcomes, Told
from lockgate.domain.learning import Learning
from lockgate.domain.models import Alias, Decision, ModelVersion, RegisteredModel, Stage, TransitionRequest, Vote
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, RampStep, Rollout, Strategy
from lockgate.domain.runs import Run, RunStatus, StepOutput, StepRun
from lockgate.domain.verdicts import GateResult, GateVerdict, JudgeVerdict
from lockgate.kernel.digest import digest_bytes
from lockgate.testing.clock import START

MODEL = "flight-delay"
ANNA = Actor("anna")  # asks
BEN = Actor("ben")  # approves


def digest(text: str) -> str:
    """A digest that is always the same for the same text."""
    return digest_bytes(text.encode())


def happened(**fields: Any) -> Happened:
    defaults = {"action": Action.VERSION_REGISTERED, "actor": ANNA.name, "authenticated": False, "at": START, "subject": MODEL}
    return Happened(**{**defaults, **fields})


def project(**fields: Any) -> ProjectRecord:
    defaults = {
        "model": MODEL,
        "folder": "/projects/flights",
        "deployment": Deployment.MANUAL,
        "environments": {"staging": Environment(), "production": Environment(plan=canary_plan())},
    }
    return ProjectRecord(**{**defaults, **fields})


def canary_plan(**fields: Any) -> Plan:
    return Plan(**{"strategy": Strategy.CANARY, "steps": (0.05, 0.5), **fields})


def run(**fields: Any) -> Run:
    defaults = {
        "id": "run-1",
        "model": MODEL,
        "status": RunStatus.RUNNING,
        "created_at": START,
        "actor": ANNA.name,
        "author": ANNA.name,
        "cause": "person",
    }
    return Run(**{**defaults, **fields})


def step_run(**fields: Any) -> StepRun:
    return StepRun(**{"name": "train", "kind": "step", **fields})


def step_output(**fields: Any) -> StepOutput:
    defaults = {"fingerprint": digest("fingerprint"), "step": "train", "output": digest("output"), "run": "run-1"}
    return StepOutput(**{**defaults, **fields})


def gate_result(**fields: Any) -> GateResult:
    defaults = {
        "gate": "quality",
        "rule": "auc >= 0.65",
        "verdict": GateVerdict.PASS,
        "detail": "auc is 0.7",
        "measured": {"auc": 0.7},
    }
    return GateResult(**{**defaults, **fields})


def registered_model(**fields: Any) -> RegisteredModel:
    return RegisteredModel(**{"name": MODEL, "created_at": START, **fields})


def version(number: int = 1, **fields: Any) -> ModelVersion:
    defaults = {
        "model": MODEL,
        "version": number,
        "digest": digest(f"package {number}"),
        "run": f"run-{number}",
        "author": ANNA.name,
        "created_at": START,
        "dirty": False,
    }
    return ModelVersion(**{**defaults, **fields})


def alias(**fields: Any) -> Alias:
    return Alias(**{"model": MODEL, "name": "champion", "version": 1, **fields})


def request(**fields: Any) -> TransitionRequest:
    defaults = {
        "id": "request-1",
        "model": MODEL,
        "version": 1,
        "digest": digest("package 1"),
        "to_stage": Stage.PRODUCTION,
        "requester": ANNA.name,
        "created_at": START,
    }
    return TransitionRequest(**{**defaults, **fields})


def decision(**fields: Any) -> Decision:
    return Decision(**{"by": BEN.name, "vote": Vote.APPROVE, "at": START, **fields})


def rollout(**fields: Any) -> Rollout:
    """A canary of version 2 against champion 1, at its first step."""
    defaults = {
        "id": "rollout-1",
        "model": MODEL,
        "environment": "production",
        "version": 2,
        "digest": digest("package 2"),
        "baseline": 1,
        "baseline_digest": digest("package 1"),
        "strategy": Strategy.CANARY,
        "steps": (0.05, 0.5),
        "phase": Phase.PROGRESSING,
        "started_by": ANNA.name,
        "started_at": START,
        "salt": "salt-1",
        "unit": "header:x-user-id",
        "judge": JudgePolicy(),
        "step": 0,
    }
    return Rollout(**{**defaults, **fields})


def learning(**fields: Any) -> Learning:
    """Version 1 learns; nothing has come yet."""
    defaults = {
        "model": MODEL,
        "course": "course-1",
        "base": 1,
        "began": 0,
        "learned": 0,
        "checkpoint": 1,
        "checkpoint_at": 0,
        "champion": 1,
    }
    return Learning(**{**defaults, **fields})


def hold(**fields: Any) -> Hold:
    """Version 1 held back for a week after the canary of version 2 was promoted."""
    defaults = {
        "id": "hold-1",
        "rollout": "rollout-1",
        "model": MODEL,
        "version": 2,
        "digest": digest("package 2"),
        "baseline": 1,
        "baseline_digest": digest("package 1"),
        "weight": 0.05,
        "salt": "salt-1",
        "unit": "header:x-user-id",
        "judge": JudgePolicy(),
        "ramp": (RampStep(0, 2, 0.5, START), RampStep(0, 3, 0.95, START)),
        "since": START,
        "until": START + timedelta(days=7),
    }
    return Hold(**{**defaults, **fields})


def hold_row(**fields: Any) -> HoldRow:
    events = Events(
        0.95,
        {"errors": (3, 2), "labels": (1, 0)},
        ((2**64 - 1, 1), (7, 1), (8, 1)),
        (2**64 - 1,),
        day=2,
        segment="AA",
        inside=Told({"errors": (1, 1)}, ((2**64 - 1, 1),)),
        arrived=(40, 38),
        until=1767603600.5,
        outcomes=Outcomes({"errors": (4, 1)}, ((2**64 - 1, 2, 1),)),
    )
    return HoldRow(**{"hold": "hold-1", "seq": 0, "at": START, "events": (events,), "verdict": JudgeVerdict.WAIT, **fields})


def arm_observation(**fields: Any) -> ArmObservation:
    return ArmObservation(**{"completed": 5, **fields})


def observation(**fields: Any) -> Observation:
    defaults = {"weight": 0.05, "canary": arm_observation(), "baseline": arm_observation(completed=95)}
    return Observation(**{**defaults, **fields})


def journal_row(**fields: Any) -> JournalRow:
    defaults = {
        "rollout": "rollout-1",
        "seq": 1,
        "at": START,
        "step": 0,
        "observations": (observation(),),
        "verdict": JudgeVerdict.WAIT,
    }
    return JournalRow(**{**defaults, **fields})


def arm(number: int = 1, **fields: Any) -> Arm:
    return Arm(**{"version": number, "digest": digest(f"package {number}"), "role": Role.CHAMPION, "weight": 1.0, **fields})


def route(**fields: Any) -> Route:
    return Route(**{"model": MODEL, "arms": (arm(),), "salt": "salt-1", **fields})


def route_table(n: int = 1, **fields: Any) -> RouteTable:
    return RouteTable(**{"revision": Revision(0, n), "routes": (route(),), **fields})


def acknowledgement(**fields: Any) -> Acknowledgement:
    """A worker that has applied the first table and can answer with version 1."""
    defaults = {
        "worker": "w0",
        "incarnation": "w0-1",
        "revision": Revision(0, 1),
        "applied_at": START.timestamp(),
        "packages": {digest("package 1"): PackageState(Readiness.READY)},
    }
    return Acknowledgement(**{**defaults, **fields})


def cell(**fields: Any) -> Cell:
    defaults = {"model": MODEL, "version": 1, "revision": Revision(0, 1), "completed": 10, "failures": {}, "latency": {100: 10}}
    return Cell(**{**defaults, **fields})


def block(sequence: int = 1, **fields: Any) -> Block:
    opened = START.timestamp() + 0.2 * sequence
    defaults = {
        "worker": "w0",
        "incarnation": "w0-1",
        "sequence": sequence,
        "opened_at": opened,
        "closed_at": opened + 0.2,
        "cells": (cell(),),
    }
    return Block(**{**defaults, **fields})


def feedback(**fields: Any) -> Feedback:
    defaults = {
        "prediction_id": "prediction-1",
        "model": MODEL,
        "version": 1,
        "revision": Revision(0, 1),
        "key": 1,
        "score": 0.2,
        "label": 0.0,
        "at": START.timestamp() + 60,
        "answered_at": START.timestamp(),
    }
    return Feedback(**{**defaults, **fields})


def label(**fields: Any) -> Label:
    defaults = {
        "prediction_id": "prediction-1",
        "model": MODEL,
        "version": 1,
        "key": 1,
        "score": 0.2,
        "label": 0.0,
        "at": START.timestamp() + 60,
        "answered_at": START.timestamp(),
    }
    return Label(**{**defaults, **fields})


def finding(**fields: Any) -> Finding:
    defaults = {
        "id": "finding-1",
        "model": MODEL,
        "version": 1,
        "kind": FindingKind.DRIFT,
        "at": START,
        "detail": "distance has drifted",
    }
    return Finding(**{**defaults, **fields})


def trigger(**fields: Any) -> Trigger:
    defaults = {
        "id": "trigger-1",
        "model": MODEL,
        "finding": "finding-1",
        "action": "retrain",
        "decision": TriggerDecision.FIRED,
        "reason": "enough new labels",
        "at": START,
    }
    return Trigger(**{**defaults, **fields})


def job(**fields: Any) -> Job:
    defaults = {
        "id": "job-1",
        "model": MODEL,
        "project": "/projects/flights",
        "cause": "person",
        "state": JobState.QUEUED,
        "created_at": START,
    }
    return Job(**{**defaults, **fields})


def window(**fields: Any) -> WatchWindow:
    return WatchWindow(**{"model": MODEL, "version": 1, **fields})
