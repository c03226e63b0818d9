"""Online learning: on the pages of its model, its checkpoints and their rollouts, over REST, and in sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.domain.learning import LearningState
from lockgate.domain.projects import Environment
from lockgate.domain.rollouts import JudgePolicy, Outcome, Phase, Plan
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.reading.learning import learning_of, learning_or_none
from lockgate.entrypoints.reading.words import status_line
from lockgate.entrypoints.ui.pictures import learned_rates
from lockgate.kernel.errors import NotFound
from lockgate.ports.state import LEARNINGS, LESSON_LOGS, MODELS, PROJECTS, ROLLOUTS
from lockgate.testing import builders as a
from lockgate.testing.clock import START
from tests.samples.asgi import Client
from tests.samples.learned import PLAN, TOLLS, learns, rollout_of
from tests.samples.story import Story

MODEL = f"/models/{TOLLS}"


def words(text: str) -> str:
    return " ".join(text.replace("\u202f", "").split())


def test_what_is_told_follows_from_the_log_and_the_versions(empty: Story) -> None:
    learns(empty.world)
    with empty.world.state.read() as tx:
        told = learning_of(tx, TOLLS)
    assert (told.waiting, told.until, told.rate) == (40, 400, 2100 / 9600)
    assert told.judged is not None
    assert (told.judged.version, told.event, told.online) == (10, PLAN.judge.label_event, PLAN.online)
    assert 0.2 < told.alarm < 0.21  # the mean of two detectors at e⁴ and e⁻², of ln(10⁷)
    became = {one.version: one.says for one in told.checkpoints}
    assert became == {
        10: "progressing", 9: "not proven", 8: "not proven", 7: "promoted", 6: "harm", 5: "promoted", 4: "promoted",
        3: "not judged", 2: "promoted",
    }  # fmt: skip
    assert [one.version for one in told.checkpoints] == sorted(became, reverse=True)


def test_a_stop_is_told_with_its_reason_and_promises_no_checkpoint(empty: Story) -> None:
    learns(empty.world, state=LearningState.STOPPED, reason="the labels are mad", by="ben")
    with empty.world.state.read() as tx:
        told = learning_of(tx, TOLLS)
    assert told.until is None
    assert told.says.endswith("by ben: the labels are mad. Lessons are refused; 9600 rows judged and learned since version 1.")
    assert told.says.startswith("Stopped since 2026-")


@pytest.mark.parametrize(
    ("plan", "hint"), [(Plan(), "Say `strategy: online` in lockgate.yaml"), (PLAN, "With this project file")]
)
def test_a_model_that_never_learned_says_how_it_would(empty: Story, plan: Plan, hint: str) -> None:
    with empty.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(name=TOLLS))
        tx.put(PROJECTS, a.project(model=TOLLS, environments={"production": Environment(plan)}))
        assert learning_or_none(tx, TOLLS) is None
        with pytest.raises(NotFound, match="does not learn online") as error:
            learning_of(tx, TOLLS)
    assert hint in (error.value.hint or "")


def test_the_model_page_shows_state_rates_and_checkpoints(empty: Story, client: Client) -> None:
    learns(empty.world)
    page = words(client.page(MODEL).text)
    for said in (
        "Version 7 answers while its successor learns: 9600 rows judged and learned since version 1, 40 wait",
        "the next checkpoint comes after 400 more",
        "version 10</a>, progressing",
        "Wrong, by the champion</dt><dd>21.9 % of 9600 rows",
        "35 %; the evidence is 20.5 % of what an alarm takes",
        "<title>version 6, rows 4000 to 4999: 22 %, harm</title>",
        "not judged: another one was",
        '/rollouts/rollout-9">against v7</a>',
        "Version 10 is on trial</a> as a checkpoint",
        "lockgate learning stop tolls",
    ):
        assert said in page, said
    assert page.count('<span class="tag">checkpoint</span>') == 9


def test_the_page_of_a_model_that_does_not_learn_says_nothing_of_it(reader: Client) -> None:
    assert "Learning</h2>" not in reader.page("/models/flight-delay").text


def test_the_panel_is_sent_again_only_when_it_changed(empty: Story, client: Client) -> None:
    learning = learns(empty.world)
    with empty.world.state.read() as tx:
        tag = learning_of(tx, TOLLS).tag
    path = f"/fragments/models/{TOLLS}/learning"
    assert client.page(f"{path}?seen={tag}").status == 204
    with empty.world.state.write() as tx:
        tx.put(LEARNINGS, replace(learning, learned=9_640, rows=9_640))
    changed = client.page(f"{path}?seen={tag}")
    assert (changed.status, "9640 rows judged" in words(changed.text)) == (200, True)


def test_a_stopped_panel_asks_for_no_news_and_says_how_to_go_on(empty: Story, client: Client) -> None:
    learns(empty.world, state=LearningState.STOPPED, reason="too many wrong <b>", by="controller")
    page = client.page(MODEL).text
    assert "too many wrong &lt;b&gt;" in page
    assert "lockgate learning resume tolls" in page
    assert f"/fragments/models/{TOLLS}/learning" not in page


def test_rates_are_drawn_from_old_to_new_below_the_limit(empty: Story) -> None:
    learns(empty.world)
    with empty.world.state.read() as tx:
        told = learning_of(tx, TOLLS)
    drawn = learned_rates(told.checkpoints, 0.35)
    assert drawn is not None
    assert drawn.limit is not None
    assert [dot.x for dot in drawn.dots] == sorted(dot.x for dot in drawn.dots)
    assert all(drawn.limit < dot.y <= 112 for dot in drawn.dots)  # heights grow downwards
    assert [dot.state for dot in drawn.dots] == [
        "promoted",
        "open",
        "promoted",
        "promoted",
        "harm",
        "promoted",
        "open",
        "open",
        "open",
    ]
    assert learned_rates(told.checkpoints[:1], 0.35) is None
    alone = learned_rates(told.checkpoints[:2], None)
    assert alone is not None
    assert alone.limit is None
    assert alone.top == pytest.approx(0.23)


def test_the_page_of_a_checkpoint_names_what_it_came_from(empty: Story, client: Client) -> None:
    learns(empty.world)
    page = words(client.page(f"{MODEL}/versions/10").text)
    for said in ('what <a href="/models/tolls/versions/9">v9</a> is after 1000 more rows', "8000 to 8999", "course-7"):
        assert said in page, said
    assert f'title="{a.digest("lessons 10")}"' in page
    assert "Learned online" not in client.page(f"{MODEL}/versions/1").text


def test_the_page_of_its_rollout_speaks_of_rows(empty: Story, client: Client) -> None:
    learns(empty.world)
    page = words(client.page("/rollouts/rollout-10").text)
    for said in (
        "Version 10 and version 7 score each row before its truth is learned; nobody gets its answers; nothing is proven yet.",
        "600 rows scored by both",
        "checkpoint 24, champion 48",
        "checkpoint v10",
        "champion v7",
        "108 of 600",
        "132 of 600",
        "<dt>Unit</dt><dd>row</dd>",
        "100000 rows</dd>",
    ):
        assert said in page, said
    assert "chart-weight" not in page
    assert "shadow" not in page.replace("/static", "")


def test_the_end_of_a_rollout_counts_rows_too(empty: Story, client: Client) -> None:
    learns(empty.world)
    with empty.world.state.write() as tx:
        outcome = Outcome(JudgeVerdict.SAFE, ("labels",))
        tx.put(ROLLOUTS, replace(rollout_of(10), phase=Phase.PROMOTED, ended_at=START, outcome=outcome))
    assert "<dt>Decided after</dt><dd>600 <small>rows</small>" in words(client.page("/rollouts/rollout-10").text)


@pytest.mark.parametrize(
    ("phase", "verdict", "sentence"),
    [
        (Phase.ABORTED, JudgeVerdict.HARM, "would do harm on labels and is asked no more; nobody got its answers, and version 7"),
        (
            Phase.ABORTED,
            JudgeVerdict.INCONCLUSIVE,
            "was neither proven safe nor harmful within 500 rows; version 7 answers everybody.",
        ),
        (Phase.PROMOTED, JudgeVerdict.SAFE, "serves production, in place of version 7: proven safe on labels."),
    ],
)
def test_a_sentence_says_what_became_of_a_checkpoint(phase: Phase, verdict: JudgeVerdict, sentence: str) -> None:
    ended = replace(rollout_of(10), phase=phase, outcome=Outcome(verdict, ("labels",)), judge=JudgePolicy(max_units=500))
    assert sentence in status_line(ended, {})


def test_rest_tells_where_it_stands(empty: Story, client: Client) -> None:
    learns(empty.world)
    told = client.get(f"/api/v1/models/{TOLLS}/learning").json
    assert (told["learning"]["state"], told["waiting"], told["until"], told["judged"]["id"]) == ("open", 40, 400, "rollout-10")
    assert told["online"] == {"every": 1000, "at_most": 0.35, "run_length": 1e7}
    newest = told["checkpoints"][0]
    assert (newest["version"], newest["learned"]["parent"], newest["learned"]["end"]) == (10, 9, 9000)
    assert client.get(f"/api/v1/models/{TOLLS}/versions/10").json["learned"] == newest["learned"]
    assert client.get(f"/api/v1/models/{TOLLS}/versions/1").json["learned"] is None
    missing = client.get("/api/v1/models/fares/learning")
    assert (missing.status, "there is no model 'fares'" in missing.json["detail"]) == (404, True)


def test_rest_counts_the_rows_that_one_of_the_two_got_wrong(empty: Story, client: Client) -> None:
    learns(empty.world)
    told = client.get("/api/v1/rollouts/rollout-10").json
    assert (told["pairs"]["only_shadow"], told["pairs"]["only_champion"]) == (24, 48)
    assert (told["arms"]["canary"]["labelled"], told["arms"]["canary"]["events"]) == (600, 108)
    assert client.get("/api/v1/status").json["models"][0]["checkpoint"] is True


def test_rest_stops_and_resumes_and_refuses_to_do_it_twice(empty: Story, client: Client) -> None:
    learns(empty.world)
    stopped = client.post(f"/api/v1/models/{TOLLS}/learning/stop", {"reason": "a bad batch"}, actor="ben")
    assert (stopped.status, stopped.json["state"], stopped.json["reason"]) == (200, "stopped", "a bad batch")
    assert stopped.json["changed_by"] == "ben"
    assert client.post(f"/api/v1/models/{TOLLS}/learning/stop").status == 409
    resumed = client.post(f"/api/v1/models/{TOLLS}/learning/resume")
    assert (resumed.status, resumed.json["state"], resumed.json["base"], resumed.json["began"]) == (200, "open", 7, 9_640)
    assert client.post(f"/api/v1/models/{TOLLS}/learning/resume").status == 409


def test_a_log_that_is_gone_waits_for_nothing(empty: Story) -> None:
    learns(empty.world)
    with empty.world.state.write() as tx:
        tx.remove(LESSON_LOGS, TOLLS)
        assert learning_of(tx, TOLLS).waiting == 0
