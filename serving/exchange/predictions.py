"""What Label Studio is shown of a run: texts that wait for people, and stored labels of the machine's."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, exists, func, select

from agent.lab import Labels
from serving.database import reading
from serving.exchange.deliveries import EVERYBODY
from serving.exchange.label_config import Controls
from serving.exchange.label_studio import STANDARD, data_of, region
from serving.runs.job import Job
from serving.runs.review_queue import Ask, Suggestion, hidden
from serving.runs.review_tables import copies, reviews, rounds
from serving.runs.schema import steps
from serving.runs.store import Store
from serving.runs.uploads import parts

_ASKED = 500


@dataclass(frozen=True)
class Text:
    """A text of a run, and what the machine says of it."""

    text: str | None
    """None where only its id is known here: the LLM wrote it."""
    text_b: str | None = None
    machine: Suggestion | None = None
    blind: bool = False
    """Whether people are to label it without seeing that."""


class Stored:
    """What is stored of one run.

    Args:
        pool: the run's copy of its texts.
    """

    def __init__(self, store: Store, job: Job, run: str, pool: Path) -> None:
        self._store, self._engine, self._run, self._pool = store, store.engine, run, pool
        self._start = f"{job.main.key()}/"

    def version(self) -> str:
        """Changes where there may be new labels of the machine: Label Studio then asks for them again."""
        annotated = (steps.c.key.startswith(self._start, autoescape=True), steps.c.key.endswith("/annotate"))
        with reading(self._engine) as connection:
            done = select(func.count()).where(steps.c.run == self._run, *annotated)
            asked = select(func.count()).where(rounds.c.run == self._run)
            return f"{self._run}@{connection.execute(done).scalar_one() + connection.execute(asked).scalar_one()}"

    def texts(self, ids: Iterable[str]) -> dict[str, Text]:
        """The texts of these ids; ids that are none of the run's are left out."""
        wanted = [id_ for id_ in dict.fromkeys(ids) if _storable(id_)]
        asked = {ask.example: (ask, blind) for ask, blind in _asks(self._engine, self._run, wanted)}
        said = self._said(set(wanted))
        held = _held(self._pool, [id_ for id_ in wanted if id_ not in asked])
        found: dict[str, Text] = {}
        for id_ in wanted:
            if id_ in asked:
                ask, blind = asked[id_]
                found[id_] = Text(ask.text, ask.text_b, ask.suggestion or said.get(id_), blind)
            elif id_ in held or id_ in said:
                text, text_b = held.get(id_, (None, None))
                found[id_] = Text(text, text_b, said.get(id_))
        return found

    def waiting(self) -> Iterator[dict[str, Any]]:
        """The texts that wait for people as tasks with their predictions, in the order in which the run asks."""
        version = self.version()
        for ask, blind in _asks(self._engine, self._run, None):
            shown = prediction(Text(ask.text, ask.text_b, ask.suggestion, blind), version)
            data = data_of(ask.example, ask.text, ask.text_b)
            yield {"data": data, "predictions": [] if shown is None else [shown]}

    def pairs(self) -> bool:
        """Whether the run's texts are pairs."""
        import pyarrow.parquet as pq

        if not self._pool.exists():
            return False
        column = pq.read_table(self._pool, columns=["text_b"])["text_b"]
        return column.null_count < len(column)

    def _said(self, wanted: set[str]) -> dict[str, Suggestion]:
        """The machine's newest label of each text, from the recorded steps of the user's own cell."""
        recorded = self._store.recorded(self._run, self._start, "/annotate")
        found: dict[str, Suggestion] = {}
        for key in sorted(recorded, key=lambda key: int(key.split("/")[-2])):
            for each in Labels.model_validate_json(recorded[key]).annotations:
                label = each.answer.label
                if each.provenance == "machine" and label is not None and each.example in wanted:
                    found[each.example] = Suggestion(label=label, confidence=each.confidence, by=each.by)
        return found


def prediction(text: Text, version: str, controls: Controls = STANDARD) -> dict[str, Any] | None:
    """In Label Studio's words; None where the machine has said nothing. On the blind share it holds only the score."""
    machine = text.machine
    if machine is None:
        return None
    score = {} if machine.confidence is None else {"score": machine.confidence}
    shown = [] if text.blind else [region("machine", machine.label, controls) | score]
    return {"model_version": version, "score": machine.confidence, "result": shown}


def _asks(engine: Engine, run: str, ids: Sequence[str] | None) -> list[tuple[Ask, bool]]:
    """What people are asked, with whether the machine's label is hidden: of these ids, or all that still wait."""
    query = (
        select(reviews.c.item, reviews.c.example, rounds.c.blind)
        .join(
            rounds, (rounds.c.run == reviews.c.run) & (rounds.c.round == reviews.c.round) & (rounds.c.kind == "labels")
        )
        .where(reviews.c.run == run)
        .order_by(reviews.c.round, reviews.c.position)
    )
    waits = exists().where(copies.c.review == reviews.c.id, copies.c.state.in_(("open", "held")))
    with reading(engine) as connection:
        if ids is None:
            rows = list(connection.execute(query.where(waits)))
        else:
            some = (query.where(reviews.c.example.in_(part)) for part in parts(ids, _ASKED))
            rows = [row for one in some for row in connection.execute(one)]
    return [(Ask.model_validate_json(row.item), hidden(run, row.example, EVERYBODY, row.blind)) for row in rows]


def _held(pool: Path, ids: Sequence[str]) -> Mapping[str, tuple[str, str | None]]:
    """The texts of the pool with these ids."""
    import pyarrow.parquet as pq

    if not ids or not pool.exists():
        return {}
    found = pq.read_table(pool, columns=["id", "text", "text_b"], filters=[("id", "in", list(ids))]).to_pydict()
    rows = zip(found["id"], found["text"], found["text_b"], strict=True)
    return {id_: (text, text_b) for id_, text, text_b in rows}


def _storable(id_: str) -> bool:
    """Others reach neither database nor file, which know no such characters."""
    return "\0" not in id_ and id_.encode(errors="replace").decode() == id_
