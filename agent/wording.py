"""From our nouns to the variables of prompts: the one place where the two meet."""

from collections.abc import Mapping, Sequence

from agent.domain import LabelCard, Task
from agent.exchange import ChatRequest
from agent.protocols import Columns, Demonstration
from prompts.messages import Message
from prompts.template import load


def labels(cards: Sequence[LabelCard]) -> list[dict[str, str]]:
    """Label cards as every prompt takes them."""
    return [{"word": card.word, "description": card.description} for card in cards]


def label_request(
    prompt: str,
    slots: Mapping[str, str],
    task: Task,
    texts: Columns,
    row: int,
    shown: Sequence[Demonstration] = (),
) -> ChatRequest:
    """A label read of one text: the probability of each label word at the first token of the answer."""
    messages = label_messages(prompt, slots, task, texts, row, shown)
    return ChatRequest(messages=messages, max_tokens=1, read=task.words)


def label_messages(
    prompt: str,
    slots: Mapping[str, str],
    task: Task,
    texts: Columns,
    row: int,
    shown: Sequence[Demonstration] = (),
) -> tuple[Message, ...]:
    """A prompt that asks for the label of one text. `shown` is left out where the prompt has no place for it."""
    known = load(prompt)
    words = dict(zip(task.names, task.words, strict=True))
    given: dict[str, object] = {
        "item": task.item,
        "text": texts.texts[row],
        "text_b": texts.texts_b[row] if texts.texts_b is not None else "",
        "labels": labels(task.labels),
        "task_guidelines": task.guidelines,
        "demonstrations": [
            {"text": each.text, "text_b": each.text_b, "label": words[each.label], "reason": each.reason}
            for each in shown
        ],
    }
    return known.render(slots, **{name: value for name, value in given.items() if name in known.variables})
