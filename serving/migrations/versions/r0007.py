"""An index of the texts that people hold: that of all that a person ever had grew with each answer."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    held = sa.text("token IS NOT NULL")
    op.create_index("review_copies_held", "review_copies", ["run", "who"], sqlite_where=held, postgresql_where=held)
    op.drop_index("review_copies_who", "review_copies")
