"""`lockgate rehearse`: what it says, what it takes, and what it does not."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from lockgate.boundary.records import Record, frame
from lockgate.boundary.routes import Revision
from lockgate.domain.models import Stage
from lockgate.entrypoints.cli import main
from lockgate.ports.state import VERSIONS
from lockgate.stages.deliver.rehearsal import SCENARIOS
from lockgate.testing import builders as make
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine, change

QUICK = ("--scenario", "outage", "--runs", "3")
SECONDS_LONG = ("--hours", "0.05", "--runs", "2")  # three minutes of traffic


def test_a_project_is_rehearsed_without_a_home(lockgate: CommandLine) -> None:
    lockgate.home = lockgate.folder / "nowhere"
    said = lockgate("rehearse", *QUICK)
    assert said.code == 0
    assert "tumour by 10% → 50%, unit request" in said.out
    assert "20 requests/s for 24 h, 1 % errors" in said.out
    assert "outage (errors 1% → 100%): stopped in 3 of 3 runs by errors" in said.out
    assert "3 runs, seed 0." in said.out
    assert not lockgate.home.exists()


def test_all_scenarios_that_the_plan_judges(lockgate: CommandLine) -> None:
    said = lockgate("rehearse", *SECONDS_LONG)
    told = [line.split()[0] for line in said.out.splitlines() if line.startswith(" ") and "%" in line]
    assert told == [one.name for one in SCENARIOS if one.metric != "labels"]
    assert "no-traffic (nobody asks): still waiting when the hours were over in 1 of 1 runs" in said.out


def test_for_machines_there_is_json_and_the_same_seed_gives_the_same(lockgate: CommandLine) -> None:
    words = ("rehearse", "--json", "--seed", "5", "--inject", "errors=3%", "--inject", "latency=1.3", *QUICK)
    said = lockgate(*words)
    assert said.json == lockgate(*words).json
    assert said.json["steps"] == [0.1, 0.5]
    assert said.json["traffic"]["requests_per_second"] == 20
    outage, own = said.json["scenarios"]
    assert (outage["scenario"], outage["ends"]["stopped"]["runs"]) == ("outage", 3)
    assert (own["scenario"], own["story"]) == ("injected", "errors 1% → 3%, latency × 1.3")
    assert said.json["scenarios"] != lockgate("rehearse", "--json", "--seed", "6", *QUICK).json["scenarios"]


def test_the_traffic_is_as_it_is_described(lockgate: CommandLine) -> None:
    change(lockgate.folder / "lockgate.yaml", "unit: request", "unit: header:x-user")
    change(
        lockgate.folder / "lockgate.yaml",
        "metrics: [errors, latency]",
        "metrics: [errors, labels], labels: {event: missed, threshold: 0.5}",
    )
    asked = ("--requests-per-second", "5", "--hours", "2", "--errors", "2%", "--latency-ms", "30", "--units", "50")
    said = lockgate("rehearse", "--json", *asked, "--label-events", "20%", "--label-delay", "1h", *QUICK)
    assert said.json["traffic"] == {
        "source": "synthetic",
        "told": [],
        "requests_per_second": 5,
        "hours": 2,
        "errors": 0.02,
        "units": 50,
        "latency_p50": pytest.approx(0.03, rel=0.01),
        "latency_p99": pytest.approx(0.12, rel=0.01),
        "label_event_rate": 0.2,
        "label_delay": 3600,
        "label_coverage": 1,
        "differing": None,
    }


def test_a_shadow_is_rehearsed_by_its_pairs(lockgate: CommandLine) -> None:
    change(
        lockgate.folder / "lockgate.yaml",
        "strategy: canary\n    steps: [10%, 50%]",
        "strategy: shadow",
    )
    change(
        lockgate.folder / "lockgate.yaml",
        "metrics: [errors, latency]",
        "metrics: [agreement, errors], agreement: {at_least: 95%, threshold: 0.5}",
    )
    said = lockgate("rehearse", "--runs", "3", "--inject", "differing=20%")
    assert said.code == 0
    assert "tumour as a shadow that is asked about 100%, unit request" in said.out
    assert "an equal shadow differs in 2.5 %" in said.out
    assert "differs-x2 (10% of the answers differ): stopped in 3 of 3 runs by agreement" in said.out
    assert "injected (20% of the answers differ): stopped in 3 of 3 runs by agreement" in said.out
    assert "nobody met its answers" in said.out
    refused = lockgate("rehearse", "--inject", "latency=2")
    assert (refused.code, "strategy shadow does not look at" in refused.err) == (1, True)


def test_a_contest_is_rehearsed_by_its_winner(lockgate: CommandLine) -> None:
    change(
        lockgate.folder / "lockgate.yaml",
        "strategy: canary\n    steps: [10%, 50%]",
        "strategy: ab-test\n    contest: {goal: {event: true, best: most}}",
    )
    words = ("--runs", "2", "--scenario", "better-x1.5", "--scenario", "worse-x1.25", "--label-delay", "10m")
    said = lockgate("rehearse", "--json", *words)
    better, worse = said.json["scenarios"]
    assert (better["ends"]["promoted"]["runs"], worse["ends"]["champion-won"]["runs"]) == (2, 2)
    assert better["exposed_share"]["median"] == pytest.approx(0.5, abs=0.02)
    told = lockgate("rehearse", *words).out
    assert "tumour by ab-test of 2 versions from 50% / 50%, unit request" in told
    assert "better-x1.5 (label events 10% → 15%): promoted in 2 of 2 runs" in told
    assert "worse-x1.25 (label events 10% → 8%): won by the champion in 2 of 2 runs" in told


def test_a_plan_that_cannot_reach_a_verdict_is_warned_of(lockgate: CommandLine) -> None:
    said = lockgate("rehearse", "--scenario", "harmless", "--hours", "0.01", "--runs", "2")
    assert said.code == 0
    assert "warning: a version as good as the champion is promoted in 0 of 2 runs only" in said.out
    assert "--hours" in said.out


def test_when_time_is_over_it_tells_what_there_is(lockgate: CommandLine) -> None:
    said = lockgate("rehearse", "--seconds", "0.001")
    assert said.code == 0
    assert "harmless: no run was finished" in said.out
    assert "There was no time for 200 of each: --seconds." in said.out


def test_on_a_terminal_it_shows_how_far_it_is(lockgate: CommandLine) -> None:
    controller, terminal = pty.openpty()
    try:
        command = [sys.executable, "-m", "lockgate.entrypoints.cli", "rehearse", str(lockgate.folder), *QUICK]
        said = subprocess.run(command, stderr=terminal, stdout=subprocess.PIPE, check=True)
        assert b"3 of 3 runs" in os.read(controller, 10_000)
        assert b"of 3 runs\r" not in said.stdout
    finally:
        os.close(controller)
        os.close(terminal)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--scenario", "outrage"], "Did you mean 'outage'?"),
        (["--scenario", ""], "harmless, errors-x5"),
        (["--requests-per-second", "-1"], "'-1' found; a number from 1e-06 to 1e+09 expected"),
        (["--requests-per-second", "0"], "a number from 1e-06"),
        (["--requests-per-second", "nan"], "a number from 1e-06"),
        (["--requests-per-second", "many"], "a number from 1e-06"),
        (["--hours", "0"], "a number from 0.001"),
        (["--hours", "inf"], "a number from 0.001"),
        (["--latency-ms", "0"], "a number from 0.01"),
        (["--seconds", "0"], "a number from 0.001"),
        (["--errors", "0.01"], "'0.01' found; a percentage expected, such as 5%"),
        (["--errors", "-1%"], "'-1%' found; a percentage expected"),
        (["--errors", "101%"], "101% is more than 100%"),
        (["--label-delay", "soon"], "a number with s, m, h, d or w expected"),
        (["--units", "1"], "2<=x<="),
        (["--runs", "0"], "1<=x<="),
        (["--seed", "-1"], "x>=0"),
        (["--inject", "errors=3"], "a percentage expected, such as 5%"),
        (["--inject", "errors"], "a percentage expected, such as 5%"),
        (["--inject", "latency=-1"], "a number from 0.001 to 1000"),
        (["--inject", "latency=nan"], "a number from 0.001 to 1000"),
        (["--inject", "cost=2"], "errors=3%, latency=1.3, labels=1.25, router=1.2 or differing=8% expected"),
        (["--inject", "errors=3%", "--inject", "errors=4%"], "errors found twice"),
        (["--environment", "test"], "'production', 'staging'"),
        (["--traffic", "imagined"], "'synthetic', 'recorded'"),
    ],
)
def test_wrong_usage_says_what_is_expected(lockgate: CommandLine, words: list[str], expected: str) -> None:
    said = lockgate("rehearse", *words)
    assert said.code == 2
    assert expected in " ".join(said.err.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--differing", "1%"], "strategy canary compares no pairs"),
        (["--inject", "differing=9%"], "strategy canary does not look at"),
        (["--scenario", "alike"], "which strategy canary does not know"),
        (["--environment", "staging"], "strategy replace has nothing to judge"),
        (["--units", "10"], "each request is a unit of its own"),
        (["--label-delay", "1h"], "the plan judges errors, latency"),
        (["--inject", "labels=2"], "the plan judges no labels"),
        (["--requests-per-second", "1e8", "--hours", "1e6"], "requests in 1e+06 h found"),
    ],
)
def test_what_does_not_fit_the_plan_is_an_error_with_a_next_step(lockgate: CommandLine, words: list[str], expected: str) -> None:
    said = lockgate("rehearse", *words)
    assert said.code == 1
    assert expected in said.err
    assert "next: " in said.err


def test_without_a_project_it_says_so(elsewhere: CommandLine) -> None:
    said = elsewhere("rehearse")
    assert said.code == 1
    assert "there is no lockgate.yaml in" in said.err
    assert "next: " in said.err
    assert list(elsewhere.folder.iterdir()) == []


def test_a_project_with_faults_is_told_them_all(lockgate: CommandLine) -> None:
    change(lockgate.folder / "lockgate.yaml", "alpha: 0.01, beta", "alpha: 2, beta")
    said = lockgate("rehearse")
    assert said.code == 1
    assert "environments.production.judge.alpha" in said.err


def test_recorded_traffic_needs_a_home_and_a_version_in_production(lockgate: CommandLine) -> None:
    lockgate.home = lockgate.folder / "own"
    said = lockgate("rehearse", "--traffic", "recorded")
    assert (said.code, lockgate.home.exists()) == (1, False)
    assert f"there is no home at {lockgate.home}" in said.err
    open_world(Home(lockgate.home))
    said = lockgate("rehearse", "--traffic", "recorded")
    assert said.code == 1
    assert "no version of tumour is in Production" in said.err
    assert "--traffic synthetic" in said.err


def test_recorded_traffic_is_that_of_the_home(lockgate: CommandLine) -> None:
    home = Home(lockgate.folder / "own")
    lockgate.home = home.folder
    with open_world(home).state.write() as tx:
        tx.put(VERSIONS, make.version(1, model="tumour", stage=Stage.PRODUCTION))
    records = (Record((), "tumour", 1, Revision(0, 1), 1000.0 + index / 4, {}, (0.5,)) for index in range(1201))
    (home.records / "w0-1.seg").write_bytes(b"".join(map(frame, records)))
    said = lockgate("rehearse", "--traffic", "recorded", *QUICK)
    assert said.code == 0
    assert "4 requests/s for 24 h, 0 % errors" in said.out
    assert "recorded: 4 requests/s: 1201 of them in 5 min" in said.out
    assert "outage (errors 0% → 100%): stopped in 3 of 3 runs" in said.out


def test_the_help_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearse", "--help"]) == 0
    said = "".join(capsys.readouterr().out.split())
    assert all(one.name in said for one in SCENARIOS)
