"""What version 0.1.0 made without revisions: runs, their steps, and the ledger. Its databases have these tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes those that are missing: a database of version 0.1.0 may hold some of them, or all."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "steps",
        sa.Column("run", sa.String(80), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        if_not_exists=True,
    )
    _calls()


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sa.Column("reply", sa.Text),
        sa.Column("calls", sa.Integer),
        sa.Column("tokens_in", sa.Integer),
        sa.Column("cached_tokens", sa.Integer),
        sa.Column("tokens_out", sa.Integer),
        sa.Column("seconds", sa.Float),
        sa.Column("answered_at", sa.Float),
        if_not_exists=True,
    )
