"""Expert review of the LLM's picks: each is kept or struck out before anybody labels it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, and_, select
from sqlalchemy.exc import IntegrityError

from agent.domain import Pick
from agent.errors import BadInput, ThresherError
from prompts.messages import Frozen
from serving.database import reading, writing
from serving.runs.events import append
from serving.runs.review_queue import begin, stamp
from serving.runs.review_tables import lock, picks, rounds
from serving.runs.store import waiting_over


class Closed(ThresherError):
    """The run has read what experts said of these picks."""


class NoPick(BadInput):
    """A text that is no pick of the newest round that experts look over."""

    def __init__(self, run: str, index: int, example: str) -> None:
        super().__init__(f"{example[:80]!r} is no pick of round {index}", f"see GET /v1/runs/{run}/picks")


class Picked(Frozen):
    """One pick of the LLM, as an expert sees it."""

    example: str
    text: str
    text_b: str | None = None
    why: str = ""
    """The LLM's reason."""
    score: float | None = None


@dataclass(frozen=True)
class Decision:
    """Where one pick stands. `kept` None: nobody has decided."""

    round: int
    pick: Picked
    kept: bool | None
    reason: str
    who: str


class Picks:
    """The picks of all runs in one database.

    Args:
        over: called in the transaction that decides the last pick of a round: the run that waited for it may go on.
    """

    def __init__(
        self,
        engine: Engine,
        over: Callable[[Connection, str], None] = waiting_over,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.engine, self._over, self._clock = engine, over, clock

    def put(self, run: str, index: int, chosen: Sequence[Pick]) -> None:
        """Asks experts to look over the picks of a round; asking again changes nothing."""
        place = {"run": run, "round": index, "kind": "picks", "created": stamp(self._clock())}
        rows = [
            {
                "run": run,
                "round": index,
                "position": i,
                "example": pick.example.id,
                "item": _picked(pick).model_dump_json(),
                "reason": "",
                "who": "",
                "decided": "",
            }
            for i, pick in enumerate(chosen)
        ]
        try:
            with writing(self.engine) as connection:
                begin(connection, place | {"total": len(rows), "blind": 0.0}, ())
                connection.execute(picks.insert(), rows)
        except IntegrityError:
            return

    def list(self, run: str, limit: int = 100, after: str | None = None) -> list[Decision]:
        """The picks of the newest round that was looked over, in the order of choice; `after` is an example's id.

        Raises:
            NoPick: `after` is none of them, perhaps because they are those of another round by now.
        """
        with reading(self.engine) as connection:
            index = _newest(connection, run)
            here = and_(picks.c.run == run, picks.c.round == index)
            query = select(picks).where(here).order_by(picks.c.position).limit(limit)
            if after is not None:
                place = select(picks.c.position).where(here, picks.c.example == after)
                last = connection.execute(place).scalar_one_or_none()
                if last is None:
                    raise NoPick(run, index, after)
                query = query.where(picks.c.position > last)
            return [_decision(row) for row in connection.execute(query)]

    def decide(self, run: str, example: str | None, *, keep: bool, reason: str = "", who: str = "") -> int:
        """Keeps or strikes out a pick of the newest round, or all that nobody has decided (`example` None).

        Returns:
            How many picks of the round are still undecided.

        Raises:
            BadInput: the run asks no expert.
            NoPick: there is no such pick in that round.
            Closed: the picks that were kept are with those who label.
        """
        with writing(self.engine) as connection:
            asked = [row for row in lock(connection, run) if row.kind == "picks"]
            if not asked:
                raise BadInput(f"run {run!r} asks no expert about picks", f"see GET /v1/runs/{run}/picks")
            known = _asked(connection, asked[-1], example)
            if asked[-1].closed:
                raise Closed(f"the picks of round {asked[-1].round} have gone to labelling", "wait for the next round")
            values = {"kept": keep, "reason": reason, "who": who, "decided": stamp(self._clock())}
            connection.execute(picks.update().where(known).values(values))
            left = _count(connection, asked[-1])
            append(connection, run, "pick", {"round": asked[-1].round, "left": left})
            if not left and asked[-1].done < asked[-1].total:
                self._over(connection, run)
            return left

    def decided(self, run: str, index: int) -> dict[str, str] | None:
        """Reasons of the struck picks by example id, which are final from here on; None while some are undecided."""
        with writing(self.engine) as connection:
            lock(connection, run)
            place = and_(rounds.c.run == run, rounds.c.round == index, rounds.c.kind == "picks")
            row = connection.execute(select(rounds).where(place)).one()
            if row.done < row.total:
                return None
            connection.execute(rounds.update().where(place).values(closed=True))
            struck = and_(picks.c.run == run, picks.c.round == index, picks.c.kept.is_(False))
            return {row.example: row.reason for row in connection.execute(select(picks).where(struck))}

    def missing(self, run: str, index: int) -> tuple[str, ...]:
        """Ids of the examples that nobody has decided about, in the order of choice."""
        undecided = and_(picks.c.run == run, picks.c.round == index, picks.c.kept.is_(None))
        with reading(self.engine) as connection:
            query = select(picks.c.example).where(undecided).order_by(picks.c.position)
            return tuple(connection.execute(query).scalars())


def _asked(connection: Connection, asked: Any, example: str | None) -> Any:
    """Which picks a decision is about."""
    here = and_(picks.c.run == asked.run, picks.c.round == asked.round)
    if example is None:
        return and_(here, picks.c.kept.is_(None))
    one = and_(here, picks.c.example == example)
    if connection.execute(select(picks.c.example).where(one)).first() is None:
        raise NoPick(asked.run, asked.round, example)
    return one


def _count(connection: Connection, asked: Any) -> int:
    """Notes how many picks of a round are decided; returns how many are not."""
    here = and_(picks.c.run == asked.run, picks.c.round == asked.round, picks.c.kept.is_(None))
    left = len(connection.execute(select(picks.c.example).where(here)).all())
    place = and_(rounds.c.run == asked.run, rounds.c.round == asked.round, rounds.c.kind == "picks")
    connection.execute(rounds.update().where(place).values(done=asked.total - left))
    return left


def _newest(connection: Connection, run: str) -> int:
    asked = select(rounds.c.round).where(rounds.c.run == run, rounds.c.kind == "picks")
    found = connection.execute(asked.order_by(rounds.c.round.desc()).limit(1)).scalar_one_or_none()
    return -1 if found is None else found


def _picked(pick: Pick) -> Picked:
    e = pick.example
    return Picked(example=e.id, text=e.text, text_b=e.text_b, why=pick.why, score=pick.score)


def _decision(row: Any) -> Decision:
    return Decision(row.round, Picked.model_validate_json(row.item), row.kept, row.reason, row.who)
