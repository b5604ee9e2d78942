"""API keys: shown once when they are made, kept as a hash, each with the scopes that it opens."""

import contextlib
import hashlib
import hmac
import math
import re
import secrets
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Engine, String, Table, func, select, update

from agent.errors import BadInput, StoreError
from serving.database import metadata, reading, writing
from serving.runs.events import now
from serving.service.guard import SCOPES, Caller, Scope

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("scopes", String(60), nullable=False),
    Column("created", String(32), nullable=False),
    Column("revoked", String(32), nullable=False, server_default=""),
    Column("used", String(32), nullable=False, server_default=""),
)
MINUTE = 60.0
SECRET = re.compile(r"thresher_([0-9a-f]{16})_[\w-]{43}")


@dataclass(frozen=True)
class Key:
    """What is known of a key; not the key."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created: str
    revoked: str
    """When; empty while it is good."""
    used: str
    """When last, to the minute; empty where it never was."""


class Keys:
    """The keys of one database.

    A secret holds 256 random bits, so that its plain SHA-256 cannot be turned back; a slow hash is for what people
    think up.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self.engine, self._clock = engine, clock
        self._noted: dict[str, float] = {}

    def make(self, name: str, scopes: Sequence[str]) -> str:
        """The secret of a new key: the only time that it is to be seen.

        Raises:
            BadInput: no or an over-long name, or a scope that there is not.
        """
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not scopes:
            what = f"there is no scope {unknown[0]!r}" if unknown else "a key needs a scope"
            raise BadInput(what, f"known: {', '.join(SCOPES)}")
        if not 0 < len(name) <= 100 or not name.isprintable():
            raise BadInput(f"{name[:60]!r} is no name for a key", "give one of 1 to 100 printable characters")
        id_ = secrets.token_hex(8)
        secret = f"thresher_{id_}_{secrets.token_urlsafe(32)}"
        opens = " ".join(sorted(set(scopes)))
        row = {"id": id_, "name": name, "hash": _hash(secret), "scopes": opens, "created": now()}
        with writing(self.engine) as connection:
            connection.execute(keys.insert().values(row))
        return secret

    def find(self, secret: str) -> Caller | None:
        """Who holds this secret; None where it is none of ours or was revoked."""
        match = SECRET.fullmatch(secret)
        if match is None:
            return None
        with reading(self.engine) as connection:
            row = connection.execute(select(keys).where(keys.c.id == match[1])).one_or_none()
        if row is None or not hmac.compare_digest(row.hash, _hash(secret)) or row.revoked:
            return None
        self._used(row.id)
        return Caller(row.name, frozenset(_key(row).scopes))

    def _used(self, id_: str) -> None:
        """Once a minute is enough, and a database that cannot be written is no reason to keep anybody out."""
        moment = self._clock()
        if moment - self._noted.get(id_, -math.inf) < MINUTE:
            return
        self._noted[id_] = moment
        with contextlib.suppress(StoreError), writing(self.engine) as connection:
            connection.execute(update(keys).where(keys.c.id == id_).values(used=now()))

    def any(self) -> bool:
        """Whether a key is good: from then on nobody comes in without one."""
        with reading(self.engine) as connection:
            return bool(connection.execute(select(func.count()).where(keys.c.revoked == "")).scalar_one())

    def revoke(self, id_: str) -> None:
        """Raises BadInput where there is no good key of this id."""
        with writing(self.engine) as connection:
            good = (keys.c.id == id_, keys.c.revoked == "")
            if not connection.execute(update(keys).where(*good).values(revoked=now())).rowcount:
                raise BadInput(f"there is no key {id_!r}, or it was revoked before", "see thresher keys list")

    def list(self) -> Sequence[Key]:
        """Oldest first, the revoked ones too."""
        with reading(self.engine) as connection:
            return [_key(row) for row in connection.execute(select(keys).order_by(keys.c.created))]


@contextlib.contextmanager
def passing(engine: Engine, name: str) -> Generator[str | None]:
    """A key for as long as the block lasts, for a program that may open the database anyway.

    None where there are no keys: whoever calls from this machine may do everything, and a first key would end that.
    """
    made = Keys(engine)
    secret = made.make(name, ["admin"]) if made.any() else None
    try:
        yield secret
    finally:
        if secret is not None:
            made.revoke(secret.split("_")[1])


def _key(row: Any) -> Key:
    scopes: tuple[Scope, ...] = tuple(scope for scope in SCOPES if scope in row.scopes.split())
    return Key(row.id, row.name, scopes, row.created, row.revoked, row.used)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
