"""Requests that may be sent twice: what an `Idempotency-Key` has made."""

import hashlib

from sqlalchemy import Column, Engine, String, Table
from sqlalchemy.exc import IntegrityError

from serving.database import metadata, reading, writing
from serving.problem import Refused
from serving.runs.events import now

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("body", String(64), nullable=False),
    Column("run", String(80), nullable=False),
    Column("created", String(32), nullable=False),
)


class Idempotency:
    """Which run a request with an `Idempotency-Key` made, so that sending it twice makes one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def find(self, caller: str, key: str, body: bytes) -> str | None:
        """The run of an equal request; None where there was none.

        Raises:
            Refused: 409, where the key came with another body before.
        """
        with reading(self.engine) as connection:
            query = idempotency.select().where(idempotency.c.key == _digest(f"{caller}\0{key}".encode()))
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.body != _digest(body):
            raise Refused(409, f"the Idempotency-Key {key[:60]!r} came with another body before", "take a new key")
        return str(row.run)

    def keep(self, caller: str, key: str, body: bytes, run: str) -> None:
        """The first of two equal requests at once stands; both have made the same run."""
        row = {"key": _digest(f"{caller}\0{key}".encode()), "body": _digest(body), "run": run, "created": now()}
        try:
            with writing(self.engine) as connection:
                connection.execute(idempotency.insert().values(row))
        except IntegrityError:
            self.find(caller, key, body)


def _digest(what: bytes) -> str:
    return hashlib.sha256(what).hexdigest()
