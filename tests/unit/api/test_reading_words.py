"""A rollout in one plain sentence."""

from __future__ import annotations

import pytest

from lockgate.domain.rollouts import JudgePolicy, Outcome, Phase, Rollout
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.reading.words import enumerated, percent, status_line
from lockgate.testing.builders import rollout

JUDGE = JudgePolicy(metrics=("errors", "latency", "labels"))
STEPS = (0.05, 0.25, 0.5)
HARM = Outcome(JudgeVerdict.HARM, ("labels",))


def made(**fields: object) -> Rollout:
    return rollout(**{"judge": JUDGE, "steps": STEPS, "step": 1, **fields})


@pytest.mark.parametrize(
    ("given", "evidence", "sentence"),
    [
        (made(phase=Phase.PREPARING, step=-1), {}, "Version 2 is being loaded by the workers; nobody meets it yet."),
        (made(), {}, "Version 2 takes 25 % of units; nothing is proven yet."),
        (
            made(),
            {"safe/errors": 3.1, "safe/latency": 3.0, "safe/labels": 2.9},
            "Version 2 takes 25 % of units; safe on errors and latency, labels not proven yet.",
        ),
        (
            made(unit="request"),
            {"safe/errors": 4.0, "safe/latency": 4.0, "safe/labels": 4.0},
            "Version 2 takes 25 % of requests; safe on errors, latency and labels.",
        ),
        (
            made(phase=Phase.PAUSED),
            {},
            "Version 2 is paused at 25 % of units; nothing is proven yet. The guard against harm goes on.",
        ),
        (
            made(phase=Phase.HOLDING),
            {},
            "Version 2 is held at 25 % of units: the evidence does not suffice. A person must resume, promote or abort it.",
        ),
        (
            made(phase=Phase.HOLDING, verdict=JudgeVerdict.ROUTER_FAULT),
            {},
            "Version 2 is held at 25 % of units: units do not meet it as declared. A person must resume, promote or abort it.",
        ),
        (
            made(phase=Phase.ABORTED, outcome=HARM),
            {},
            "Version 2 did harm on labels and was sent home; version 1 answers everybody.",
        ),
        (made(phase=Phase.ABORTED), {}, "The rollout of version 2 was aborted; version 1 answers everybody."),
        (made(phase=Phase.ABORTED, baseline=None), {}, "The rollout of version 2 was aborted; it serves nobody."),
        (
            made(phase=Phase.PROMOTED, outcome=Outcome(JudgeVerdict.SAFE, ("errors",))),
            {},
            "Version 2 serves production, in place of version 1: proven safe on errors.",
        ),
        (made(phase=Phase.PROMOTED, baseline=None, steps=()), {}, "Version 2 serves production, as its first version."),
    ],
)
def test_the_sentence(given: Rollout, evidence: dict[str, float], sentence: str) -> None:
    assert status_line(given, evidence) == sentence


def test_every_phase_has_a_sentence() -> None:
    for phase in Phase:
        assert status_line(made(phase=phase), {}).endswith(".")


def test_words() -> None:
    assert [percent(share) for share in (0.0, 0.01, 0.025, 0.25, 1.0)] == ["0 %", "1 %", "2.5 %", "25 %", "100 %"]
    assert [enumerated(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
