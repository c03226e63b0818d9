"""Every key of the policy file stands in its reference, whose example is a policy, and nothing stands there that is no key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

from lockgate.domain.models import Stage
from lockgate.domain.policy import Policy
from lockgate.project.policy import parse_policy
from lockgate.stages.decide.entry import missing_edge
from lockgate.stages.decide.policy_spec import PolicySpec, StagesSpec
from lockgate.stages.decide.spec import GatesSpec

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "policy-file.md").read_text()


def keys(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, found in model.model_fields.items():
        key = f"{path}{found.alias or name}"
        models = [one for one in (found.annotation, *get_args(found.annotation)) if isinstance(one, type)]
        inner = next((one for one in models if issubclass(one, BaseModel)), None)
        if inner is StagesSpec:
            yield f"{key}.STAGE"
            yield from keys(next(get_args(one.annotation)[0] for one in StagesSpec.model_fields.values()), f"{key}.STAGE.")
        elif inner is not None:
            yield from keys(inner, f"{key}.")
        else:
            yield f"{key}.NAME" if str(found.annotation).startswith("dict") else key


def test_every_key_is_in_the_reference_and_nothing_else() -> None:
    assert sorted(re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE)) == sorted(keys(PolicySpec))


def test_the_example_is_a_policy_that_uses_every_part() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    policy, nothing = parse_policy(example), Policy()
    same = {name for name in Policy.__slots__ if getattr(policy, name) == getattr(nothing, name)}
    assert same == {"expiry"}, "which is shown as it is by itself"


def test_the_example_leaves_a_way_into_production_from_every_stage() -> None:
    """What another version pushed out is archived, and must not be lost by that."""
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    edges = parse_policy(example).edges
    reached = {Stage.PRODUCTION}
    for _ in Stage:
        reached |= {one for one in Stage if any(missing_edge(edges, one, goal) is None for goal in reached)}
    assert reached == set(Stage)


def test_it_knows_every_stage_and_every_gate() -> None:
    assert [one.alias for one in StagesSpec.model_fields.values()] == [stage.value for stage in Stage]
    for gate in GatesSpec.model_fields:
        parse_policy(f"stages: {{Production: {{gates: [{gate}]}}}}")
        assert f"`{gate}`" in PAGE
