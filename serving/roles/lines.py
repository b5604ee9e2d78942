"""Large requests line by line: the head first, then one example a line; answers in batches, memory flat.

A line that cannot be read and a text that got no answer become error lines; the others are not touched by them.
"""

import json
from collections.abc import Generator, Iterator
from itertools import islice
from typing import BinaryIO, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json

from agent.errors import BadInput, EngineError, ThresherError
from agent.protocols import Columns
from prompts.messages import Frozen
from serving import wrong
from serving.roles.annotate import BATCH, Annotated, Annotating
from serving.roles.generate import Generated
from serving.roles.given import Text
from serving.roles.means import Usage
from serving.roles.select import Selected

LONGEST_LINE = 1 << 20
"""Bytes. Two texts of the greatest length, most of their characters escaped."""
MOST_LOST = 3
"""Batches in a row that the LLM left unanswered, after which the rest is not tried."""

M = TypeVar("M", bound=BaseModel)


class ErrorLine(Frozen):
    """One example that got no answer."""

    kind: Literal["error"] = "error"
    line: int = Field(description="Of the request; the head is line 1.")
    id: str = ""
    detail: str
    retryable: bool = False


class AnnotationLine(Annotated):
    """One example that was answered."""

    kind: Literal["annotation"] = "annotation"


class EndLine(Frozen):
    """The last line: without it the answer was cut off."""

    kind: Literal["end"] = "end"
    complete: bool = Field(description="False where the LLM stopped answering before every line was tried.")
    answered: int
    errors: int
    by: str
    calibration: str
    prompts: tuple[str, ...]
    usage: Usage


def numbered(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines from 1, without those that are blank; None for one of more than `LONGEST_LINE` bytes."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        elif line.strip():
            yield number, line


def read_head(lines: Iterator[tuple[int, bytes | None]], kind: type[M]) -> M:
    """Raises BadInput where the first line is no head."""
    number, line = next(lines, (1, b""))
    if line is None:
        raise BadInput(f"line {number} is longer than {LONGEST_LINE:,} bytes", "the first line is the head")
    return parsed(line, kind, number)


def parsed(line: bytes, kind: type[M], number: int) -> M:
    """Raises BadInput, naming line, field and value, where a line does not hold what it should."""
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        sent = None if errors[0]["type"] == "json_invalid" else from_json(line)
        what = f"line {number}: {wrong.told(errors, sent)}"
        raise BadInput(what, "the first line is the head, every other one an example") from error


def annotations(ready: Annotating, lines: Iterator[tuple[int, bytes | None]], most: int) -> Generator[bytes]:
    """The answer to a stream of examples, as bytes of NDJSON; nothing more is held than one batch.

    Args:
        most: examples, after which a line is an error.
    """
    answered = errors = lost = 0
    counted = ((number, line if n < most else b"") for n, (number, line) in enumerate(lines))
    while lost < MOST_LOST and (batch := list(islice(counted, BATCH))):
        found, there = _answers(ready, batch, most)
        answered += sum(isinstance(each, AnnotationLine) for each in found)
        errors += sum(isinstance(each, ErrorLine) for each in found)
        lost = 0 if there else lost + 1
        yield b"".join(as_line(each) for each in found)
    yield as_line(
        EndLine(
            complete=next(counted, None) is None,
            answered=answered,
            errors=errors,
            by=ready.by,
            calibration=ready.calibration,
            prompts=ready.prompts,
            usage=ready.chat.usage(),
        )
    )


def examples(lines: Iterator[tuple[int, bytes | None]], most: int) -> list[Text]:
    """All examples of a stream, for roles that must see them together.

    Raises:
        BadInput: a line holds no example, or there are more than `most`.
    """
    found: list[Text] = []
    for number, line in lines:
        if line is None:
            raise BadInput(f"line {number} is longer than {LONGEST_LINE:,} bytes", "send shorter texts")
        if len(found) == most:
            raise BadInput(f"line {number} is one example more than {most:,}", "send a random part of them")
        found.append(parsed(line, Text, number))
    return found


def picks(found: Selected) -> list[bytes]:
    """A selection, a line a pick."""
    return [*(_tagged("pick", each) for each in found.picks), _tagged("end", found, {"picks"})]


def candidates(found: Generated) -> list[bytes]:
    """A generation, a line a text."""
    written = (*found.accepted, *found.rejected)
    return [*(_tagged("candidate", each) for each in written), _tagged("end", found, {"accepted", "rejected"})]


def _tagged(kind: str, value: BaseModel, without: set[str] | None = None) -> bytes:
    return json.dumps({"kind": kind, **value.model_dump(mode="json", exclude=without)}).encode() + b"\n"


def as_line(value: BaseModel) -> bytes:
    return value.model_dump_json().encode() + b"\n"


def _answers(
    ready: Annotating, batch: list[tuple[int, bytes | None]], most: int
) -> tuple[list[AnnotationLine | ErrorLine], bool]:
    """A line for each one of the batch, in order, and whether the LLM was there."""
    found: dict[int, AnnotationLine | ErrorLine] = {}
    texts: list[tuple[int, Text]] = []
    for number, line in batch:
        read = _example(number, line, most)
        if isinstance(read, ErrorLine):
            found[number] = read
        else:
            texts.append((number, read))
    there = True
    try:
        said = ready.batch(_columns(texts)) if texts else ()
        found |= {number: _line(number, each) for (number, _), each in zip(texts, said, strict=True)}
    except ThresherError as error:
        there = not isinstance(error, EngineError)
        retryable = error.retryable
        found |= {n: ErrorLine(line=n, id=_id(n, t), detail=error.what, retryable=retryable) for n, t in texts}
    return [found[number] for number, _ in batch], there


def _example(number: int, line: bytes | None, most: int) -> Text | ErrorLine:
    if line is None:
        return ErrorLine(line=number, detail=f"line {number} is longer than {LONGEST_LINE:,} bytes")
    if not line:
        return ErrorLine(line=number, detail=f"line {number} is beyond the {most:,} examples of one request")
    try:
        return parsed(line, Text, number)
    except BadInput as error:
        return ErrorLine(line=number, detail=error.what)


def _line(number: int, said: Annotated) -> AnnotationLine | ErrorLine:
    if said.failed:
        return ErrorLine(line=number, id=said.id, detail=said.why, retryable=True)
    return AnnotationLine.model_validate(dict(said))


def _columns(texts: list[tuple[int, Text]]) -> Columns:
    """Equal ids of one stream stay equal: each line is answered for itself."""
    pairs = any(each.text_b is not None for _, each in texts)
    return Columns(
        [_id(number, each) for number, each in texts],
        [each.text for _, each in texts],
        [each.text_b or "" for _, each in texts] if pairs else None,
    )


def _id(number: int, text: Text) -> str:
    return text.id or str(number - 1)
