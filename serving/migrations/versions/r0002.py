"""What a service needs: claims on runs, events, idempotency, data sets, the review queue, keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _datasets()
    _idempotency()
    _keys()
    _events()
    _examples()
    _review_picks()
    _review_rounds()
    _reviews()
    _review_copies()
    _review_skips()
    _answers()
    _runs()


def _datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("key", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("pairs", sa.Boolean(), nullable=False),
        sa.Column("labelled", sa.Integer(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("body", sa.String(length=64), nullable=False),
        sa.Column("run", sa.String(length=80), nullable=False),
        sa.Column("created", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.String(length=60), nullable=False),
        sa.Column("created", sa.String(length=32), nullable=False),
        sa.Column("revoked", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("created", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("events_of_run", "events", ["run", "seq"], unique=False)


def _examples() -> None:
    op.create_table(
        "examples",
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_b", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("meta", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"],
            ["datasets.key"],
        ),
        sa.PrimaryKeyConstraint("dataset", "row"),
        sa.UniqueConstraint("dataset", "id"),
    )


def _review_picks() -> None:
    op.create_table(
        "review_picks",
        sa.Column("run", sa.String(length=80), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("example", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("kept", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("decided", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run", "round", "example"),
    )


def _review_rounds() -> None:
    op.create_table(
        "review_rounds",
        sa.Column("run", sa.String(length=80), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=6), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("blind", sa.Float(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("created", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run", "round", "kind"),
    )


def _reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run", sa.String(length=80), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("example", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run", "round", "example"),
    )


def _review_copies() -> None:
    op.create_table(
        "review_copies",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("review", sa.Integer(), nullable=False),
        sa.Column("run", sa.String(length=80), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=4), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=True),
        sa.Column("token", sa.String(length=64), nullable=True),
        sa.Column("leased", sa.Float(), nullable=True),
        sa.Column("expires", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["review"],
            ["reviews.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("review", "who"),
    )
    op.create_index("review_copies_expired", "review_copies", ["run", "state", "expires"], unique=False)
    op.create_index("review_copies_next", "review_copies", ["run", "state", "slot", "round", "position"], unique=False)
    op.create_index("review_copies_who", "review_copies", ["run", "who"], unique=False)


def _review_skips() -> None:
    op.create_table(
        "review_skips",
        sa.Column("review", sa.Integer(), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["review"],
            ["reviews.id"],
        ),
        sa.PrimaryKeyConstraint("review", "who"),
    )


def _answers() -> None:
    op.create_table(
        "answers",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run", sa.String(length=80), nullable=False),
        sa.Column("review", sa.Integer(), nullable=False),
        sa.Column("copy", sa.Integer(), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("superseded_by", sa.Integer(), nullable=True),
        sa.Column("entered", sa.Integer(), nullable=True),
        sa.Column("created", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["copy"],
            ["review_copies.id"],
        ),
        sa.ForeignKeyConstraint(
            ["review"],
            ["reviews.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token"),
    )
    op.create_index("answers_of_copy", "answers", ["copy"], unique=False)
    op.create_index("answers_of_person", "answers", ["run", "who", "state"], unique=False)
    op.create_index("answers_of_review", "answers", ["review"], unique=False)


def _runs() -> None:
    op.add_column("runs", sa.Column("updated", sa.String(length=32), server_default="", nullable=False))
    op.add_column("runs", sa.Column("origin", sa.String(length=10), server_default="cli", nullable=False))
    op.add_column("runs", sa.Column("owner", sa.String(), server_default="", nullable=False))
    op.add_column("runs", sa.Column("expires", sa.Float(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("fence", sa.Integer(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("wish", sa.String(length=10), server_default="", nullable=False))
    op.create_index("runs_by_creation", "runs", ["created", "id"], unique=False)
    op.create_index("runs_by_state", "runs", ["state", "created"], unique=False)
