"""Which version of something an answer holds (ETag; RFC 9110, sections 8.8.3 and 13.1.2).

A client that has one asks with `If-None-Match` and is answered 304, without a body, where it is as it was. What is
large is told apart by what is stored of it, and is neither read nor made for the comparison.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import Header, Response
from pydantic import BaseModel

from serving.runs.outputs import thresher_version

Known = Annotated[str, Header(alias="If-None-Match", max_length=2000, description="The ETag of what is there already.")]
"""A parameter of a route whose answers have a tag."""
_ETAG = {"ETag": {"description": "Of this version; to be given back as `If-None-Match`.", "schema": {"type": "string"}}}


def announced(answer: dict[int | str, dict[str, Any]] | None = None) -> dict[int | str, dict[str, Any]]:
    """For `responses=…` of such a route, with what else it announces of its 200."""
    return {200: {**(answer or {}).get(200, {}), "headers": _ETAG}, 304: {"description": "As it was"}}


def tag(*of: object, weak: bool = False) -> str:
    """The tag of what changes only with these values, or with the version of this program.

    Args:
        weak: where equal values give the same content, and perhaps not the same bytes.
    """
    named = "\x1f".join(map(str, (thresher_version(), *of)))
    return f'{"W/" if weak else ""}"{hashlib.sha256(named.encode()).hexdigest()[:16]}"'


def stamps(path: Path) -> tuple[str, ...]:
    """What tells the versions of a file, or of a folder's files, apart: name, size, and when it was written."""
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    return tuple(f"{each.name}:{each.stat().st_size}:{each.stat().st_mtime_ns}" for each in found)


def unless_known(known: str, tagged: str, make: Callable[[], Response]) -> Response:
    """304 where the client has this version, else what `make` answers, with its tag."""
    given = {each.strip().removeprefix("W/") for each in known.split(",")}  # ours hold no comma
    if given & {"*", tagged.removeprefix("W/")}:
        return Response(status_code=304, headers={"ETag": tagged})
    answer = make()
    answer.headers["ETag"] = tagged
    return answer


def json_unless_known(known: str, body: BaseModel) -> Response:
    """The same of a small answer, which is its own version."""
    text = body.model_dump_json()
    return unless_known(known, tag(text), lambda: Response(text, media_type="application/json"))
