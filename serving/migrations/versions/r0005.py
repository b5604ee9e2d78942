"""Which annotations of Label Studio the review queue has taken in."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "label_studio_annotations",
        sa.Column("run", sa.String(length=80), nullable=False),
        sa.Column("project", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("annotation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("updated", sa.Float(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("answer", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("run", "project", "annotation"),
    )
