"""Replies to typed answers. A parser never raises on any text: it returns an answer or a `Refusal` with its reason."""

from prompts.replies.answers import Indices, Items, Label, Rationale, Refusal, Scores
from prompts.replies.indices import parse_indices
from prompts.replies.items import parse_items
from prompts.replies.labels import parse_label, parse_rationale
from prompts.replies.reasons import parse_reasons
from prompts.replies.scores import parse_ranking, parse_scores

__all__ = [
    "Indices",
    "Items",
    "Label",
    "Rationale",
    "Refusal",
    "Scores",
    "parse_indices",
    "parse_items",
    "parse_label",
    "parse_ranking",
    "parse_rationale",
    "parse_reasons",
    "parse_scores",
]
