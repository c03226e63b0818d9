"""Deciding in company: policy, waivers, people and their tokens, remarks, webhooks and their deliveries, signed checkpoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _collection("policies", _text("name"), key=["name"], indexed=[])
    _collection("broken_glass", _text("id"), key=["id"], indexed=[])
    _collection("waivers", _text("id"), _text("model"), key=["id"], indexed=[["model"]])
    _collection("users", _text("name"), key=["name"], indexed=[])
    _collection("access_tokens", _text("id"), _text("user"), key=["id"], indexed=[["user"]])
    _collection("logins", _text("id"), _text("user"), key=["id"], indexed=[["user"]])
    remarks = [["model"], ["version"], ["model", "version"]]
    _collection("comments", _text("id"), _text("model"), _number("version"), key=["id"], indexed=remarks)
    _collection("notes", _text("model"), _number("version"), key=["model", "version"], indexed=[["model"]])
    _collection("webhooks", _text("id"), key=["id"], indexed=[])
    found_by = [["webhook"], ["state"], ["webhook", "state"]]
    _collection("deliveries", _text("id"), _text("webhook"), _text("state"), key=["id"], indexed=found_by)
    _collection("checkpoints", _number("seq"), key=["seq"], indexed=[])
    op.create_index("ix_events_action", "events", ["action", "seq"])
    op.create_index("ix_events_actor", "events", ["actor", "seq"])


def _collection(name: str, *columns: sa.Column[str] | sa.Column[int], key: list[str], indexed: list[list[str]]) -> None:
    op.create_table(
        name,
        sa.Column("ordinal", _ORDINAL, sa.Identity(), primary_key=True),
        *columns,
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint(*key, name=f"uq_{name}"),
    )
    for fields in indexed:
        op.create_index(f"ix_{name}_{'_'.join(fields)}", name, [*fields, "ordinal"])


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)
