"""Sentences of customer reviews: CR."""

from evaluation.cards.kit import HUB_ONLY, NOT_STATED, labels, local
from evaluation.datasets import DataCard
from evaluation.sources import Fields, HubSet

CR = DataCard(
    name="cr",
    title="CR: customer review sentences",
    source="Sentences from reviews of cameras, players, phones and other products on Amazon and CNET, marked by Hu and "
    "Liu for what they say about the product.",
    licence=NOT_STATED,
    citation="Minqing Hu and Bing Liu. Mining and Summarizing Customer Reviews. KDD 2004.",
    labels=labels(
        ("positive", "positive", "The customer is pleased with the product or with a part of it."),
        ("negative", "negative", "The customer complains about the product or about a part of it."),
    ),
    item="product review sentence",
    guidelines="Decide whether the customer praises or criticises what the sentence speaks of. Where both are there, "
    "choose what weighs more for somebody who thinks of buying.",
    splits="No official split. The hub's copy is divided into 3,012 sentences for training and 753 for the test.",
    sources=(
        local(),
        HubSet(
            repository="SetFit/SentEval-CR",
            splits={"train": "train", "test": "test"},
            fields=Fields(label="label_text"),
        ),
    ),
    caveats=(
        "Sentences about the same product are in both parts; which product it is, the copies do not say.",
        HUB_ONLY,
    ),
)

CARDS = (CR,)
