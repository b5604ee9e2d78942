"""Rejection filters: what a generated text must pass before it may be learned from (survey §3.3, step 4).

A filter never repairs, it accepts or rejects with its reason. They run in the order given; a candidate that one
rejects is not shown to the next, so the cheap ones stand first.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from agent.annotate.llm import Llm
from agent.domain import Candidate, Verdict
from agent.protocols import Bench, Columns, Floats, Query
from prompts.messages import Frozen


def digest(text: str) -> str:
    """SHA-256 of the case-folded text without punctuation and repeated blanks: what "the same text" means here."""
    plain = re.sub(r"[\W_]+", " ", text.casefold()).strip() or text.strip()
    return hashlib.sha256(plain.encode()).hexdigest()


def words(text: str) -> int:
    """How many words a text has; of scripts that set no blanks between them, two characters count as one."""
    dense = sum("\u3040" <= c <= "\u30ff" or "\u3400" <= c <= "\u9fff" or "\u0e00" <= c <= "\u0eff" for c in text)
    return max(len(text.split()), dense // 2)


class Length(Frozen):
    """Rejects what is too short or too long to be one example."""

    kind: Literal["length"] = "length"
    least_words: int = Field(default=4, ge=1)
    most_words: int = Field(default=60, ge=1)

    def judge(self, candidates: Sequence[Candidate], ask: Query) -> tuple[Verdict, ...]:
        del ask
        return tuple(self._one(c, words(c.example.text)) for c in candidates)

    def _one(self, candidate: Candidate, found: int) -> Verdict:
        fits = self.least_words <= found <= self.most_words
        reason = "" if fits else f"{found} words, wanted {self.least_words} to {self.most_words}"
        return _verdict(candidate, self.kind, fits, reason, {"words": float(found)})


class Duplicate(Frozen):
    """Rejects what the pool, the labelled set or an earlier candidate already says."""

    kind: Literal["duplicate"] = "duplicate"
    most_similar: float = Field(default=0.9, gt=0.0, le=1.0)
    """Cosine similarity of sentence embeddings from which two texts count as one."""

    def judge(self, candidates: Sequence[Candidate], ask: Query) -> tuple[Verdict, ...]:
        known = (ask.candidates, ask.labelled.columns)
        hashes = {digest(text): "a text of the pool" for columns in known for text in columns.texts}
        near = _nearness(candidates, ask, [c for c in known if len(c)])
        verdicts: list[Verdict] = []
        for i, c in enumerate(candidates):
            same = hashes.setdefault(digest(c.example.text), f"candidate {c.example.id}")
            taken = [j for j, v in enumerate(verdicts) if v.accepted]
            similar = float(max([near.to_known[i], *(near.to_each_other[i, j] for j in taken)]))
            fresh = same == f"candidate {c.example.id}" and similar < self.most_similar
            reason = (
                "" if fresh else f"too near {same}" if same != f"candidate {c.example.id}" else "too near a known text"
            )
            verdicts.append(_verdict(c, self.kind, fresh, reason, {"similarity": similar}))
        return tuple(verdicts)


class NearFence(Frozen):
    """Rejects what comes too near a test or audit text, so that no generated text can carry one into training."""

    kind: Literal["near-fence"] = "near-fence"
    most_similar: float = Field(default=0.9, gt=0.0, le=1.0)

    def judge(self, candidates: Sequence[Candidate], ask: Query) -> tuple[Verdict, ...]:
        if ask.fence is None:
            return tuple(_verdict(c, self.kind, True, "", {}) for c in candidates)
        inside = [digest(c.example.text) in ask.fence.hashes for c in candidates]
        similar = np.zeros(len(candidates))
        if ask.fence.embeddings is not None and ask.embed is not None and len(ask.fence.embeddings):
            similar = (ask.embed.embed(_columns(candidates)) @ ask.fence.embeddings.T).max(axis=1)
        return tuple(
            _verdict(c, self.kind, ok, "" if ok else "too near a fenced text", {"similarity": float(s)})
            for c, s, within in zip(candidates, similar, inside, strict=True)
            for ok in [not within and bool(s < self.most_similar)]
        )


class Confirm(Frozen):
    """Rejects a text whose label an independent read, with another prompt, does not confirm.

    The read is not told which label the text was written for. It is calibrated with the LLM's prior over a random
    sample of the pool, never with that over the candidates, which were written for labels.
    """

    kind: Literal["confirm"] = "confirm"
    reader: Llm = Llm(prompt="judge/label")
    least: float = Field(default=0.7, ge=0.0, le=1.0)
    """Probability of the intended label from which it counts as confirmed."""

    def judge(self, candidates: Sequence[Candidate], ask: Query) -> tuple[Verdict, ...]:
        assert ask.chat is not None
        bench = Bench(ask.task, chat=ask.chat, sample=ask.sample)
        said = self.reader.read(_columns(candidates), ask.chat, bench)
        rows = said.raw if said.calibrated is None else said.calibrated
        return tuple(
            self._one(c, float(row[ask.task.names.index(c.label)])) for c, row in zip(candidates, rows, strict=True)
        )

    def _one(self, candidate: Candidate, p: float) -> Verdict:
        if np.isnan(p):
            return _verdict(candidate, self.kind, False, "the independent read failed", {})
        reason = (
            "" if p >= self.least else f"an independent read gives {candidate.label!r} {p:.2f}, wanted {self.least}"
        )
        return _verdict(candidate, self.kind, p >= self.least, reason, {"p": p})


FilterSpec = Annotated[Length | Duplicate | NearFence | Confirm, Field(discriminator="kind")]


def sift(
    candidates: Sequence[Candidate], filters: Sequence[FilterSpec], ask: Query
) -> tuple[tuple[Candidate, ...], tuple[Verdict, ...]]:
    """Those that pass every filter, and all verdicts."""
    verdicts: list[Verdict] = []
    left = tuple(candidates)
    for each in filters:
        said = each.judge(left, ask) if left else ()
        verdicts += said
        left = tuple(c for c, v in zip(left, said, strict=True) if v.accepted)
    return left, tuple(verdicts)


@dataclass(frozen=True)
class _Near:
    to_known: Floats
    to_each_other: Floats


def _nearness(candidates: Sequence[Candidate], ask: Query, known: Sequence[Columns]) -> _Near:
    n = len(candidates)
    if ask.embed is None:
        return _Near(to_known=np.zeros(n), to_each_other=np.zeros((n, n)))
    own = ask.embed.embed(_columns(candidates))
    best = [(own @ ask.embed.embed(columns).T).max(axis=1) for columns in known]
    return _Near(to_known=np.max(best, axis=0) if best else np.zeros(n), to_each_other=own @ own.T)


def _columns(candidates: Sequence[Candidate]) -> Columns:
    pairs = any(c.example.text_b is not None for c in candidates)
    return Columns(
        [c.example.id for c in candidates],
        [c.example.text for c in candidates],
        [c.example.text_b or "" for c in candidates] if pairs else None,
    )


def _verdict(c: Candidate, kind: str, accepted: bool, reason: str, numbers: dict[str, float]) -> Verdict:
    return Verdict(candidate=c.example.id, filter=kind, accepted=accepted, reason=reason, numbers=numbers)
