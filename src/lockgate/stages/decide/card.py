"""A version's model card: what it is, what it was made of, what was measured, who decided, and where it serves, as Markdown.

The card is made from the record each time it is asked for, and the same record makes the same bytes. What people wrote (names,
comments, a description) stands in it as text: nothing in it becomes a link, a picture, a table or HTML.

What such a card should say: Mitchell et al., Model Cards for Model Reporting, FAT* 2019.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lockgate.boundary.manifest import Manifest, Tensor
from lockgate.domain.forms import BuiltForm
from lockgate.domain.models import ModelVersion, TransitionRequest, Vote
from lockgate.domain.remarks import Comment, Notes
from lockgate.domain.runs import Run
from lockgate.domain.verdicts import GateResult

INTENDED, CAVEATS = "intended-use", "caveats"  # tags that people set for the section on limits
_SPECIAL = re.compile(r"([\\`*_\[\]{}|~$@!])|(?<=:)(//)|(?<=www)(\.)|(?<=WWW)(\.)|^([#+=-](?=\W|$)|\d+(?=[.)](\s|$)))")
_LIMITS = ((INTENDED, "Intended use"), (CAVEATS, "Caveats"))
_EXACT = 1e15  # whole numbers below it are written out
_NOTHING = "Nobody has written it down."


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the version answers, or stands ready: a stage, or a segment. since: None where the record is older."""

    where: str
    since: datetime | None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Learned:
    """What the version learned from, in figures. texts, numbers: names of features."""

    rows: int
    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    labels: int = 0
    events: int | None = None  # of them, where an event is judged


@dataclass(frozen=True, slots=True)
class Remarks:
    """Of one request. alone: when somebody said yes under break-glass, and why they did. closed_by: another one, by whose yes."""

    alone: Mapping[datetime, str] = field(default_factory=dict)
    closed_by: str = ""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """gates: as they stand now. model_notes, notes: of the model and of the version; None: nobody wrote any. manifest: None where
    the store does not hold it. learned: None where no reference was kept.
    """

    version: ModelVersion
    gates: Sequence[GateResult] = ()
    run: Run | None = None
    manifest: Manifest | None = None
    learned: Learned | None = None
    standings: Sequence[Standing] = ()
    aliases: Sequence[str] = ()
    requests: Sequence[TransitionRequest] = ()
    remarks: Mapping[str, Remarks] = field(default_factory=dict)  # by request
    comments: Sequence[Comment] = ()
    model_notes: Notes | None = None
    notes: Notes | None = None
    forms: Sequence[BuiltForm] = ()


def card(facts: CardFacts) -> str:
    """The card, ending in a newline."""
    version = facts.version
    parts = [
        [f"# {text(version.model)}, version {version.version}", "", *_description(facts)],
        _section("Where it serves", _standings(facts)),
        _section("What it was made of", _origin(facts)),
        _section("Training data", _learned(facts.learned)),
        _section("Metrics on held-out examples", _metrics(facts)),
        _section("Gates", _gates(facts)),
        _section("Groups", _groups(facts.gates)),
        _section("Inputs and outputs", _signature(facts.manifest)),
        _section("Forms", _forms(facts.forms)),
        _section("Who decided", _decisions(facts)),
        _section("Intended use and limits", _limits(facts)),
        _section("Comments", [f"- {_at(one.at)}, {text(one.by)}: {text(one.text)}" for one in facts.comments]),
    ]
    return "\n".join(line for part in parts if part for line in (*part, "")).rstrip("\n") + "\n"


def text(value: object) -> str:
    """Anything as one line of plain text: what Markdown or HTML would take for markup is escaped, the unprintable left out."""
    shown = "".join(" " if one.isspace() else one for one in str(value))
    shown = "".join(one for one in shown if unicodedata.category(one)[0] != "C")
    shown = " ".join(shown.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(_escaped, shown)


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    if found.isdigit():  # `1.` would begin a list: the point after it is what is escaped
        return found + "\\"
    return "\\/\\/" if found == "//" else "\\" + found


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *lines] if lines else []


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    made = [" | ".join(text(cell) for cell in row) for row in rows]
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *(f"| {row} |" for row in made)] if made else []


def _facts(pairs: Iterable[tuple[str, object]]) -> list[str]:
    return [f"- {name}: {text(value)}" for name, value in pairs if value not in (None, "")]


def _at(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < _EXACT else f"{value:.4g}"


def _paragraphs(value: str) -> list[str]:
    """Each line that people wrote, quoted."""
    return [f"> {text(line)}".rstrip() for line in value.strip().splitlines()] if value.strip() else []


def _description(facts: CardFacts) -> list[str]:
    wrote = [notes.description for notes in (facts.model_notes, facts.notes) if notes is not None and notes.description.strip()]
    lines = [line for one in wrote for line in (*_paragraphs(one), "")]
    return [*lines, *_facts([("Package", facts.version.digest), ("Registered", _at(facts.version.created_at))])]


def _standings(facts: CardFacts) -> list[str]:
    known = any(one.where == facts.version.stage.value for one in facts.standings)
    stage = [] if known else [f"- {text(facts.version.stage.value)}"]
    lines = [
        f"- {text(one.where)}{f' since {_at(one.since)}' if one.since else ''}{f', by {text(one.by)}' if one.by else ''}"
        for one in facts.standings
    ]
    aliases = [f"- Aliases: {', '.join(map(text, sorted(facts.aliases)))}"] if facts.aliases else []
    return [*stage, *lines, *aliases]


def _origin(facts: CardFacts) -> list[str]:
    version, run, manifest = facts.version, facts.run, facts.manifest
    commit = run.commit if run else manifest.lineage.commit if manifest else None
    data = run.data if run else manifest.lineage.data if manifest else {}
    params = run.params if run else manifest.lineage.params if manifest else {}
    made_with = ", ".join(f"{name} {number}" for name, number in sorted(manifest.environment.items())) if manifest else ""
    lines = _facts(
        [
            ("Commit", f"{commit}{', with changes that were not committed' if version.dirty else ''}" if commit else None),
            ("Author", version.author),
            ("Run", f"{version.run}{f', started by {run.actor} ({run.cause})' if run else ''}"),
            ("Runtime", manifest.runtime if manifest else None),
            ("Made with", made_with),
        ]
    )
    if version.learned:
        rows = version.learned.end - version.learned.first
        lines.append(f"- Learned online: {rows} rows with their truth, on top of version {version.learned.parent}")
    tables = _table(("Data", "Digest"), sorted(data.items())), _table(("Parameter", "Value"), sorted(params.items()))
    return lines + [line for table in tables if table for line in ("", *table)]


def _learned(learned: Learned | None) -> list[str]:
    if learned is None:
        return []
    return _facts(
        [
            ("Rows", learned.rows),
            ("Numbers", ", ".join(learned.numbers)),
            ("Texts", ", ".join(learned.texts)),
            ("Held-out examples", learned.labels or None),
            ("Of these with the judged event", learned.events),
        ]
    )


def _metrics(facts: CardFacts) -> list[str]:
    """With the interval of a gate that measured the same."""
    rows = []
    for name, value in sorted(facts.version.metrics.items()):
        own = (one for one in facts.gates if "limit" in one.measured and one.rule.split()[:1] == [name])
        gate = next((one for one in own if _interval(one)), None)
        rows.append((name, _number(value), _interval(gate) if gate else ""))
    return _table(("Metric", "Value", "Interval"), rows)


def _interval(gate: GateResult) -> str:
    low, high = gate.measured.get("low"), gate.measured.get("high")
    return f"{_number(low)} to {_number(high)}" if isinstance(low, int | float) and isinstance(high, int | float) else ""


def _gates(facts: CardFacts) -> list[str]:
    rows = [(one.gate, one.rule, _verdict(one), _interval(one), one.detail) for one in facts.gates]
    evidence = ["", f"Evidence: {facts.version.evidence}"] if facts.version.evidence and rows else []
    return _table(("Gate", "Rule", "Verdict", "Interval", "Said"), rows) + evidence


def _verdict(gate: GateResult) -> str:
    waived = gate.waived
    return (
        f"{gate.verdict.value}, waived by {waived.by} until {_at(waived.until)}: {waived.why}" if waived else gate.verdict.value
    )


def _groups(gates: Sequence[GateResult]) -> list[str]:
    """What a gate measured for each group, where it did."""
    lines: list[str] = []
    for gate in gates:
        groups = gate.measured.get("groups")
        for measure, found in sorted(groups.items()) if isinstance(groups, dict) else ():
            rows = [(name, _figures(figures)) for name, figures in _members(found)]
            lines += [*([""] if lines else []), f"{text(gate.rule)}: {text(measure)}", "", *_table(("Group", "Measured"), rows)]
    return lines


def _members(found: Any) -> list[tuple[str, Any]]:
    """Groups by name, or a list of what each measured."""
    if isinstance(found, dict):
        return sorted((str(name), figures) for name, figures in found.items())
    return [(str(one.get("group", "")), {k: v for k, v in one.items() if k != "group"}) for one in found if isinstance(one, dict)]


def _figures(found: Any) -> str:
    if isinstance(found, dict):
        return ", ".join(f"{name} {_number(value)}" for name, value in found.items())
    return ", ".join(map(_number, found)) if isinstance(found, list | tuple) else _number(found)


def _signature(manifest: Manifest | None) -> list[str]:
    if manifest is None:
        return []
    score = manifest.signature.score
    rows = [("input", *_tensor(one)) for one in manifest.signature.inputs]
    rows += [("output, the score" if one.name == score else "output", *_tensor(one)) for one in manifest.signature.outputs]
    return _table(("Way", "Name", "Type", "Shape"), rows)


def _tensor(tensor: Tensor) -> tuple[str, str, str]:
    return tensor.name, tensor.datatype, " × ".join("n" if size < 0 else str(size) for size in tensor.shape)


def _forms(forms: Sequence[BuiltForm]) -> list[str]:
    """Each answered the golden rows as the original: by how much it differed, beside what it may."""
    head = ("Form", "File", "Bytes", "Digest", "Largest difference", "First answer", "Asked in", "Built")
    return _table(
        head,
        (
            (
                one.form.value,
                f"{one.file}, pushed as {one.pushed}" if one.pushed else one.file,
                one.size,
                one.digest,
                f"{_number(one.difference)} of {_number(one.tolerance)}, {one.rows} rows",
                f"{one.cold_start:.2g} s",
                one.environment,
                f"{_at(one.at)}, {one.by}",
            )
            for one in forms
        ),
    )


def _decisions(facts: CardFacts) -> list[str]:
    lines = []
    for one in facts.requests:
        told = facts.remarks.get(one.id, Remarks())
        state = f"{one.state.value} with {told.closed_by}" if told.closed_by else one.state.value
        goal = f"{one.to_stage.value}, segment {one.segment}" if one.segment else one.to_stage.value
        lines.append(f"- {_at(one.created_at)}, {text(one.requester)} asked for {text(goal)}: {state}{_said(one.comment)}")
        for decision in one.decisions:
            word = "yes" if decision.vote is Vote.APPROVE else "no"
            alone = f", alone, under break-glass: {text(told.alone[decision.at])}" if decision.at in told.alone else ""
            lines.append(f"  - {_at(decision.at)}, {text(decision.by)}: {word}{_said(decision.comment)}{alone}")
    return lines


def _said(comment: str) -> str:
    return f" (“{text(comment)}”)" if comment.strip() else ""


def _limits(facts: CardFacts) -> list[str]:
    """Written by people, as tags: of the version, else of the model."""
    tags = {**(facts.model_notes.tags if facts.model_notes else {}), **(facts.notes.tags if facts.notes else {})}
    lines = [f"- {title}: {text(tags[tag]) if tags.get(tag) else _NOTHING}" for tag, title in _LIMITS]
    others = sorted((name, value) for name, value in tags.items() if name not in (INTENDED, CAVEATS))
    return [*lines, *(["", *_table(("Tag", "Value"), others)] if others else [])]
