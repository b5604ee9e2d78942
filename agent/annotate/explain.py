"""Why the LLM gives a label, in its own words: asked beside the label read, which has no room for them."""

from collections.abc import Mapping

from agent.ask import Answer, ask_all
from agent.exchange import ChatRequest
from agent.protocols import Bench, ChatModel, Columns
from agent.wording import label_messages
from prompts.replies import Rationale, parse_rationale

SLOT = {"rationale": "before"}
"""The filling with which a label prompt wants a reason before the label."""
MAX_TOKENS = 96


def explain(
    texts: Columns, chat: ChatModel, bench: Bench, prompt: str, slots: Mapping[str, str]
) -> list[Answer[Rationale]]:
    """A reason and the label *word* it ends in, for each text; the word may differ from what the label read says.

    Only demonstrations that give a reason are shown: from one that does not, small models learn to give none.

    Raises:
        PromptError: the prompt has no slot for a reason.
    """
    chosen = {**slots, **SLOT}
    shown = tuple(each for each in bench.demonstrations if each.reason)
    requests = [
        ChatRequest(messages=label_messages(prompt, chosen, bench.task, texts, row, shown), max_tokens=MAX_TOKENS)
        for row in range(len(texts))
    ]
    return ask_all(chat, requests, lambda text: parse_rationale(text, words=bench.task.words))
