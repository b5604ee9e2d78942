"""The data sets that Thresher knows by name."""

from functools import cache

from agent.errors import BadInput
from evaluation.cards import films, intents, pairs, products, sentences, topics
from evaluation.cards.films import ROTTEN_TOMATOES
from evaluation.datasets import DataCard

__all__ = ["ROTTEN_TOMATOES", "card", "cards"]


@cache
def cards() -> tuple[DataCard, ...]:
    """All of them, by name. Long lists of labels are read when this is first called, not at import."""
    fixed = (*films.CARDS, *products.CARDS, *sentences.CARDS, *pairs.CARDS, *topics.CARDS)
    made = (intents.banking77(), intents.clinc150(), topics.reuters_r52())
    return tuple(sorted((*fixed, *made), key=lambda each: each.name))


def card(name: str) -> DataCard:
    """The card of that name.

    Raises:
        BadInput: no such card.
    """
    found = {each.name: each for each in cards()}
    if name not in found:
        raise BadInput(f"no data card is called {name!r}", f"known: {', '.join(found)}")
    return found[name]
