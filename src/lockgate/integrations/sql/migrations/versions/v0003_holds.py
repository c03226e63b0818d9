"""Hold-backs: the version before with its share after a promotion, and what came of it minute by minute."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _collection(
        "holds",
        *(_text("id"), _text("rollout"), _text("model"), _text("state")),
        key=["id"],
        indexed=[["rollout"], ["model"], ["state"], ["rollout", "model", "state"]],
    )
    number = sa.Column("seq", sa.BigInteger, nullable=False)
    _collection("hold_rows", _text("hold"), number, key=["hold", "seq"], indexed=[["hold"]])


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
