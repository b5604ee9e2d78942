"""What Label Studio's webhook tells of annotations, taken into the review queue as the answers of people.

Each annotation has one row here: the time of the version that counts, and the answer that it became. A delivery that is
not newer changes nothing, whenever and however often it comes; a deletion is final, since Label Studio gives no number
twice. An answer that is there ends a lease under which somebody else was still looking: they are told so.
"""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, Column, Connection, Float, ForeignKey, Integer, String, Table, select

from serving.database import metadata, writing
from serving.problem import Refused
from serving.runs.events import append
from serving.runs.review_queue import Choice, Names, hidden, minted, put_off
from serving.runs.review_tables import answers, copies, lock, reviews
from serving.runs.reviews import Reviews, check, retract

annotations = Table(
    "label_studio_annotations",
    metadata,
    Column("run", String(80), ForeignKey("runs.id"), primary_key=True),
    Column("project", BigInteger, primary_key=True, autoincrement=False),
    Column("annotation", BigInteger, primary_key=True, autoincrement=False),
    Column("updated", Float, nullable=False),  # seconds since 1970, as Label Studio says
    Column("state", String(8), nullable=False),  # answer | skip | deleted
    Column("answer", Integer),
)
EVERYBODY = "label-studio"
"""Whose blind share a task has: one prediction is there for all who open it."""
_HINT = "label the texts that GET /label-studio/RUN/tasks gives"
Outcome = Literal["answer", "skip", "known", "deleted", "stands", "unknown"]
"""`known`: nothing new; `stands`: the run has read the answer, which a deletion cannot take back; `unknown`: deleted
before anything was known of it."""


@dataclass(frozen=True)
class Annotated:
    """One version of an annotation."""

    project: int
    annotation: int
    updated: float
    example: str
    who: str
    choice: Choice | None
    """None: skipped."""
    seconds: float | None
    prefilled: bool
    """Whether it began as the machine's prediction, so that the person saw that."""


class Deliveries:
    """The annotations of the runs of one database."""

    def __init__(self, queue: Reviews) -> None:
        self._queue = queue

    def take(self, run: str, given: Annotated) -> Outcome:
        """Takes one version of an annotation in; the same or an older one changes nothing.

        Raises:
            Refused: 409 where the run does not wait for it.
            BadInput: the label is none of the task.
        """
        with writing(self._queue.engine) as connection:
            rounds = lock(connection, run)
            known = _known(connection, run, given.project, given.annotation)
            if known is not None and (known.state == "deleted" or known.updated >= given.updated):
                return "known"
            copy = _place(connection, run, given, self._queue.clock())
            asked = next(row for row in rounds if row.round == copy.round and row.kind == "labels")
            if given.choice is not None:
                check(given.choice, Names.validate_json(asked.names))
            return self._put(connection, copy, given, known, asked)

    def tell(self, run: str, annotation: int, why: str) -> None:
        """Leaves word among the run's events that an annotation was not taken: Label Studio shows no answer of ours."""
        with writing(self._queue.engine) as connection:
            append(connection, run, "refused", {"tool": EVERYBODY, "annotation": annotation, "why": why})

    def delete(self, run: str, project: int, annotation: int) -> Outcome:
        """Takes an answer back that the run has not read; one that it has read stands."""
        with writing(self._queue.engine) as connection:
            lock(connection, run)
            known = _known(connection, run, project, annotation)
            if known is not None and known.state == "deleted":
                return "known"
            kept = known is not None and not _withdraw(connection, known)
            _note(connection, run, project, annotation, 0.0 if known is None else known.updated, "deleted", None)
        if kept:
            self.tell(run, annotation, "the run has read this label already: it stands until there is another one")
            return "stands"
        return "unknown" if known is None else "deleted"

    def _put(self, connection: Connection, copy: Any, given: Annotated, known: Any, asked: Any) -> Outcome:
        now, at = self._queue.clock(), (copy.run, given.project, given.annotation, given.updated)
        if given.choice is None:
            stands = None if known is None or _withdraw(connection, known) else known.answer
            put_off(connection, copy.review, given.who, now)
            _note(connection, *at, "skip", stands)
            return "skip" if stands is None else "stands"
        seconds = given.seconds or 0.0
        token = minted(copy.id, asked.secret)
        leased = {"who": given.who, "token": token, "leased": now - seconds - 1.0, "expires": now}
        leased |= {} if copy.state == "done" else {"state": "held"}
        connection.execute(copies.update().where(copies.c.id == copy.id).values(leased))
        mine = connection.execute(select(copies).where(copies.c.id == copy.id)).one()
        shown = given.prefilled and not hidden(copy.run, given.example, EVERYBODY, asked.blind)
        self._queue.store(connection, mine, token, given.choice, seconds, shown)
        answer = connection.execute(select(answers.c.id).where(answers.c.token == token)).scalar_one()
        _note(connection, *at, "answer", answer)
        return "answer"


def _known(connection: Connection, run: str, project: int, annotation: int) -> Any:
    c = annotations.c
    here = (c.run == run, c.project == project, c.annotation == annotation)
    return connection.execute(select(annotations).where(*here)).one_or_none()


def _note(
    connection: Connection, run: str, project: int, annotation: int, updated: float, state: str, answer: int | None
) -> None:
    c, values = annotations.c, {"updated": updated, "state": state, "answer": answer}
    here = (c.run == run, c.project == project, c.annotation == annotation)
    if not connection.execute(annotations.update().where(*here).values(values)).rowcount:
        row = {"run": run, "project": project, "annotation": annotation, **values}
        connection.execute(annotations.insert().values(row))


def _place(connection: Connection, run: str, given: Annotated, now: float) -> Any:
    """The copy that the annotation answers: the person's own, a free one, or a leased one. Raises Refused."""
    here = (reviews.c.run == run, reviews.c.example == given.example)
    newest = select(reviews.c.id).where(*here).order_by(reviews.c.round.desc()).limit(1)
    review = connection.execute(newest).scalar_one_or_none()
    if review is None:
        raise Refused(409, f"run {run!r} has not asked people about the text {given.example[:60]!r}", _HINT)
    found = connection.execute(select(copies).where(copies.c.review == review).with_for_update()).all()
    own = [copy for copy in found if copy.who == given.who]
    left = [copy for copy in found if copy.state != "done"]
    if not own and not left:
        people = f"{len(found)} people" if len(found) > 1 else "somebody"
        what = f"{people} labelled the text {given.example[:60]!r} before, as many as were asked"
        raise Refused(409, what, _HINT)
    # A text that nobody looks at goes before one that somebody holds.
    return min(own or left, key=lambda copy: (copy.state != "open", (copy.expires or 0.0) > now, copy.slot))


def _withdraw(connection: Connection, known: Any) -> bool:
    """Opens the text again that an annotation has answered; False where the run has read the answer."""
    row = connection.execute(select(answers).where(answers.c.id == known.answer)).one_or_none()
    if row is None or row.state != "stands":
        return True
    if row.entered is not None:
        return False
    copy = connection.execute(select(copies).where(copies.c.id == row.copy).with_for_update()).one()
    retract(connection, copy, row)
    freed = {"state": "open", "who": None, "token": None, "leased": None, "expires": None}
    connection.execute(copies.update().where(copies.c.id == copy.id).values(freed))
    return True
