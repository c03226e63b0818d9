"""A model card says what the record says, in the same bytes each time, and nothing that people wrote becomes markup."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lockgate.domain.models import Decision, RequestState, Stage, TransitionRequest, Vote
from lockgate.domain.remarks import Comment, Notes
from lockgate.domain.verdicts import GateResult, GateVerdict, Waived
from lockgate.stages.decide.card import CAVEATS, INTENDED, CardFacts, Learned, Standing, card, text
from lockgate.testing.builders import digest, version
from lockgate.testing.clock import START
from lockgate.testing.released import built_form

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False, "html": True})
HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) ![i](http://evil/x.png) | a | **b** `c` \n# title\n\n1. one\n- two"


def facts(**changes: object) -> CardFacts:
    measured = {"low": 0.68, "high": 0.71, "limit": 0.65}
    gate = GateResult("quality", "auc >= 0.65", GateVerdict.PASS, "auc is 0.7", measured)
    return CardFacts(**{"version": version(metrics={"auc": 0.7, "n": 21408.0}), "gates": (gate,), **changes})  # type: ignore[arg-type]


def kinds(content: str) -> set[str]:
    """Of all that a reader's Markdown makes of it, inline too."""
    tokens = MARKDOWN.parse(content)
    return {token.type for token in tokens} | {child.type for token in tokens for child in token.children or ()}


def shown(content: str) -> str:
    return "".join(child.content for token in MARKDOWN.parse(content) for child in token.children or () if child.type == "text")


@given(
    st.text() | st.sampled_from([HOSTILE, "1. a", "1)", "- a", "+", "# a", "=", "---", "~~~", "www.evil.example", "a@b.example"])
)
def test_what_people_wrote_is_text_wherever_it_stands(value: str) -> None:
    inline = {"inline", "text", "text_special", "paragraph_open", "paragraph_close"}
    assert kinds(text(value)) <= inline
    listed = kinds(f"- {text(value)}")
    assert listed <= inline | {"bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"}
    assert "\n" not in text(value)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), min_size=1))
def test_it_reads_as_it_was_written(value: str) -> None:
    parsed = MARKDOWN.parse(f"x {text(value)} y")
    assert "".join(child.content for token in parsed for child in token.children or ()) == f"x {value} y"


def test_a_hostile_record_makes_a_card_like_any_other() -> None:
    plain = card(everything("harmless"))
    hostile = card(everything(HOSTILE))
    assert kinds(hostile) - {"text_special", "softbreak"} <= kinds(plain)
    assert "<" not in hostile
    rows = [line for line in hostile.splitlines() if line.startswith("|")]
    assert len(rows) == len([line for line in plain.splitlines() if line.startswith("|")])


def everything(said: str) -> CardFacts:
    decision = Decision(said, Vote.APPROVE, START, said)
    request = TransitionRequest(
        "r", "m", 1, "d", Stage.STAGING, said, START, said, RequestState.APPROVED, (decision,), segment=said
    )
    waived = Waived("w", said, START + timedelta(days=1), said)
    measured = {"low": 0.1, "high": 0.2, "limit": 0.3, "groups": {said: {said: {"rate": 0.5, "n": 3}}}}
    return facts(
        version=version(model=said, author=said, metrics={said: 0.5}, evidence=digest("e")),
        gates=(GateResult(said, said, GateVerdict.FAIL, said, measured, waived),),
        standings=(Standing(said, START, said),),
        aliases=(said,),
        requests=(request,),
        comments=(Comment("c", "m", 1, said, START, said),),
        notes=Notes("m", 1, START, said, {said: said, INTENDED: said}),
        learned=Learned(10, (said,), (said,), 5, 2),
        forms=(built_form(file=said, environment=said, by=said, pushed=said),),
    )


def test_it_says_what_was_measured_and_who_decided() -> None:
    said = card(everything("harmless"))
    assert "| harmless | harmless | FAIL, waived by harmless until" in said
    assert "| harmless | rate 0.5, n 3 |" in said
    assert "harmless asked for Staging, segment harmless: approved" in said
    assert "  - 2" in said
    assert ": yes (“harmless”)" in said
    assert "- Rows: 10" in said


def test_a_metric_has_the_interval_of_its_own_gate_only() -> None:
    said = card(facts())
    assert "| auc | 0.7 | 0.68 to 0.71 |" in said
    assert "| n | 21408 |  |" in said


def test_what_nobody_wrote_down_is_said() -> None:
    assert card(facts()).count("Nobody has written it down.") == 2
    notes = Notes("m", 0, START, "", {INTENDED: "Delays of flights within the US.", CAVEATS: "Nothing before 2019."})
    of_version = Notes("m", 1, START, "", {CAVEATS: "Nothing before 2020."})
    said = card(facts(model_notes=notes, notes=of_version))
    assert "- Intended use: Delays of flights within the US.\n- Caveats: Nothing before 2020." in said


def test_order_in_the_record_does_not_matter() -> None:
    some = facts(version=version(metrics={"a": 1.0, "b": 2.0}), aliases=("x", "y"))
    other = replace(some, version=replace(some.version, metrics={"b": 2.0, "a": 1.0}), aliases=("y", "x"))
    assert card(some) == card(other)
