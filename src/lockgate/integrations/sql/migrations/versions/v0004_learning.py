"""Online learning: where each model stands, and the write-ahead log of its lessons."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _collection("learnings", _text("model"), key=["model"], indexed=[])
    _collection("lesson_logs", _text("model"), key=["model"], indexed=[])
    number = sa.Column("seq", sa.BigInteger, nullable=False)
    _collection("lessons", *(_text("model"), number, _text("id")), key=["model", "seq"], indexed=[["model"], ["id"]])


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
