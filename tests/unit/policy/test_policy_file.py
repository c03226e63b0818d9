"""A policy file: what its keys mean, and every fault in one answer."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.domain.models import Stage
from lockgate.domain.policy import BreakGlassRule, Edge, Policy, StageRule, WaiverRule
from lockgate.kernel.errors import InvalidInput
from lockgate.project.policy import parse_policy, read_policy

WHOLE = """\
roles: {approvers: [ben, carl, "group:ml-leads"], release-managers: [olga]}
edges: [None -> Staging, Staging -> Production, any -> Archived]
stages:
  Production: {need: 2, from: [approvers], not: [requester, author], gates: [quality, fairness], authenticated: true}
aliases: {champion: [release-managers], "champion:*": [approvers]}
requests: {expire: 2w}
break_glass: {from: [release-managers], for: 2h}
waivers: {from: [release-managers], longest: 7d}
loading: {trusted_types: [package.module.Class]}
webhooks: {targets: ["hooks.internal:8443", "[::1]:80", collector]}
"""


MEANT = "approvers expected (did you mean 'approvers'?)"
STAGES = "None, Staging, Production, Archived"
KEYS = "roles, edges, stages, aliases, requests, break_glass, waivers, loading, webhooks, signatures"


def faults(text: str) -> str:
    with pytest.raises(InvalidInput) as raised:
        parse_policy(text)
    return raised.value.message


def test_every_key_means_what_it_says() -> None:
    assert parse_policy(WHOLE) == Policy(
        edges=(Edge(Stage.NONE, Stage.STAGING), Edge(Stage.STAGING, Stage.PRODUCTION), Edge(None, Stage.ARCHIVED)),
        roles={"approvers": ("ben", "carl", "group:ml-leads"), "release-managers": ("olga",)},
        stages={"Production": StageRule(2, ("approvers",), ("requester", "author"), ("quality", "fairness"), authenticated=True)},
        aliases={"champion": ("release-managers",), "champion:*": ("approvers",)},
        expiry=14 * 86400.0,
        break_glass=BreakGlassRule(("release-managers",), 7200.0),
        waivers=WaiverRule(("release-managers",), 7 * 86400.0),
        trusted_types=("package.module.Class",),
        targets=("hooks.internal:8443", "[::1]:80", "collector"),
    )


def test_what_is_not_said_asks_for_nothing_and_lets_nobody_past() -> None:
    assert parse_policy("roles: {}") == Policy()
    assert parse_policy("stages: {Production: {}}").stages == {"Production": StageRule()}


def test_all_faults_come_in_one_answer_each_with_its_line_and_what_was_meant() -> None:
    text = "stages:\n  Prodution: {}\n  Production: {need: 0, from: [aprovers]}\nroles: {approvers: [ben]}\nbrake_glass: {}\n"
    assert faults(text).splitlines() == [
        "policy.yaml has 4 faults:",
        f"  policy.yaml:2: stages.Prodution: unknown key; {STAGES} expected (did you mean 'Production'?)",
        f"  policy.yaml:3: stages.Production.from[0]: role 'aprovers' is given to nobody; {MEANT}",
        "  policy.yaml:3: stages.Production.need: 1 or more expected, 0 found",
        f"  policy.yaml:5: brake_glass: unknown key; {KEYS} expected (did you mean 'break_glass'?)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[ben, carl,", "[ben, ben,", "roles.approvers: each at most once expected"),
        ("olga", '" olga"', "roles.release-managers[0]: the name of a user, or `group:NAME`, expected, ' olga' found"),
        ("group:ml-leads", "group:", "roles.approvers[2]: the name of a user, or `group:NAME`, expected"),
        ("approvers: [ben", "Approvers: [ben", "roles.Approvers: up to 63 lower-case letters"),
        (
            "None -> Staging",
            "Nome -> Staging",
            "edges[0]: stage 'Nome' found, one of None, Staging, Production, Archived, any",
        ),
        (
            "any -> Archived",
            "Archived -> any",
            "edges[2]: stage 'any' found, one of None, Staging, Production, Archived",
        ),
        ("any -> Archived", "Archived", "edges[2]: `STAGE -> STAGE` or `any -> STAGE` expected, 'Archived' found"),
        ("need: 2", "need: two", "stages.Production.need: a whole number expected, 'two' found"),
        ("[requester, author]", "[boss]", "stages.Production.not[0]: 'requester' or 'author' expected, 'boss' found"),
        ("quality", "qualty", "stages.Production.gates[0]: gate 'qualty' found, one of quality, "),
        ("true", "1", "stages.Production.authenticated: true or false expected, 1 found"),
        ("expire: 2w", "expire: 0s", "requests.expire: more than nothing and at most 366d expected, '0s' found"),
        ("expire: 2w", "expire: 99999999999d", "requests.expire: a shorter time expected"),
        ("expire: 2w", "expire: 14", "requests.expire: a number with s, m, h, d or w expected, such as 30m, 14 found"),
        ("for: 2h", "for: 2d", "break_glass.for: more than nothing and at most 1d expected, '2d' found"),
        ("break_glass: {from: [release-managers], ", "break_glass: {", "break_glass.from: is missing"),
        ("waivers: {from: [release-managers]", "waivers: {from: []", "waivers.from: at least one entry expected"),
        ("waivers: {from: [release-managers]", "waivers: {from: [x]", "waivers.from[0]: role 'x' is given to nobody"),
        ("champion: [release-managers]", "champion: [x]", "aliases.champion[0]: role 'x' is given to nobody"),
        ("package.module.Class", "Class", "loading.trusted_types[0]: `package.module.Class` expected, 'Class' found"),
        ("hooks.internal:8443", "https://hooks", "webhooks.targets[0]: `HOST` or `HOST:PORT` expected, 'https://hooks' found"),
        ("hooks.internal:8443", "hooks:0", "webhooks.targets[0]: `HOST` or `HOST:PORT` expected, 'hooks:0' found"),
        ("hooks.internal:8443", "hooks:65536", "webhooks.targets[0]: `HOST` or `HOST:PORT` expected"),
    ],
)
def test_each_fault_says_what_was_expected(old: str, new: str, told: str) -> None:
    assert old in WHOLE
    assert told in faults(WHOLE.replace(old, new))


def test_a_quorum_that_nobody_can_reach_is_a_fault_unless_a_group_might() -> None:
    text = "roles: {r: [ben, carl], s: [carl]}\nstages: {Production: {need: 3, from: [r, s]}}\n"
    assert "stages.Production.need: 3 people expected, and only 2 have a role for it" in faults(text)
    assert parse_policy(text.replace("s: [carl]", 's: ["group:leads"]')).stages["Production"].need == 3


def test_a_file_that_is_no_text_or_far_too_large_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(b"roles: {}\n\xff")
    with pytest.raises(InvalidInput, match=r"policy\.yaml:2: UTF-8 expected, byte 0xff found"):
        read_policy(file)
    assert "at most 262144 expected" in faults("# " + "x" * (1 << 18))
    assert "a mapping expected, a list found" in faults("- roles")
    assert "no YAML" in faults("roles: {")


def test_a_long_name_of_a_host_is_refused_at_once() -> None:
    assert "`HOST` or `HOST:PORT` expected" in faults(f"webhooks: {{targets: [{'a' * 240 + '!'}]}}")


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(["ben", "any -> None", "1d"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=st.dictionaries(st.sampled_from(KEYS.split(", ")), VALUES, min_size=1, max_size=3))
def test_whatever_stands_in_it_a_policy_comes_of_it_or_its_faults(changes: dict[str, object]) -> None:
    text = yaml.safe_dump({**yaml.safe_load(WHOLE), **changes}, allow_unicode=True)
    try:
        policy = parse_policy(text)
    except InvalidInput as error:
        str(error).encode()  # it can be printed
    else:
        named = [role for rule in policy.stages.values() for role in rule.roles]
        assert set(named) <= set(policy.roles)


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_gives_a_policy_or_its_faults(text: str) -> None:
    with suppress(InvalidInput):  # and nothing else
        parse_policy(text)
