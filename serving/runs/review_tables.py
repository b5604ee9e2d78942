"""The tables of the review queue. An item has one row, and one more for each person who is to answer it (a copy)."""

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    select,
    text,
)

from serving.database import metadata

WHO = 80
"""Longest name of a person, in characters."""

rounds = Table(
    "review_rounds",
    metadata,
    Column("run", String(80), ForeignKey("runs.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("kind", String(6), primary_key=True),  # labels | picks
    Column("names", Text, nullable=False),  # JSON: the labels of the task
    Column("blind", Float, nullable=False),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("created", String(32), nullable=False),
    Column("most", Float),
    Column("secret", String(32), nullable=False, server_default=""),
)
"""One round of questions. `done` of `total` copies (or picks) are answered, counted where they change; `closed` means
that the run has read them. `most` is the seconds of people, over all rounds of the run, at which it asks no more. With
`secret` its tokens are marked; rounds that an older version began have none."""

reviews = Table(
    "reviews",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run", String(80), ForeignKey("runs.id"), nullable=False),
    Column("round", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("example", Text, nullable=False),
    Column("item", Text, nullable=False),  # JSON: text, pair, the machine's suggestion
    UniqueConstraint("run", "round", "example"),
)

_HELD = "token IS NOT NULL"

copies = Table(
    "review_copies",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("review", Integer, ForeignKey("reviews.id"), nullable=False),
    Column("run", String(80), nullable=False),
    Column("round", Integer, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("state", String(4), nullable=False),  # open | held | done | gone
    Column("who", String(WHO)),
    Column("token", String(64)),
    Column("leased", Float),
    Column("expires", Float),
    UniqueConstraint("review", "who"),  # nobody gets two copies of one item, however requests race
    Index("review_copies_next", "run", "state", "slot", "round", "position"),
    Index("review_copies_expired", "run", "state", "expires"),
    Index("review_copies_held", "run", "who", sqlite_where=text(_HELD), postgresql_where=text(_HELD)),
)
"""`token` and `expires` belong to a lease; a copy that is done has them while its answer is being changed."""

answers = Table(
    "answers",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run", String(80), ForeignKey("runs.id"), nullable=False),
    Column("review", Integer, ForeignKey("reviews.id"), nullable=False),
    Column("copy", Integer, ForeignKey("review_copies.id"), nullable=False),
    Column("who", String(WHO), nullable=False),
    Column("token", String(64), nullable=False, unique=True),
    Column("verdict", String(10), nullable=False),  # label | undecided | bad_text
    Column("label", Text),
    Column("seconds", Float, nullable=False),
    Column("shown", Boolean, nullable=False),
    Column("machine", Text),
    Column("state", String(10), nullable=False),  # stands | undone | superseded
    Column("superseded_by", Integer),
    Column("entered", Integer),
    Column("created", String(32), nullable=False),
    Index("answers_of_person", "run", "who", "state"),
    Index("answers_of_copy", "copy"),
    Index("answers_of_review", "review"),
)
"""Never deleted. `machine` is the suggested label, `shown` whether it was on the page; `entered` is the round of the
run that has taken the answer in, null while none has."""

skips = Table(
    "review_skips",
    metadata,
    Column("review", Integer, ForeignKey("reviews.id"), primary_key=True),
    Column("who", String(WHO), primary_key=True),
    Column("at", Float, nullable=False),
)

picks = Table(
    "review_picks",
    metadata,
    Column("run", String(80), ForeignKey("runs.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("example", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("item", Text, nullable=False),  # JSON: text, pair, why the LLM chose it
    Column("kept", Boolean),
    Column("reason", Text, nullable=False),
    Column("who", String(WHO), nullable=False),
    Column("decided", String(32), nullable=False),
)
"""`kept` is null until an expert has said whether the pick stays."""

TABLES = (rounds, reviews, copies, answers, skips, picks)


def lock(connection: Connection, run: str) -> list[Any]:
    """The rounds of a run, oldest first, held until the transaction ends.

    Whoever changes answers, or reads them into a run, holds these rows: counts, completion and what a round has taken
    in are then decided by one at a time. (SQLite has one writer anyway.)
    """
    query = select(rounds).where(rounds.c.run == run).order_by(rounds.c.round, rounds.c.kind).with_for_update()
    return list(connection.execute(query))
