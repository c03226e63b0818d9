"""The project file: what it means, and every fault of it in one answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.findings import FindingKind
from lockgate.domain.projects import ApprovalPolicy, Deployment
from lockgate.domain.rollouts import JudgePolicy, Margin, Plan, Strategy
from lockgate.kernel.errors import InvalidInput, NotFound
from lockgate.project.load import Project, load
from lockgate.stages.decide.spec import Comparison
from lockgate.stages.watch.spec import Budget, WatchSpec

WHOLE = """\
model: flight-delay
pipeline: pipeline.py              # plain typed functions
data:
  flights: {path: data/flights-*.parquet, contract: contracts/flights.yaml}
params: {months: [1, 2, 3], learning_rate: 1e-1}
checks:
  lint: ruff check .
  tests: pytest -q
gates:
  quality: [auc >= 0.65, auc not worse than champion by 0.005, event_rate <= 0.2]
environments:
  staging: {strategy: replace}
  production:
    strategy: canary
    steps: [1%, 5%, 25%, 50%]
    unit: header:x-user-id
    judge:
      alpha: 0.02
      metrics: [errors, latency, labels]
      labels: {event: missed, threshold: 0.25}
      margins: {errors: {ratio: 2, floor: 1%}}
      requests_per_unit: 10
      min_units: 100
      max_units: 5000
    approvals: {need: 2, not: [requester]}
deployment: automatic
watch:
  labels: {delay: 1d}
  drift: {features: [distance, origin], alpha: 0.05, window: 1000, min_effect: 0.2}
  performance: {max_event_ratio: 1.3, window: 500}
  on: {performance_drop: [notify, retrain], drift: [notify]}
  retrain: {cooldown: 30m, min_new_labels: 5000, budget: 10 per week}
"""

CONTRACT = "columns: {distance: {type: int, min: 0}}\n"
LEAST = "model: tiny\npipeline: pipeline.py\ndata: {rows: {path: rows.csv}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pipeline.py").write_text("")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "flights.yaml").write_text(CONTRACT)
    return tmp_path


def read(folder: Path, text: str) -> Project:
    (folder / "lockgate.yaml").write_text(text)
    return load(folder)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(InvalidInput) as error:
        read(folder, text)
    return [str(fault).removeprefix("lockgate.yaml:") for fault in error.value.faults]


def test_every_key_means_what_it_says(folder: Path) -> None:
    project = read(folder, WHOLE)

    assert (project.model, project.deployment) == ("flight-delay", Deployment.AUTOMATIC)
    assert project.build.params == {"months": [1, 2, 3], "learning_rate": 0.1}
    assert project.build.checks == {"lint": "ruff check .", "tests": "pytest -q"}
    assert project.contracts["flights"].columns["distance"].min == 0
    assert [(rule.metric, rule.comparison, rule.number) for rule in project.gates.quality] == [
        ("auc", Comparison.AT_LEAST, 0.65),
        ("auc", Comparison.NOT_WORSE, 0.005),
        ("event_rate", Comparison.AT_MOST, 0.2),
    ]
    assert project.label_event == LabelEvent("missed", 0.25)
    assert project.watch.labels.delay == 86400
    assert project.watch.drift.features == ("distance", "origin")
    assert project.watch.on[FindingKind.PERFORMANCE_DROP] == ("notify", "retrain")
    assert (project.watch.retrain.cooldown, project.watch.retrain.budget) == (1800, Budget(10, 604800))


def test_an_environment_becomes_a_plan_and_a_policy(folder: Path) -> None:
    environments = read(folder, WHOLE).record().environments

    judge = JudgePolicy(
        alpha=0.02,
        metrics=("errors", "latency", "labels"),
        margins=JudgePolicy().margins | {"errors": Margin(2.0, 0.01)},
        label_event=LabelEvent("missed", 0.25),
        requests_per_unit=10,
        min_units=100,
        max_units=5000,
    )
    assert environments["production"].plan == Plan(Strategy.CANARY, (0.01, 0.05, 0.25, 0.5), "header:x-user-id", judge)
    assert environments["production"].approvals == ApprovalPolicy(2, ("requester",), said=True)
    assert environments["staging"].plan == Plan()


def test_approvals_that_are_written_down_are_told_from_none(folder: Path) -> None:
    said = read(folder, LEAST + "environments: {staging: {approvals: {need: 1}}}\n").record().environments
    assert (said["staging"].approvals.said, said["production"].approvals.said) == (True, False)


def test_what_is_not_said_has_a_careful_default(folder: Path) -> None:
    project = read(folder, LEAST)

    assert project.deployment is Deployment.MANUAL
    assert project.record().environments["production"].approvals == ApprovalPolicy(1, ("requester", "author"))
    assert project.record().environments["production"].plan == Plan()
    assert project.watch.on == {}


def test_what_the_server_keeps_of_the_watch_is_read_back_the_same(folder: Path) -> None:
    project = read(folder, WHOLE)

    assert WatchSpec.model_validate(project.record().watch) == project.watch


def test_the_project_cannot_be_changed(folder: Path) -> None:
    project = read(folder, LEAST)

    with pytest.raises(Exception, match="frozen"):
        project.build.model = "other"


def test_a_folder_without_a_project_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no lockgate\.yaml in"):
        load(tmp_path)


def test_all_faults_come_in_one_answer_each_with_line_path_expectation_and_what_was_meant(folder: Path) -> None:
    (folder / "contracts" / "flights.yaml").write_text("columns: {distance: {typ: int}}")
    text = (
        WHOLE.replace("model:", "modle:")
        .replace("pipeline.py ", "pipelin.py ")
        .replace("strategy: canary", "strategy: cannary")
        .replace("auc >=", "acu >=")
        .replace("alpha: 0.02", "alpha: 2")
        .replace("metrics: [errors,", "metrics: [eror,")
        .replace("delay: 1d", "delay: 1")
        .replace("budget: 10 per week", "budget: 10")
    )

    assert faults(folder, text) == [
        (
            "contracts/flights.yaml:1: columns.distance.typ: unknown key; "
            "type, nullable, max_missing, min, max, values, unseen, unique expected"
            " (did you mean 'type'?)"
        ),
        "1: model: is missing",
        (
            "1: modle: unknown key; model, pipeline, data, params, checks, package, gates, environments, "
            "deployment, watch expected"
            " (did you mean 'model'?)"
        ),
        "2: pipeline: there is no file pipelin.py (did you mean 'pipeline.py'?)",
        (
            "10: gates.quality[0]: unknown metric 'acu'; auc, accuracy, brier, log_loss, mae, rmse, event_rate expected"
            " (did you mean 'auc'?), 'acu >= 0.65' found"
        ),
        (
            "14: environments.production.strategy: "
            "replace, shadow, canary, ab-test, bandit, online or blue-green expected, 'cannary' found"
        ),
        "18: environments.production.judge.alpha: less than 1 expected, 2 found",
        (
            "19: environments.production.judge.metrics[0]: 'agreement', 'errors', 'latency', 'labels' or 'loss' expected,"
            " 'eror' found (did you mean 'errors'?)"
        ),
        "28: watch.labels.delay: a number with s, m, h, d or w expected, such as 30m, 1 found",
        "32: watch.retrain.budget: a number per hour, day, week or month expected, such as '10 per week', 10 found",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[1%, 5%, 25%, 50%]", "[5%, 1%]", "steps: steps that grow expected, 1% after 5% found"),
        ("[1%, 5%, 25%, 50%]", "[50%, 100%]", "steps: steps above 0% and below 100% expected"),
        ("[1%, 5%, 25%, 50%]", "[150%]", "steps[0]: 150% is more than 100%"),
        ("[1%, 5%, 25%, 50%]", "[0.5]", "steps[0]: a percentage expected, such as 5%, 0.5 found"),
        ("[1%, 5%, 25%, 50%]", "[]", "strategy canary: `steps` expected"),
        ("strategy: canary", "strategy: replace", "strategy replace knows no steps"),
        (
            "strategy: canary",
            "strategy: [canary]",
            "strategy: replace, shadow, canary, ab-test, bandit, online or blue-green expected, a list found",
        ),
        ("staging: {", "stagng: {", "environments.stagng: unknown key; staging, production expected (did you mean 'staging'?)"),
        ("staging: {strategy: replace}", "staging: {strategy: canary, steps: [5%]}", "staging: strategy replace expected"),
        ("      labels: {event: missed, threshold: 0.25}\n", "", "judge: metrics name labels"),
        ("event: missed", "event: mised", "labels.event: 'missed', 'false_alarm', 'wrong' or 'off' expected"),
        ("header:x-user-id", "cookie:x", "unit: request, header:NAME or field:NAME expected, 'cookie:x' found"),
        ("need: 2", "need: 0", "need: 1 or more expected, 0 found"),
        ("need: 2", "need: true", "need: a whole number expected, true found"),
        ("not: [requester]", "not: [requester, requester]", "each at most once expected"),
        ("min_units: 100", "min_units: 10000", "min_units (10000) of at most max_units (5000) expected"),
        ("deployment: automatic", "deployment: auto", "deployment: manual or automatic expected, 'auto' found"),
        ("model: flight-delay", "model: Flight Delay", "model: up to 63 lower-case letters"),
        ("pipeline: pipeline.py", "pipeline: ../pipeline.py", "pipeline: a path inside the project's folder expected"),
        ("pipeline: pipeline.py", "pipeline: pipeline.ipynb", "pipeline: a Python file expected"),
        ("params: {months", "params: {flights: 1, months", "params.flights: is the name of data too"),
        ("params: {months", "params: {two words: 1, months", "params.two words: a name that a parameter of a function can have"),
        ("lint: ruff check .", "lint: 'ruff \"check'", "checks.lint: a command expected; no closing quotation"),
        ("auc >= 0.65", "auc > 0.65", "gates.quality[0]: `METRIC >= NUMBER`"),
        ("auc >= 0.65", "auc >= x", "gates.quality[0]: 'x' is no number"),
        ("by 0.005", "by -1", "margin -1 found, 0 or more expected"),
        ("drift: [notify]", "drift: [call]", "watch.on.drift[0]: 'notify' or 'retrain' expected, 'call' found"),
        ("drift: [notify]", "drifd: [notify]", "watch.on.drifd: drift or performance_drop expected"),
        ("features: [distance, origin]", "features: some", "watch.drift.features: 'all' or a list of feature names expected"),
        ("max_event_ratio: 1.3", "max_event_ratio: 1", "max_event_ratio: more than 1 expected"),
        ("model: flight-delay", "model: flight-delay\nmodel: other", "model: written twice, first on line 1"),
        ("1e-1", ".inf", "params.learning_rate: a finite number expected"),
        ("1e-1", "!!python/object:os.system x", "params.learning_rate: tag 'tag:yaml.org,2002:python/object:os.system' found"),
        ("1e-1", "&a 3", "anchor or alias 'a' found"),
        ("1e-1", "'\\ud800'", None),
        ("1e-1", '"\\ud800"', "half a surrogate pair found"),
        ("months: [1, 2, 3]", "months: [1, 2", "no YAML: "),
        ("months: [1, 2, 3]", "months: \t[1]", "no YAML: found character '\\t' that cannot start any token"),
        ("months: [1, 2, 3]", "? [1] : 2", "params: a name expected as key"),
        ("model: flight-delay", "model: \x00", "no YAML: character U+0000 has no place in it"),
        ("model: flight-delay", "model: " + "[" * 100, "at most 40 levels of nesting expected"),
        (WHOLE, "", "a mapping expected, nothing found"),
        (WHOLE, "- a\n", "a mapping expected, a list found"),
    ],
)
def test_each_fault_says_what_was_expected(folder: Path, old: str, new: str, fault: str | None) -> None:
    assert old in WHOLE
    text = WHOLE.replace(old, new, 1)
    if fault is None:
        read(folder, text)
    else:
        found = faults(folder, text)
        assert any(fault in one for one in found), found


@pytest.mark.parametrize(
    "drop",
    ["      labels: {event: missed, threshold: 0.25}\n"],
)
def test_what_speaks_of_the_judged_event_needs_one(folder: Path, drop: str) -> None:
    text = WHOLE.replace(drop, "").replace(", labels]", "]")

    assert [one.partition(": needs")[0] for one in faults(folder, text)] == [
        "10: gates.quality[2]",
        "30: watch.on.performance_drop",
    ]


def test_a_file_that_is_no_utf8_or_far_too_large_is_a_fault(folder: Path) -> None:
    (folder / "lockgate.yaml").write_bytes(b"model: a\nx: \xff\n")
    with pytest.raises(InvalidInput, match=r"lockgate\.yaml:2: UTF-8 expected, byte 0xff found"):
        load(folder)
    (folder / "lockgate.yaml").write_bytes(b"#" * 300_000)
    with pytest.raises(InvalidInput, match="300000 bytes found, at most 262144 expected"):
        load(folder)


def test_words_that_other_yaml_takes_for_truth_or_numbers_are_words(folder: Path) -> None:
    project = read(folder, LEAST + "params: {a: no, b: on, c: 1_000, d: 12:30, e: 2013-01-01, f: 0x1F, g: 1e3, h: .5, i: -3}\n")

    assert project.build.params == {
        "a": "no", "b": "on", "c": "1_000", "d": "12:30", "e": "2013-01-01", "f": "0x1F", "g": 1000.0, "h": 0.5, "i": -3,
    }  # fmt: skip
