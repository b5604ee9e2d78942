"""What tokens of the review queue are marked with, so that one that was never given out can be told from a late one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("review_rounds", sa.Column("secret", sa.String(length=32), nullable=False, server_default=""))
