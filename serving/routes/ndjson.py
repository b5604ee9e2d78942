"""Bodies of one JSON object a line: told apart by their content type, kept on disk while they come in."""

from collections.abc import AsyncIterable
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from serving.problem import Refused

MEDIA = "application/x-ndjson"
IN_MEMORY = 1 << 20


class LineRoute(APIRoute):
    """A route for NDJSON bodies only; the next one of the same path gets the others."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        given = dict(scope.get("headers", ())).get(b"content-type", b"")
        if given.split(b";")[0].strip().lower() != MEDIA.encode():
            return Match.NONE, {}
        return super().matches(scope)


def described(head: str, example: str, answer: str) -> dict[str, Any]:
    """`openapi_extra` for the JSON route of the same path: it also takes and gives lines."""
    body = {"schema": {"type": "string", "description": head}, "example": f"{example}\n"}
    lines = {"schema": {"type": "string", "description": answer}}
    return {
        "requestBody": {"content": {MEDIA: body}, "required": True},
        "responses": {"200": {"content": {MEDIA: lines}}},
    }


async def spooled(request: Request, most: int) -> BinaryIO:
    """The whole body as a file that is read from its start and is gone when closed; memory stays flat.

    Only then does the answer begin: a client that does not read while it writes could otherwise block both sides.

    Raises:
        Refused: 413 for more than `most` bytes, 415 for a compressed body.
    """
    coding = request.headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        raise Refused(415, f"the body is encoded as {coding[:40]!r}", "send it uncompressed")
    file = cast(BinaryIO, SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115  whoever reads it closes it
    try:
        await _filled(file, request.stream(), most)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


async def _filled(file: BinaryIO, chunks: AsyncIterable[bytes], most: int) -> None:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise Refused(413, f"the body is longer than {most:,} bytes", "send it in parts")
        file.write(chunk)
