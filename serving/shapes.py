"""What goes over HTTP about data sets, as plain models: routes answer with them, the client reads them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from prompts.messages import Frozen


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


class SeenRun(Seen):
    """A run as the client needs it: everything else that the service said is there as further fields."""

    id: str
    state: Literal["queued", "running", "waiting", "done", "failed", "cancelled"]
    why: str = ""

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


class SeenEvent(Seen):
    """Something that happened to a run."""

    seq: int
    kind: str
    data: dict[str, Any] = {}


class SeenItem(Seen):
    """A text that was leased to one person; `token` answers for it."""

    token: str
