"""What goes over HTTP about people's work, as plain models: routes answer with them, the client reads them."""

from pydantic import Field

from prompts.messages import Frozen


class Suggestion(Frozen):
    """What the machine says of a text."""

    label: str
    confidence: float | None = None
    reason: str = ""
    by: str = ""


class Choice(Frozen):
    """What a person said of a text; `label` only with the verdict `label`."""

    verdict: str
    label: str | None = None


class ItemShown(Frozen):
    """A text that is kept for one person until `expires`."""

    token: str = Field(description="Goes into the answer.")
    example: str
    text: str
    text_b: str | None = Field(description="The second text of a pair.")
    round: int = Field(description="From 0.")
    position: int = Field(description="In the round, from 0.")
    suggestion: Suggestion | None = Field(description="What the machine says; null where it is hidden or silent.")
    blind: bool = Field(description="Whether there is a suggestion that is hidden.")
    expires: float = Field(description="Seconds since 1970; then somebody else may have it.")
    chosen: Choice | None = Field(description="What the person said before, where an answer is being changed.")


class ProgressShown(Frozen):
    """How far the round is that the run has asked for last."""

    round: int = Field(description="From 0.")
    total: int = Field(description="Answers that it takes.")
    done: int
    held: int = Field(description="Texts that somebody looks at now.")
    mine: int = Field(description="Answers of the person, over all rounds.")
    seconds_per_label: float | None = Field(description="Mean of the person's last answers.")


class ReceiptShown(Frozen):
    """What became of an answer."""

    example: str
    choice: Choice
    confirmed: bool = Field(description="Whether it agrees with a suggestion that was shown.")
    repeated: bool = Field(description="Whether this token was answered before: that answer stands.")
    done: int
    total: int
    why: str = Field(default="", description="Why the text was chosen, as far as the chooser said; told afterwards.")


class PickShown(Frozen):
    """One text that the LLM chose, and what was decided of it."""

    example: str
    text: str
    text_b: str | None
    why: str = Field(description="The LLM's reason, where it gave one.")
    round: int = Field(description="From 0.")
    kept: bool | None = Field(description="Null: nobody has decided.")
    reason: str
    who: str


class PickList(Frozen):
    items: tuple[PickShown, ...]
    next: str | None = Field(description="Give it as `after` for the rest; null where this is all.")


class Undecided(Frozen):
    left: int = Field(description="Picks of the round that nobody has decided.")


class PairShown(Frozen):
    """Two people on the texts that both have answered."""

    people: tuple[str, str]
    texts: int
    raw: float = Field(description="Share of these texts on which they agree.")
    cohen_kappa: float | None = Field(description="Beyond chance; null where both always said the same one thing.")


class AnchoringShown(Frozen):
    """Agreement with the machine of people who saw its label first, and of those from whom it was hidden."""

    shown: int
    shown_agreed: int
    blind: int
    blind_agreed: int
    difference: float | None = Field(description="Of the two shares; null while one of them has no answers.")
    low: float | None = Field(description="Lower bound of the difference, 95 %.")
    high: float | None


class AgreementShown(Frozen):
    """Null is what cannot be said yet."""

    answers: int
    raw: float | None = Field(description="Share of pairs of answers to one text that agree.")
    fleiss_kappa: float | None
    pairs: tuple[PairShown, ...]
    anchoring: AnchoringShown
