"""How fast the LLM is: from the ledger's recorded calls where there are any, else from stated assumptions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from sqlalchemy import Engine, select

from prompts.messages import Frozen
from serving.database import reading
from serving.llm.ledger import calls

RECENT = 1000
"""Calls of each sort that are looked at, the latest ones."""
FEWEST = 20
"""Calls of one sort from which its speed counts as measured."""
_PARTS = 5


class Rates(Frozen):
    """Of one LLM on one engine. Seconds are the engine's: requests side by side share them."""

    letters: float = Field(gt=0)
    """Characters of messages that make one prompt token, the chat template's tokens among them."""
    prompt: float = Field(gt=0)
    """Seconds a prompt token takes."""
    written: float = Field(gt=0)
    """Seconds a generated token takes."""
    used: float = Field(gt=0, le=1)
    """Share of its token limit that a written answer takes."""
    spread: float = Field(ge=1)
    """Factor by which the time may be longer or shorter."""
    source: tuple[str, ...]
    """Where the numbers come from, a sentence each."""


@dataclass(frozen=True)
class _Call:
    read: bool
    letters: int
    most: int
    tokens_in: int
    tokens_out: int
    seconds: float


def assumed(*, gpu: bool) -> Rates:
    """What is taken where nothing has been measured."""
    prompt, written, where = (5000.0, 800.0, "a GPU") if gpu else (150.0, 40.0, "two CPU cores")
    said = (
        f"no recorded calls to measure by: assumed are {prompt:,.0f} prompt tokens and {written:,.0f} generated tokens "
        f"a second (a 0.5B model on {where}), four times more or less",
        "assumed are 4 characters a token, and written answers of a quarter of their token limit",
    )
    return Rates(letters=4.0, prompt=1 / prompt, written=1 / written, used=0.25, spread=4.0, source=said)


def measured(engine: Engine, model: str = "", *, gpu: bool) -> Rates:
    """From the latest recorded calls of `model`, or of the model asked last where none is named.

    Numbers that too few calls could show are taken from `assumed`, and the source says so.
    """
    base = assumed(gpu=gpu)
    model = model or _latest(engine)
    found = _calls(engine, model)
    reads = [call for call in found if call.read]
    texts = [call for call in found if not call.read]
    if len(reads) < FEWEST:
        return base
    prompt = _per_prompt_token(reads)
    letters = sum(call.letters for call in found) / sum(call.tokens_in for call in found)
    said = [f"measured on {len(reads)} recorded label reads of {model}: {1 / prompt:,.0f} prompt tokens a second"]
    written, used = base.written * prompt / base.prompt, base.used
    if len(texts) >= FEWEST:
        out = sum(call.tokens_out for call in texts)
        rest = sum(call.seconds for call in texts) - prompt * sum(call.tokens_in for call in texts)
        written = max(rest / max(1, out), prompt)
        used = min(1.0, max(out, 1) / sum(call.most for call in texts))
        said.append(f"measured on {len(texts)} recorded answers: {1 / written:,.0f} generated tokens a second")
    else:
        said.append(f"too few recorded answers in words ({len(texts)}): their speed is in proportion to label reads'")
    said.append("times hold for calls as they were made then: as many side by side, on a machine as busy")
    spread = max(1.5, _spread(reads))
    return Rates(letters=letters, prompt=prompt, written=written, used=used, spread=spread, source=tuple(said))


def _per_prompt_token(reads: Sequence[_Call]) -> float:
    return max(1e-9, sum(call.seconds for call in reads) / max(1, sum(call.tokens_in for call in reads)))


def _spread(reads: Sequence[_Call]) -> float:
    """The largest factor between the whole and one part of the calls, in the order in which they were answered."""
    whole, size = _per_prompt_token(reads), -(-len(reads) // _PARTS)
    parts = [_per_prompt_token(reads[start : start + size]) for start in range(0, len(reads), size)]
    return min(10.0, max(max(part / whole, whole / part) for part in parts))


def _latest(engine: Engine) -> str:
    with reading(engine) as connection:
        query = select(calls.c.model).where(calls.c.reply.is_not(None)).order_by(calls.c.answered_at.desc()).limit(1)
        return connection.execute(query).scalar_one_or_none() or ""


def _calls(engine: Engine, model: str) -> list[_Call]:
    """The latest answered calls, oldest first. A reply counts as a read where it has one token and a reading."""
    wanted = (calls.c.request, calls.c.tokens_in, calls.c.tokens_out, calls.c.seconds)
    query = select(*wanted).where(calls.c.model == model, calls.c.reply.is_not(None))
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(calls.c.answered_at.desc()).limit(2 * RECENT)).all()
    return [found for row in reversed(rows) if (found := _call(row)) is not None]


def _call(row: Any) -> _Call | None:
    request = json.loads(row.request)
    if not row.tokens_in:
        return None
    letters = sum(len(message["content"]) for message in request["messages"])
    read = bool(request.get("read"))
    return _Call(read, letters, int(request.get("max_tokens", 1)), row.tokens_in, row.tokens_out, row.seconds or 0.0)
