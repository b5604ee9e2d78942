from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from agent.errors import BadInput, StoreError
from serving.database import open_database, reading
from serving.service.keys import SECRET, Keys, keys


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_database(tmp_path / "thresher.db")


def test_a_key_opens_its_scopes_and_is_kept_as_a_hash(engine: Engine) -> None:
    secret = Keys(engine).make("Ada", ["review", "read"])
    assert SECRET.fullmatch(secret)
    found = Keys(engine).find(secret)
    assert found is not None
    assert (found.name, found.scopes) == ("Ada", {"read", "review"})
    with reading(engine) as connection:
        row = connection.execute(select(keys)).one()
    assert secret.rpartition("_")[2] not in "".join(map(str, row))


def test_the_last_use_is_noted_once_a_minute(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(f"2026-11-24T10:0{n}:00.000000+00:00" for n in range(9))
    monkeypatch.setattr("serving.service.keys.now", lambda: next(moments))
    at = [0.0]
    held = Keys(engine, clock=lambda: at[0])
    secret = held.make("Ada", ["read"])
    assert held.list()[0].used == ""
    assert held.find("thresher_" + "0" * 16 + "_" + "a" * 43) is None
    for seconds, seen in ((0.0, 1), (59.0, 1), (61.0, 2), (100.0, 2)):
        at[0] = seconds
        assert held.find(secret) is not None
        assert held.list()[0].used == f"2026-11-24T10:0{seen}:00.000000+00:00"


def test_a_database_that_cannot_be_written_keeps_nobody_out(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Keys(engine)
    secret = held.make("Ada", ["read"])

    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("serving.service.keys.writing", full)
    assert held.find(secret) is not None


def test_what_is_not_quite_a_key_opens_nothing(engine: Engine) -> None:
    held = Keys(engine)
    secret = held.make("Ada", ["admin"])
    for wrong in (
        "",
        secret[:-1],
        secret + "x",
        secret.replace("thresher_", "thresher-"),
        secret[:-1] + "?",
        "x" * 10_000,
    ):
        assert held.find(wrong) is None
    other = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    assert held.find(other) is None


def test_a_revoked_key_is_shut_out_and_the_last_one_opens_the_loopback_again(engine: Engine) -> None:
    held = Keys(engine)
    assert not held.any()
    secret = held.make("Ada", ["read"])
    assert held.any()
    (key,) = held.list()
    held.revoke(key.id)
    assert held.find(secret) is None
    assert not held.any()
    assert held.list()[0].revoked
    with pytest.raises(BadInput, match="revoked before"):
        held.revoke(key.id)


@pytest.mark.parametrize(
    ("name", "scopes", "said"),
    [
        ("Ada", ["write"], "there is no scope 'write'"),
        ("Ada", [], "a key needs a scope"),
        ("", ["read"], "'' is no name"),
        ("A\nda", ["read"], "is no name for a key"),
        ("A" * 101, ["read"], "is no name for a key"),
    ],
)
def test_a_key_that_cannot_be_is_refused(engine: Engine, name: str, scopes: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Keys(engine).make(name, scopes)
    assert Keys(engine).list() == []
