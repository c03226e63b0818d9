"""Packaging: forms that were built, scans for vulnerabilities, subscribers of channels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    for name, last in (("forms", "form"), ("scans", "tool")):
        _collection(name, _text("model"), _number("version"), _text(last), key=["model", "version", last], indexed=[["model"]])
    _collection("subscribers", _text("id"), _text("model"), key=["id"], indexed=[["model"]])


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
