"""The review queue: which text a person looks at next, and for how long it is theirs.

Every text gets its first answer before any gets a second one. A lease ends with an answer, a skip, or its expiry; then
somebody else may have the copy.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine, Select, and_, delete, exists, func, or_, select
from sqlalchemy.exc import IntegrityError

from agent.errors import BadInput, StoreError
from prompts.messages import Frozen
from serving.database import reading, writing
from serving.runs.review_tables import answers, copies, lock, reviews, rounds, skips
from serving.runs.schema import runs
from serving.shapes_people import Choice, Suggestion

LEASE = 600.0
"""Seconds that a text is kept for somebody who looks at it."""
OVER = ("done", "cancelled")
"""States of a run that asks nothing any more."""
_TRIES = 8
_CHUNK = 5_000
Clock = Callable[[], float]
Names = TypeAdapter(tuple[str, ...])


class NoToken(BadInput):
    """A token that was never given out."""

    def __init__(self, token: str) -> None:
        super().__init__(f"there is no text with the token {token[:80]!r}", "ask for the next text")


class Ask(Frozen):
    """A text that somebody is to label."""

    example: str
    text: str
    text_b: str | None = None
    suggestion: Suggestion | None = None


@dataclass(frozen=True)
class Item:
    """A text that is leased to one person."""

    token: str
    run: str
    round: int
    position: int
    ask: Ask
    """Its suggestion is None where there is none, and where it is hidden."""
    blind: bool
    """True where there is a suggestion, and it is hidden."""
    expires: float
    """Seconds since 1970."""
    chosen: Choice | None = None
    """What the person said before, where the answer is being changed."""


@dataclass(frozen=True)
class Progress:
    """How far the newest round is. A copy is one text for one person."""

    round: int
    total: int
    done: int
    held: int
    mine: int
    """Answers of the person, over all rounds."""
    pace: float | None
    """Mean seconds of the person's last 20 answers."""

    @property
    def complete(self) -> bool:
        return self.done >= self.total


class Queue:
    """The queue of all runs in one database. Any number of threads and processes may hold one.

    Args:
        lease: seconds that a text is kept for a person.
        clock: seconds since 1970; tests hand in their own.
    """

    def __init__(self, engine: Engine, *, lease: float = LEASE, clock: Clock = time.time) -> None:
        self.engine, self.seconds, self.clock = engine, lease, clock

    def put(
        self,
        run: str,
        index: int,
        asks: Sequence[Ask],
        names: Sequence[str],
        *,
        overlap: int = 1,
        blind: float = 0.2,
        most: float | None = None,
    ) -> None:
        """Asks `overlap` people for a label of each text, in round `index`; asking the same again changes nothing.

        Args:
            names: the labels of the task.
            blind: share of texts whose suggestion is hidden, 0 to 1.
            most: seconds of people, over all rounds of the run, at which nothing more is handed out; None: any.

        Raises:
            StoreError: the round has asked for other texts.
        """
        if not asks:
            return
        try:
            with writing(self.engine) as connection:
                place = {"run": run, "round": index, "kind": "labels", "created": stamp(self.clock())}
                begin(connection, place | {"total": len(asks) * overlap, "blind": blind, "most": most}, names)
                _fill(connection, run, index, asks, overlap)
        except IntegrityError:
            with reading(self.engine) as connection:
                query = select(reviews.c.example).where(reviews.c.run == run, reviews.c.round == index)
                known = set(connection.execute(query).scalars())
            if known != {ask.example for ask in asks}:
                what = f"round {index} of run {run!r} has asked people for other texts"
                raise StoreError(what, "continue it with the version that began it") from None

    def lease(self, run: str, who: str) -> Item | None:
        """The next text for a person, or the one they hold already; None where nothing is to do for them."""
        for _ in range(_TRIES):
            try:
                with writing(self.engine) as connection:
                    return self._lease(connection, run, who)
            except IntegrityError:  # two requests of one person met at two copies of one text
                continue
        raise StoreError(f"{who!r} asks for the next text too often at once", "try again")

    def skip(self, token: str) -> bool:
        """Puts a text back for others, and at the end for its person; False where it is not theirs any more.

        Raises:
            NoToken: no such token was ever given out.
        """
        with writing(self.engine) as connection:
            copy = held(connection, token)
            if copy.token != token:
                return False
            freed = {"token": None, "expires": None}
            if copy.state == "held":
                freed |= {"state": "open", "who": None, "leased": None}
                put_off(connection, copy.review, copy.who, self.clock())
            connection.execute(copies.update().where(copies.c.id == copy.id).values(freed))
        return True

    def progress(self, run: str, who: str = "") -> Progress | None:
        """Where the newest round stands; None where the run has asked nothing yet."""
        newest = rounds.c.run == run, rounds.c.kind == "labels"
        with reading(self.engine) as connection:
            row = connection.execute(select(rounds).where(*newest).order_by(rounds.c.round.desc()).limit(1)).first()
            if row is None:
                return None
            live = and_(copies.c.run == run, copies.c.state == "held", copies.c.expires > self.clock())
            own = and_(answers.c.run == run, answers.c.who == who, answers.c.state == "stands")
            last = select(answers.c.seconds).where(own).order_by(answers.c.id.desc()).limit(20)
            seconds = list(connection.execute(last).scalars())
            return Progress(
                round=row.round,
                total=row.total,
                done=row.done,
                held=counted(connection, select(copies.c.id).where(live)),
                mine=counted(connection, select(answers.c.id).where(own)),
                pace=sum(seconds) / len(seconds) if seconds else None,
            )

    def give(self, connection: Connection, copy: Any, who: str, chosen: Choice | None = None) -> Item:
        """Leases a copy to a person, anew or for longer; a lease that they hold keeps its token."""
        now, asked = self.clock(), _round_of(connection, copy)
        same = copy.token is not None and copy.who == who
        token = str(copy.token) if same else minted(copy.id, asked.secret)
        values = {"who": who, "token": token, "expires": now + self.seconds}
        values |= {} if same else {"leased": now}
        values |= {} if copy.state == "done" else {"state": "held"}
        connection.execute(copies.update().where(copies.c.id == copy.id).values(values))
        ask = _seen(connection, copy)
        blind = ask.suggestion is not None and hidden(copy.run, ask.example, who, asked.blind)
        ask = ask.model_copy(update={"suggestion": None}) if blind else ask
        return Item(token, copy.run, copy.round, copy.position, ask, blind, now + self.seconds, chosen)

    def _lease(self, connection: Connection, run: str, who: str) -> Item | None:
        state = connection.execute(select(runs.c.state).where(runs.c.id == run)).scalar_one_or_none()
        if state == "cancelled":
            return None
        own = select(copies).where(copies.c.run == run, copies.c.who == who, copies.c.token.is_not(None))
        live = or_(copies.c.state == "held", copies.c.expires > self.clock())
        copy = connection.execute(own.where(live).order_by(copies.c.leased.desc()).limit(1).with_for_update()).first()
        if copy is not None:
            return self.give(connection, copy, who, _chosen(connection, copy))
        if state is None or state in OVER or self._spent_up(connection, run):
            return None
        found = next((row for query in self._free(run, who) if (row := connection.execute(query).first())), None)
        return None if found is None else self.give(connection, found, who)

    def _spent_up(self, connection: Connection, run: str) -> bool:
        capped = select(rounds).where(rounds.c.run == run, rounds.c.most.is_not(None)).limit(1)
        asked = connection.execute(capped).first()
        return asked is not None and time_is_up(connection, asked)

    def _free(self, run: str, who: str) -> list[Select[Any]]:
        """Where to look, in this order: leases that ran out, open texts, texts that the person has skipped."""
        other = copies.alias("other")
        free = select(copies).where(
            copies.c.run == run, ~exists().where(other.c.review == copies.c.review, other.c.who == who)
        )
        opened = copies.c.state == "open"
        lapsed = and_(copies.c.state == "held", copies.c.expires <= self.clock())
        skipped = and_(skips.c.review == copies.c.review, skips.c.who == who)
        fresh = ~exists().where(skipped)
        return [
            one.limit(1).with_for_update(skip_locked=True, of=copies)
            for one in (
                free.where(lapsed, fresh).order_by(copies.c.expires),
                free.where(opened, fresh).order_by(copies.c.slot, copies.c.round, copies.c.position),
                free.join(skips, skipped).where(or_(opened, lapsed)).order_by(skips.c.at),
            )
        ]


def held(connection: Connection, token: str) -> Any:
    """The copy that a token was given out for, with its run locked. Raises NoToken where it never was."""
    number = numbered(token)
    place = select(copies.c.run).where(copies.c.id == number)
    run = None if number is None else connection.execute(place).scalar_one_or_none()
    if run is None:
        raise NoToken(token)
    asked = lock(connection, run)
    copy = connection.execute(select(copies).where(copies.c.id == number).with_for_update()).one()
    if not any(row.round == copy.round and row.kind == "labels" and _ours(token, row.secret) for row in asked):
        raise NoToken(token)
    return copy


def minted(copy: int, secret: str) -> str:
    """A token for a copy: its number, 128 random bits, and a mark that only this queue can make."""
    body = f"{copy}-{secrets.token_hex(16)}"
    return f"{body}-{_mark(body, secret)}"


def _mark(body: str, secret: str) -> str:
    return hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()[:16]


def _ours(token: str, secret: str) -> bool:
    """Whether a token was given out at some time. Of a round without a secret nobody can tell: it may have been."""
    body, _, mark = token.rpartition("-")
    return not secret or hmac.compare_digest(mark.encode(), _mark(body, secret).encode())


def numbered(token: str) -> int | None:
    """The number of the copy that a token names; None where it names none. Tokens themselves are in no index."""
    number = token.split("-")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None


def time_is_up(connection: Connection, asked: Any) -> bool:
    """Whether people have given the run all the time that they may, as its round `asked` says."""
    if asked.most is None:
        return False
    given = select(func.coalesce(func.sum(answers.c.seconds), 0.0)).where(answers.c.run == asked.run)
    return bool(connection.execute(given).scalar_one() >= asked.most)


def put_off(connection: Connection, review: int, who: str, now: float) -> None:
    """The text comes last for this person from now on."""
    connection.execute(delete(skips).where(skips.c.review == review, skips.c.who == who))
    connection.execute(skips.insert().values(review=review, who=who, at=now))


def hidden(run: str, example: str, who: str, share: float) -> bool:
    """Whether this person sees this text without the machine's suggestion: for the share of all, the same each time."""
    digest = hashlib.sha256("\x1f".join(("blind", run, example, who)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def stamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds")


def counted(connection: Connection, rows: Select[Any]) -> int:
    """How many rows a query finds."""
    return int(connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one())


def begin(connection: Connection, values: dict[str, Any], names: Sequence[str]) -> None:
    """Records a round of questions that nobody has answered yet."""
    named = Names.dump_json(tuple(names)).decode()
    fresh = {"done": 0, "closed": False, "names": named, "secret": secrets.token_hex(16)}
    connection.execute(rounds.insert().values(values | fresh))


def _fill(connection: Connection, run: str, index: int, asks: Sequence[Ask], overlap: int) -> None:
    for at in range(0, len(asks), _CHUNK):
        place = {"run": run, "round": index}
        rows = [
            place | {"position": at + i, "example": ask.example, "item": ask.model_dump_json()}
            for i, ask in enumerate(asks[at : at + _CHUNK])
        ]
        made = connection.execute(reviews.insert().returning(reviews.c.id, reviews.c.position), rows).all()
        each = [
            place | {"review": row.id, "position": row.position, "slot": slot, "state": "open"}
            for slot in range(overlap)
            for row in made
        ]
        connection.execute(copies.insert(), each)


def _round_of(connection: Connection, copy: Any) -> Any:
    here = rounds.c.run == copy.run, rounds.c.round == copy.round, rounds.c.kind == "labels"
    return connection.execute(select(rounds.c.blind, rounds.c.secret).where(*here)).one()


def _seen(connection: Connection, copy: Any) -> Ask:
    text = connection.execute(select(reviews.c.item).where(reviews.c.id == copy.review)).scalar_one()
    return Ask.model_validate_json(text)


def _chosen(connection: Connection, copy: Any) -> Choice | None:
    """What the holder of a copy answered before it was opened again."""
    own = select(answers).where(answers.c.copy == copy.id, answers.c.who == copy.who)
    row = connection.execute(own.order_by(answers.c.id.desc()).limit(1)).first()
    return None if row is None else Choice(verdict=row.verdict, label=row.label)
