"""What the client sends and hears, piece by piece: JSON, files, rows as lines, server-sent events."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from serving.shapes import SeenEvent


def told(lines: Iterable[str]) -> Iterator[SeenEvent]:
    """Server-sent events out of the lines of a stream; comments and what is no JSON are passed over."""
    kind, seq, data = "message", 0, list[str]()
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                kind = value
            case "id":
                seq = int(value) if value.isdecimal() else seq
            case "data":
                data.append(value)
            case _ if not line and data:
                yield SeenEvent(seq=seq, kind=kind, data=_object("\n".join(data)))
                kind, data = "message", []
            case _:
                pass


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    return found if isinstance(found, dict) else {"value": found}


def as_json(request: Mapping[str, Any] | BaseModel) -> dict[str, Any]:
    body = request.model_dump_json() if isinstance(request, BaseModel) else json.dumps(request)
    return {"content": body.encode(), "headers": {"content-type": "application/json"}}


def file_pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(1 << 16):
            yield piece


def row_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Some rows at a time: a small piece each would be slow."""
    some: list[str] = []
    for row in rows:
        some.append(json.dumps(row))
        if len(some) == 500:
            yield "\n".join([*some, ""]).encode()
            some = []
    yield "\n".join([*some, ""]).encode()


def quoted(part: str) -> str:
    return quote(part, safe="")
