"""What shadows scored, until its label comes; labelled pairs, until the judge has seen them; how far records were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _collection("pairings", "name")
    _collection("shadow_scores", "rollout", "prediction_id")
    _collection("labelled_pairs", "rollout", "prediction_id")


def _collection(name: str, *key: str) -> None:
    """A table of things that are found by a key of texts; where it has several parts, also by the first in order."""
    op.create_table(
        name,
        sa.Column("ordinal", _ORDINAL, sa.Identity(), primary_key=True),
        *(sa.Column(column, sa.Text, nullable=False) for column in key),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint(*key, name=f"uq_{name}"),
    )
    if len(key) > 1:
        op.create_index(f"ix_{name}_{key[0]}", name, [key[0], "ordinal"])
