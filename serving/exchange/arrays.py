"""JSON objects out of an array, or one after another, as their bytes arrive; and into an array, piece by piece."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from agent.errors import BadInput
from serving.runs.formats import MOST_OF_A_ROW, decoded, short

_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"


def objects(chunks: Iterable[bytes], where: str) -> Iterator[dict[str, Any]]:
    """The objects of a JSON array, or of JSON lines, in flat memory.

    Raises:
        BadInput: naming the number of what is no JSON, no object, or longer than MOST_OF_A_ROW characters.
    """
    reader, n = _Reader(decoded(chunks, where), where), 0
    if reader.peek() != "[":
        while reader.peek():
            n += 1
            yield reader.take(n)
        return
    reader.skip()
    more = reader.peek() != "]"
    while more:
        n += 1
        yield reader.take(n)
        if (more := reader.peek() == ",") is True:
            reader.skip()
    if reader.peek() != "]":
        raise BadInput(f"{where} breaks off behind item {n}", "send the whole file, a JSON array or JSON lines")
    reader.skip()
    if reader.peek():
        raise BadInput(f"{where} goes on behind its array", "send one JSON array, or JSON lines")


def array(items: Iterable[Any]) -> Iterator[bytes]:
    """A JSON array, an item a line. Half a character, which an LLM's answer can hold, stays its JSON escape."""
    before = "[\n"
    for item in items:
        yield f"{before}{json.dumps(item)}".encode()
        before = ",\n"
    yield b"[]\n" if before == "[\n" else b"\n]\n"


class _Reader:
    """What has arrived and was not read yet."""

    def __init__(self, pieces: Iterator[str], where: str) -> None:
        self._pieces, self._where = pieces, where
        self._text, self._at = "", 0

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def skip(self) -> None:
        self._at += 1

    def take(self, n: int) -> dict[str, Any]:
        """The next object; `n` is its number."""
        if self.peek() != "{":
            found = short(self._text[self._at : self._at + 80])
            raise BadInput(f"{self._where} item {n} is not a JSON object: {found}", "write one object for each text")
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:  # perhaps only its end is missing
                if len(self._text) - self._at > MOST_OF_A_ROW:
                    what = f"{self._where} item {n} is no JSON, or longer than {MOST_OF_A_ROW:,} characters"
                    raise BadInput(what, "send a JSON array of objects, or JSON lines") from error
                if self._more():
                    continue
                raise BadInput(f"{self._where} item {n} is not valid JSON: {error}", "send the whole file") from error
            self._at = end
            return value

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._text, self._at = self._text[self._at :] + piece, 0
        return True
