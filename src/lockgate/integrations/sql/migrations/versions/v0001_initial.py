"""The first schema: a table for each kind of noun, and the chain of events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _collection("projects", _text("model"), key=["model"])
    _collection("models", _text("name"), key=["name"])
    _collection(
        "versions",
        *(_text("model"), _number("version"), _text("stage"), _text("digest")),
        key=["model", "version"],
        indexed=[["model"], ["stage"], ["digest"], ["stage", "digest"]],
    )
    _collection("aliases", _text("model"), _text("name"), key=["model", "name"], indexed=[["model"]])
    _collection(
        "requests",
        *(_text("id"), _text("model"), _number("version"), _text("state")),
        key=["id"],
        indexed=[["model"], ["version"], ["state"], ["model", "version", "state"]],
    )
    _collection("outputs", _text("fingerprint"), _text("step"), key=["fingerprint"], indexed=[["step"]])
    _of_a_model("runs", "status")
    _of_a_model("rollouts", "phase")
    _of_a_model("findings", "kind")
    _of_a_model("triggers", "decision")
    _of_a_model("jobs", "state")
    _collection("journal", _text("rollout"), _number("seq"), key=["rollout", "seq"], indexed=[["rollout"]])
    _collection("routes", _text("name"), key=["name"])
    _collection("workers", _text("incarnation"), key=["incarnation"])
    _collection(
        "inbox",
        *(_text("worker"), _text("incarnation"), _number("sequence")),
        key=["worker", "incarnation", "sequence"],
        indexed=[["worker"]],
    )
    _collection("consumed", _text("worker"), _text("incarnation"), key=["worker", "incarnation"], indexed=[["worker"]])
    _collection(
        "labels",
        *(_text("prediction_id"), _text("model"), _number("version")),
        key=["prediction_id"],
        indexed=[["model"], ["version"], ["model", "version"]],
    )
    _collection("windows", _text("model"), _number("version"), key=["model", "version"], indexed=[["model"]])
    _collection("leases", _text("name"), key=["name"])
    _events()


def _of_a_model(name: str, state: str) -> None:
    """A table of things with an id, that belong to a model and have a state."""
    columns = (_text("id"), _text("model"), _text(state))
    _collection(name, *columns, key=["id"], indexed=[["model"], [state], ["model", state]])


def _collection(
    name: str, *columns: sa.Column[str] | sa.Column[int], key: list[str], indexed: list[list[str]] | None = None
) -> None:
    op.create_table(
        name,
        sa.Column("ordinal", _ORDINAL, sa.Identity(), primary_key=True),
        *columns,
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint(*key, name=f"uq_{name}"),
    )
    for fields in indexed or []:
        op.create_index(f"ix_{name}_{'_'.join(fields)}", name, [*fields, "ordinal"])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", _ORDINAL, primary_key=True, autoincrement=False),
        *(_text(column) for column in ("at", "action", "actor")),
        sa.Column("authenticated", sa.Boolean, nullable=False),
        *(_text(column) for column in ("subject", "model")),
        _number("version"),
        *(_text(column) for column in ("details", "prev_hash", "hash")),
    )
    op.create_index("ix_events_subject", "events", ["subject", "seq"])
    op.create_index("ix_events_model", "events", ["model", "seq"])


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)
