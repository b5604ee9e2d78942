"""Pairs of texts: RTE with the answers of ten workers, and ChaosNLI."""

from evaluation.cards.kit import NOT_STATED, labels, local_pairs
from evaluation.datasets import DataCard

SNOW_RTE = DataCard(
    name="snow_rte",
    title="RTE-1 with the answers of ten workers an item",
    source="800 pairs of the first challenge on recognising textual entailment, each answered by ten workers of "
    "Mechanical Turk (Snow et al.). The label here is the experts'.",
    licence=NOT_STATED + " Public release by the authors.",
    citation="Rion Snow, Brendan O'Connor, Daniel Jurafsky and Andrew Ng. Cheap and Fast, But is it Good? Evaluating "
    "Non-Expert Annotations for Natural Language Tasks. EMNLP 2008. Ido Dagan, Oren Glickman and Bernardo Magnini. The "
    "PASCAL Recognising Textual Entailment Challenge. MLCW 2005.",
    labels=labels(
        ("entailment", "yes", "Whoever reads the first text would conclude that the second is true."),
        ("not_entailment", "no", "The first text does not show that the second is true, or shows that it is false."),
    ),
    item="pair of texts",
    guidelines="Decide whether the second text follows from the first. Use the first text and common sense only: what "
    "is true, but not said there, does not follow.",
    splits="No official split. The local copy is divided at random, stratified: 500 to 300.",
    sources=(local_pairs("46deee38b6310f59c97a3ce0f2f1e66784eed55a747d6a5c8a3864fff6de1677"),),
    near=None,
    caveats=("Small: the answers of people, and how to weigh them, are what this set is for.",),
)

CHAOSNLI = DataCard(
    name="chaosnli",
    title="ChaosNLI: inference with a hundred judgements an item",
    source="3,113 pairs from the development parts of SNLI and MNLI on which people had not agreed, judged again by a "
    "hundred workers each (Nie, Zhou and Bansal). The label is the majority's.",
    licence="CC BY-NC 4.0.",
    citation="Yixin Nie, Xiang Zhou and Mohit Bansal. What Can We Learn from Collective Human Opinions on Natural "
    "Language Inference Data? EMNLP 2020.",
    labels=labels(
        ("entailment", "true", "Given the first text, the second is surely true."),
        ("neutral", "unclear", "Given the first text, the second may be true or not."),
        ("contradiction", "false", "Given the first text, the second cannot be true."),
    ),
    item="pair of texts",
    guidelines="Take the first text as true and decide what that makes the second: true, false, or neither for sure.",
    splits="No official split. The local copy is divided by first text, so that none is in both parts.",
    sources=(local_pairs("89c40713b0d7bff28ef8c6619a75a3e9e50d5d6d745bc56fea964d57878dd3f3"),),
    near=None,
    caveats=("Chosen because people disagree: accuracy against the majority has a low ceiling.",),
)

CARDS = (SNOW_RTE, CHAOSNLI)
