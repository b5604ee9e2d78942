"""API keys: shown once when they are made, kept as a hash, each with the scopes that it opens."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Engine, String, Table, func, select, update

from agent.errors import BadInput
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
)
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


class Keys:
    """The keys of one database.

    A secret holds 256 random bits, so that its plain SHA-256 cannot be turned back; a slow hash is for what people
    think up.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

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
        return Caller(row.name, frozenset(_key(row).scopes))

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


def _key(row: Any) -> Key:
    scopes: tuple[Scope, ...] = tuple(scope for scope in SCOPES if scope in row.scopes.split())
    return Key(row.id, row.name, scopes, row.created, row.revoked)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
