"""What goes over HTTP about data sets, and what the client makes of answers about runs and people."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from prompts.messages import Frozen
from serving.shapes_people import AgreementShown, ItemShown, PickShown, ProgressShown, ReceiptShown
from serving.shapes_runs import RoundShown, RunShown


class DataSetShown(Frozen):
    """One upload."""

    id: str = Field(description="SHA-256 over the content: equal content is one data set.")
    name: str
    rows: int
    pairs: bool = Field(description="Whether each row is a pair of texts.")
    labelled: int = Field(description="Rows with a label; whether a task has these labels is looked at by its run.")
    columns: tuple[str, ...] = Field(description="As the file named them.")
    bytes: int = Field(description="Of the texts, as UTF-8.")
    created: str = Field(description="ISO 8601, UTC.")


class DataSetList(Frozen):
    items: tuple[DataSetShown, ...]
    next: str | None = Field(description="Give it as `after` for the rest; null where this is all.")


class ExampleShown(Frozen):
    """One text of a data set."""

    row: int = Field(description="From 1, in the order of the file.")
    id: str
    text: str
    text_b: str | None = Field(description="The second text of a pair.")
    label: str = Field(description="Empty where the file says none.")
    meta: dict[str, Any] = Field(description="The other columns.")


class ExampleList(Frozen):
    items: tuple[ExampleShown, ...]
    next: str | None = Field(description="Give it as `after` for the rest; null where this is all.")


class Seen(BaseModel):
    """Something that a service answered; what this version does not know yet is kept as it is."""

    model_config = ConfigDict(frozen=True, extra="allow")


class SeenRun(RunShown):
    """A run as the client sees it; what this version does not know yet is kept as it is."""

    model_config = ConfigDict(extra="allow")

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


class SeenEvent(Seen):
    """Something that happened to a run."""

    seq: int
    kind: str
    data: dict[str, Any] = {}


class SeenItem(ItemShown):
    """A text that was leased to one person; `token` answers for it."""

    model_config = ConfigDict(extra="allow")


class SeenReceipt(ReceiptShown):
    """What became of an answer."""

    model_config = ConfigDict(extra="allow")


class SeenProgress(ProgressShown):
    """How far a round is."""

    model_config = ConfigDict(extra="allow")


class SeenPick(PickShown):
    """A pick of the LLM, and what was decided of it."""

    model_config = ConfigDict(extra="allow")


class SeenAgreement(AgreementShown):
    """How far people agree."""

    model_config = ConfigDict(extra="allow")


class SeenRound(RoundShown):
    """What a round chose."""

    model_config = ConfigDict(extra="allow")
