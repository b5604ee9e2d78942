"""What a capped run has taken from the LLM, written down before it is sent: a crash gives nothing back."""

from sqlalchemy import Column, Engine, Float, ForeignKey, Integer, String, Table, select, update
from sqlalchemy.exc import IntegrityError

from serving.database import metadata, reading, writing
from serving.llm.meter import Used

spending = Table(
    "spending",
    metadata,
    Column("run", String(80), ForeignKey("runs.id"), primary_key=True),
    Column("requests", Integer, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
)


class Spending:
    """The account of one run. What was under way when its process died stays charged in full."""

    def __init__(self, engine: Engine, run: str) -> None:
        self._engine, self._run = engine, run

    def used(self) -> Used:
        with reading(self._engine) as connection:
            row = connection.execute(select(spending).where(spending.c.run == self._run)).one_or_none()
        return Used() if row is None else Used(row.requests, row.tokens, row.seconds)

    def book(self, more: Used) -> None:
        """Adds to the account."""
        try:
            if not self._add(more):
                with writing(self._engine) as connection:
                    connection.execute(spending.insert().values(run=self._run, **vars(more)))
        except IntegrityError:  # another thread has opened the account
            self._add(more)

    def _add(self, more: Used) -> bool:
        """False where there is no account yet."""
        with writing(self._engine) as connection:
            changed = {name: spending.c[name] + value for name, value in vars(more).items()}
            query = update(spending).where(spending.c.run == self._run).values(changed)
            return bool(connection.execute(query).rowcount)
