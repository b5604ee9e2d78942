"""The selector without a run: a strategy of the closed union over the texts of one request."""

import numpy as np
from pydantic import Field, model_validator

from agent.domain import Batch, Pick, Task
from agent.errors import BadInput
from agent.protocols import Columns, Labelled, Need, Query
from agent.query import Chooser, LlmChoose, Read
from agent.query.diagnose import filled_share
from agent.seeds import generator
from prompts.messages import Frozen
from serving.roles.fingerprints import fingerprints
from serving.roles.given import LabelledText, Short, Text, columns, known_labels
from serving.roles.means import MOST_EMBEDDED, Counted, Means, Nobody, Usage, prompt_for

DEFAULT = LlmChoose()


class SelectHead(Frozen):
    """Which of the examples to label next, and who chooses."""

    task: Task = Field(description="What is to be decided about each text.")
    k: int = Field(ge=1, le=10_000, description="How many are wanted.")
    prompt: str = Field(default="", description="Id of a selection prompt; the selector's own where empty.")
    slots: dict[str, str] = Field(default={}, description="Fillings of its slots; `mode: explanation` gives reasons.")
    strategy: Chooser | None = Field(default=None, description="Instead of a prompt: any strategy that chooses.")
    labelled: tuple[LabelledText, ...] = Field(default=(), description="What is labelled already, oldest first.")
    seed: int = Field(default=0, ge=0, description="Of the order of the lists and of every random choice.")

    @model_validator(mode="after")
    def _one_chooser(self) -> "SelectHead":
        if self.strategy is not None and (self.prompt or self.slots):
            raise ValueError("a strategy brings its own prompt and slots: give either it or them")
        return self


class SelectRequest(SelectHead):
    """A selection with its examples."""

    examples: tuple[Text, ...] = Field(min_length=1, description="What may be chosen.")


class Picked(Frozen):
    """One example that was chosen, in the order of choice."""

    id: Short = Field(description="The example.")
    score: float | None = Field(description="What the strategy gave it; null where it gives none.")
    reason: str = Field(description="Why, in the LLM's or the fallback's words; empty where nobody said.")
    shown: int | None = Field(description="Its position in the list that the LLM saw, from 0; null where it saw none.")
    listed: int | None = Field(description="Length of that list.")
    filled: bool = Field(description="True where the fallback chose it because the LLM did not.")


class Selected(Frozen):
    """What came of a selection."""

    picks: tuple[Picked, ...]
    by: str = Field(description="Who chose: the strategy, or the LLM with its prompt and fallback.")
    filled_share: float | None = Field(description="Share of the LLM's picks that the fallback made; null without LLM.")
    notes: dict[str, float] = Field(description="Counts of lists, refusals, unknown and repeated ids.")
    prompts: tuple[str, ...] = Field(description="Fingerprints `id@version#hash` of the prompts.")
    usage: Usage


def select(head: SelectHead, texts: Columns, means: Means) -> Selected:
    """Chooses among `texts`.

    Raises:
        BadInput: the strategy needs what a single call has not, or a prompt, slot or label does not exist.
    """
    strategy = _strategy(head)
    _possible(strategy, len(texts))
    known_labels((each.label for each in head.labelled), head.task)
    chat = Counted(means.chat() if "chat" in strategy.needs else Nobody())
    ask = Query(
        task=head.task,
        size=min(head.k, len(texts)),
        candidates=texts,
        machine=np.full((len(texts), len(head.task.names)), np.nan),
        labelled=_labelled(head),
        rng=generator(head.seed, "select"),
        chat=chat if "chat" in strategy.needs else None,
        embed=means.embedder() if "embeddings" in strategy.needs else None,
    )
    return _selected(strategy.query(ask), strategy, chat)


def _selected(batch: Batch, strategy: Chooser, chat: Counted) -> Selected:
    share = filled_share([batch])
    return Selected(
        picks=tuple(_picked(pick) for pick in batch.picks),
        by=batch.by,
        filled_share=None if np.isnan(share) else share,
        notes=batch.notes,
        prompts=tuple(sorted(fingerprints(strategy))),
        usage=chat.usage(),
    )


def _picked(pick: Pick) -> Picked:
    return Picked(
        id=pick.example.id,
        score=pick.score,
        reason=pick.why,
        shown=pick.shown,
        listed=pick.listed,
        filled=pick.filled,
    )


def _strategy(head: SelectHead) -> Chooser:
    """Raises BadInput for a prompt, slot or filling that there is not."""
    if head.strategy is not None:
        for asked in _asking(head.strategy):
            if isinstance(asked, LlmChoose):
                prompt_for(asked.prompt, "select", ("indices", "ranking", "scores"))
            else:
                prompt_for(asked.reader.prompt, "read", ("label",))
        fingerprints(head.strategy)  # names every slot that there is not, before anything is spent
        return head.strategy
    prompt = prompt_for(head.prompt or DEFAULT.prompt, "select", ("indices", "ranking", "scores"))
    strategy = LlmChoose(prompt=prompt.id, slots=head.slots or DEFAULT.slots)
    fingerprints(strategy)
    return strategy


def _asking(strategy: object) -> list[LlmChoose | Read]:
    """Every part of a strategy that asks the LLM."""
    own = [strategy] if isinstance(strategy, LlmChoose | Read) else []
    inner = [getattr(strategy, name) for name in ("first", "second", "a", "b", "then") if hasattr(strategy, name)]
    return own + [found for each in inner for found in _asking(each)]


def _possible(strategy: Chooser, n: int) -> None:
    missing: list[Need] = [need for need in ("student", "machine") if need in strategy.needs]
    if missing:
        named = {"student": "a trained student", "machine": "labels of the LLM"}
        what = f"the strategy {strategy.name!r} needs {' and '.join(named[need] for need in missing)}"
        raise BadInput(f"{what}, which a single request does not have", "start a run, or choose a strategy without")
    if "embeddings" in strategy.needs and n > MOST_EMBEDDED:
        what = f"the strategy {strategy.name!r} encodes every text, and {n:,} are more than {MOST_EMBEDDED:,}"
        raise BadInput(what, "start a run, or send a random part of the texts")


def _labelled(head: SelectHead) -> Labelled:
    known, names = columns(head.labelled), head.task.names
    targets = np.eye(len(names))[[names.index(each.label) for each in head.labelled]].reshape(-1, len(names))
    n = len(known)
    return Labelled(known, targets, np.ones(n, np.bool_), np.zeros(n, np.bool_), np.full((n, len(names)), np.nan))
