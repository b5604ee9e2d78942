"""What people answer: stored in the transaction that ends their lease, changed by adding, read by the run.

Until a round is read, an answer that is taken back opens its text again. Once the run has read it, the answer stands
until its person gives a new one; that one enters the run as a correction with the next round that people label, and the
exported labels at any time.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, and_, select

from agent.errors import BadInput, ThresherError
from evaluation.agreement import Rating
from serving.database import reading, writing
from serving.runs.events import append
from serving.runs.review_queue import (
    LEASE,
    Ask,
    Choice,
    Clock,
    Item,
    Names,
    Queue,
    held,
    hidden,
    numbered,
    stamp,
    time_is_up,
)
from serving.runs.review_tables import answers, copies, lock, reviews, rounds
from serving.runs.store import waiting_over

Over = Callable[[Connection, str], None]


class Lost(ThresherError):
    """An answer that came too late: the text is somebody else's by now, or was put back. It is not stored."""

    def __init__(self, what: str, choice: Choice) -> None:
        self.choice = choice
        said = f"the label {choice.label!r}" if choice.label is not None else f"the verdict {choice.verdict!r}"
        super().__init__(f"{what}; the answer was {said}", "ask for the next text and go on")


@dataclass(frozen=True)
class Receipt:
    """What became of an answer."""

    run: str
    example: str
    choice: Choice
    confirmed: bool
    repeated: bool
    """True where this token had been answered before: that answer stands, and nothing was stored now."""
    done: int
    total: int
    round: int

    @property
    def complete(self) -> bool:
        return self.done >= self.total


@dataclass(frozen=True)
class Given:
    """One answer as the run reads it."""

    example: str
    who: str
    choice: Choice
    seconds: float
    confirmed: bool
    fresh: bool
    """True where the run has not taken it in with an earlier round."""
    paid: bool
    """True where it costs a label; a correction has been paid with the answer that it corrects."""


class Reviews(Queue):
    """The queue, and the answers of people.

    Args:
        over: called in the transaction that completes a round: the run that waited for it may go on.
    """

    def __init__(
        self, engine: Engine, over: Over = waiting_over, *, lease: float = LEASE, clock: Clock | None = None
    ) -> None:
        super().__init__(engine, lease=lease, **({} if clock is None else {"clock": clock}))
        self._over = over

    def answer(self, token: str, choice: Choice, seconds: float | None = None) -> Receipt:
        """Stores an answer and ends its lease. A token that was answered before gets the same receipt again.

        Args:
            seconds: how long the person took; what the lease has lasted, where unknown or longer.

        Raises:
            BadInput: the label is none of the task.
            NoToken: no such token was ever given out.
            Lost: the lease has ended otherwise.
        """
        with writing(self.engine) as connection:
            copy = held(connection, token)
            known = connection.execute(select(answers).where(answers.c.token == token)).one_or_none()
            if known is None:
                self.store(connection, copy, token, choice, seconds)
            row = known or connection.execute(select(answers).where(answers.c.token == token)).one()
            return _receipt(connection, copy, row, repeated=known is not None)

    def undo(self, run: str, who: str, example: str | None = None) -> Item | None:
        """The person's last answer (or that to `example`) to be given again; None where there is none to change."""
        own = and_(answers.c.run == run, answers.c.who == who, answers.c.state == "stands")
        query = select(answers).join(copies, copies.c.id == answers.c.copy).where(own, _free(self.clock()))
        if example is not None:
            query = query.join(reviews, reviews.c.id == answers.c.review).where(reviews.c.example == example)
        with writing(self.engine) as connection:
            lock(connection, run)
            row = connection.execute(query.order_by(answers.c.id.desc()).limit(1)).first()
            if row is None:
                return None
            copy = connection.execute(select(copies).where(copies.c.id == row.copy).with_for_update()).one()
            if row.entered is None:
                copy = retract(connection, copy, row)
            return self.give(connection, copy, who, Choice(verdict=row.verdict, label=row.label))

    def holder(self, token: str) -> tuple[str, str] | None:
        """Run and person that a token was given out for; None where it is not known, or not theirs any more."""
        number = numbered(token)
        if number is None:
            return None
        leased = select(copies.c.run, copies.c.who).where(copies.c.id == number, copies.c.token == token)
        stored = select(answers.c.run, answers.c.who).where(answers.c.token == token)
        with reading(self.engine) as connection:
            row = connection.execute(leased).first() or connection.execute(stored).first()
        return None if row is None else (row.run, row.who)

    def answered(self, run: str, index: int) -> list[Given] | None:
        """All answers to the texts of a round, and to earlier ones where an answer has changed; None where some miss.

        From here on the run has read them. Reading the same round again gives them again.
        """
        with writing(self.engine) as connection:
            asked = [row for row in lock(connection, run) if row.round == index and row.kind == "labels"]
            if asked and asked[0].done < asked[0].total and not _end(connection, asked[0]):
                return None
            here = and_(rounds.c.run == run, rounds.c.round == index, rounds.c.kind == "labels")
            connection.execute(rounds.update().where(here).values(closed=True))
            found = _new(connection, run, index)
            until = select(reviews.c.id).where(reviews.c.run == run, reviews.c.round <= index)
            new = and_(answers.c.run == run, answers.c.state == "stands", answers.c.entered.is_(None))
            connection.execute(answers.update().where(new, answers.c.review.in_(until)).values(entered=index))
        return found

    def late(self, run: str) -> list[Given]:
        """What a run has not read: answers that changed since, and those of a round that was never finished."""
        with reading(self.engine) as connection:
            return _new(connection, run, None)

    def ratings(self, run: str) -> list[Rating]:
        """All answers that stand, for `evaluation.agreement`."""
        with reading(self.engine) as connection:
            return [
                Rating(
                    item=f"{row.round}/{row.example}",
                    who=row.who,
                    said=row.label if row.verdict == "label" else f"({row.verdict})",
                    machine=row.machine,
                    shown=row.shown,
                )
                for row in _standing(connection, run, None)
            ]

    def asked(self, run: str, examples: Iterable[str]) -> dict[str, Ask]:
        """What people saw of these examples, by id."""
        if not (wanted := set(examples)):
            return {}
        with reading(self.engine) as connection:
            rows = connection.execute(select(reviews.c.example, reviews.c.item).where(reviews.c.run == run))
            return {row.example: Ask.model_validate_json(row.item) for row in rows if row.example in wanted}

    def missing(self, run: str, index: int) -> tuple[str, ...]:
        """Ids of the examples of a round that are not answered in full, in order."""
        query = select(reviews.c.example, reviews.c.position).join(copies, copies.c.review == reviews.c.id)
        where = reviews.c.run == run, reviews.c.round == index, copies.c.state.in_(("open", "held"))
        with reading(self.engine) as connection:
            return tuple(
                row.example for row in connection.execute(query.where(*where).distinct().order_by(reviews.c.position))
            )

    def store(
        self,
        connection: Connection,
        copy: Any,
        token: str,
        choice: Choice,
        seconds: float | None,
        shown: bool | None = None,
    ) -> None:
        """Stores the answer to a copy that is leased under this token, and ends the lease.

        Args:
            shown: whether the person saw the machine's label; None: as the queue shows it.

        Raises:
            BadInput: the label is none of the task.
            Lost: the copy is not leased under this token.
        """
        if copy.token != token:
            taken = copy.who is not None
            raise Lost("this text went to somebody else" if taken else "this text was put back for others", choice)
        place = and_(rounds.c.run == copy.run, rounds.c.round == copy.round, rounds.c.kind == "labels")
        asked = connection.execute(select(rounds).where(place)).one()
        check(choice, Names.validate_json(asked.names))
        ask = _ask(connection, copy.review)
        says = ask.suggestion.label if ask.suggestion else None
        now = self.clock()
        shown = not hidden(copy.run, ask.example, copy.who, asked.blind) if shown is None else shown
        row = {
            "shown": says is not None and shown,
            "machine": says,
            "seconds": max(0.0, min(now - copy.leased, now - copy.leased if seconds is None else seconds)),
            "verdict": choice.verdict,
            "label": choice.label,
            "token": token,
            "created": stamp(now),
        }
        _supersede(connection, copy, row)
        ended = {"state": "done", "token": None, "expires": None}
        connection.execute(copies.update().where(copies.c.id == copy.id).values(ended))
        if copy.state == "held":
            connection.execute(rounds.update().where(place).values(done=asked.done + 1))
            append(connection, copy.run, "label", {"round": copy.round, "done": asked.done + 1, "total": asked.total})
            if asked.done + 1 == asked.total or _end(connection, asked):
                self._over(connection, copy.run)


def check(choice: Choice, names: tuple[str, ...]) -> None:
    """Raises BadInput where a choice is none that the task knows."""
    if choice.verdict not in ("label", "undecided", "bad_text"):
        raise BadInput(f"there is no verdict {choice.verdict!r}", "use label, undecided or bad_text")
    if choice.verdict == "label" and choice.label not in names:
        raise BadInput(f"{choice.label!r} is no label of the task", f"use one of {', '.join(names)}")
    if choice.verdict != "label" and choice.label is not None:
        raise BadInput(f"the verdict {choice.verdict!r} came with the label {choice.label!r}", "send one of them")


def _free(now: float) -> Any:
    """Copies whose answer nobody is changing at the moment."""
    return (copies.c.state == "done") & (copies.c.token.is_(None) | (copies.c.expires <= now))


def retract(connection: Connection, copy: Any, row: Any) -> Any:
    """Takes back an answer that the run has not read: its text is open again."""
    connection.execute(answers.update().where(answers.c.id == row.id).values(state="undone"))
    connection.execute(copies.update().where(copies.c.id == copy.id).values(state="held", token=None))
    place = and_(rounds.c.run == copy.run, rounds.c.round == copy.round, rounds.c.kind == "labels")
    connection.execute(rounds.update().where(place).values(done=rounds.c.done - 1))
    return connection.execute(select(copies).where(copies.c.id == copy.id)).one()


def _supersede(connection: Connection, copy: Any, row: dict[str, Any]) -> None:
    """Adds an answer, and notes it at those of the same person that it takes the place of."""
    whose = {"run": copy.run, "review": copy.review, "copy": copy.id, "who": copy.who, "state": "stands"}
    earlier = and_(answers.c.copy == copy.id, answers.c.who == copy.who, answers.c.superseded_by.is_(None))
    old = connection.execute(select(answers.c.id, answers.c.state).where(earlier)).all()
    made = connection.execute(answers.insert().values(row | whose)).inserted_primary_key
    assert made is not None
    for each in old:
        state = "superseded" if each.state == "stands" else each.state
        values = {"superseded_by": made[0], "state": state}
        connection.execute(answers.update().where(answers.c.id == each.id).values(values))


def _end(connection: Connection, asked: Any) -> bool:
    """Ends a round where people's time is spent, and takes back what nobody has begun; False where there is time left.

    Who looks at a text at that moment may still answer it, so that nobody's work is thrown away; the run does not wait.
    """
    if not time_is_up(connection, asked):
        return False
    here = and_(copies.c.run == asked.run, copies.c.round == asked.round)
    connection.execute(copies.update().where(here, copies.c.state == "open").values(state="gone"))
    place = and_(rounds.c.run == asked.run, rounds.c.round == asked.round, rounds.c.kind == "labels")
    connection.execute(rounds.update().where(place).values(total=rounds.c.done))
    return True


def _ask(connection: Connection, review: int) -> Ask:
    return Ask.model_validate_json(
        connection.execute(select(reviews.c.item).where(reviews.c.id == review)).scalar_one()
    )


def _receipt(connection: Connection, copy: Any, row: Any, *, repeated: bool) -> Receipt:
    place = and_(rounds.c.run == copy.run, rounds.c.round == copy.round, rounds.c.kind == "labels")
    asked = connection.execute(select(rounds).where(place)).one()
    choice = Choice(verdict=row.verdict, label=row.label)
    example = _ask(connection, copy.review).example
    return Receipt(copy.run, example, choice, _confirmed(row), repeated, asked.done, asked.total, copy.round)


def _new(connection: Connection, run: str, index: int | None) -> list[Given]:
    """The answers that stand to all texts up to round `index` (None: to all) of which one is new to that round."""
    found = _standing(connection, run, index)
    earlier = answers.c.run == run, answers.c.entered.is_not(None)
    read = select(answers.c.copy, answers.c.entered).where(*earlier)
    paid = {row.copy for row in connection.execute(read) if row.entered != index}
    fresh = {row.id: row.entered is None or row.entered == index for row in found}
    touched = {row.review for row in found if fresh[row.id]}
    return [
        Given(
            example=row.example,
            who=row.who,
            choice=Choice(verdict=row.verdict, label=row.label),
            seconds=row.seconds,
            confirmed=_confirmed(row),
            fresh=fresh[row.id],
            paid=fresh[row.id] and row.copy not in paid,
        )
        for row in found
        if row.review in touched
    ]


def _standing(connection: Connection, run: str, index: int | None) -> list[Any]:
    """In the order of the texts and of time."""
    query = (
        select(answers, reviews.c.example, reviews.c.round, reviews.c.position)
        .join(reviews, reviews.c.id == answers.c.review)
        .where(answers.c.run == run, answers.c.state == "stands")
        .order_by(reviews.c.round, reviews.c.position, answers.c.id)
    )
    return list(connection.execute(query if index is None else query.where(reviews.c.round <= index)))


def _confirmed(row: Any) -> bool:
    """True where the person saw the machine's label and gave the same."""
    return bool(row.shown) and row.verdict == "label" and row.label == row.machine
