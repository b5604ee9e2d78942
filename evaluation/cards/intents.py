"""What somebody who writes to a bank or an assistant wants: BANKING77 and CLINC150."""

from evaluation.cards.kit import HUB_ONLY, listed, local
from evaluation.datasets import DataCard
from evaluation.sources import Fields, HubSet


def banking77() -> DataCard:
    """Its 77 labels are kept as data."""
    return DataCard(
        name="banking77",
        title="BANKING77: what a bank's customer wants",
        source="Questions to the help desk of an online bank, written down and labelled by people at PolyAI.",
        licence="CC BY 4.0.",
        citation="Iñigo Casanueva, Tadas Temčinas, Daniela Gerz, Matthew Henderson and Ivan Vulić. Efficient Intent "
        "Detection with Dual Sentence Encoders. NLP4ConvAI 2020.",
        labels=listed("banking77"),
        item="customer's message",
        guidelines="Decide what the customer wants to know or to have done. Many intents are neighbours: look at "
        "whether it is about a card, cash, a transfer or a top-up, and whether it failed, is pending, cost something "
        "or was not theirs.",
        splits="Official: 10,003 messages for training, 3,080 for the test, 40 of each intent.",
        sources=(
            local("0caa5f2c8de5fed60907b4ce2057f2a5fce238470ffb81b39739451b0f93b59f"),
            HubSet(
                repository="PolyAI/banking77",
                revision="refs/convert/parquet",
                splits={"train": "train", "test": "test"},
            ),
        ),
        caveats=("Labels of neighbouring intents are known to be mixed up now and then.",),
    )


def clinc150() -> DataCard:
    """Its 150 labels are kept as data."""
    return DataCard(
        name="clinc150",
        title="CLINC150: what somebody wants of an assistant",
        source="Requests to a voice assistant in ten domains, made up and rephrased by crowd workers for Larson et al. "
        "Only requests of the 150 intents are used, not those outside them.",
        licence="CC BY 3.0.",
        citation="Stefan Larson, Anish Mahendran, Joseph Peper, Christopher Clarke, Andrew Lee, Parker Hill, Jonathan "
        "Kummerfeld, Kevin Leach, Michael Laurenzano, Lingjia Tang and Jason Mars. An Evaluation Dataset for Intent "
        "Classification and Out-of-Scope Prediction. EMNLP 2019.",
        labels=listed("clinc150"),
        item="request",
        guidelines="Decide what the speaker wants the assistant to do or to answer. Asking to see a list, calendar or "
        "reminder and asking to change it are different intents, and so are doing something and asking how it is done.",
        splits="Official: 15,000 requests for training, 3,000 for validation (not used here), 4,500 for the test.",
        sources=(
            local(),
            HubSet(
                repository="clinc/clinc_oos",
                config="plus",
                splits={"train": "train", "test": "test"},
                fields=Fields(label="intent", drop=("oos",)),
            ),
        ),
        caveats=("Written to order: shorter and cleaner than what people say to an assistant.", HUB_ONLY),
    )
