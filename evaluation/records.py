"""What evaluation reads: the record of a comparison of arms, and the record of one run without gold labels."""

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from agent.domain import Cost, Round, Stop
from evaluation.datasets import DataCard
from evaluation.split import SplitReport
from prompts.messages import Frozen

Measured = Annotated[
    float,
    BeforeValidator(lambda value: math.nan if value is None else value),
    # One nan object for all, so that two equal records compare equal.
    AfterValidator(lambda value: math.nan if math.isnan(value) else value),
    PlainSerializer(lambda value: None if math.isnan(value) else value, return_type=float | None),
]
"""A number that may be undefined: nan here, null in JSON."""


def _absent(value: object) -> object:
    """None for a nan, alone or in a tuple: a diagnostic that is undefined is one that is not there."""
    parts = value if isinstance(value, tuple | list) else (value,)
    return None if any(isinstance(part, float) and math.isnan(part) for part in parts) else value


Share = Annotated[Annotated[float, Field(ge=0.0, le=1.0)] | None, BeforeValidator(_absent)]
Quartiles = Annotated[tuple[float, float, float, float] | None, BeforeValidator(_absent)]
"""Shares of the LLM's own picks by quarter of the list it was shown; 0.25 each for one that ignores position."""

Role = Literal["agent", "control", "machine", "classic", "ablation"]
"""`agent`: the method under test. `control`: random people with as many LLM labels. `machine`: no person at all.
`classic`: active learning without an LLM. `ablation`: the agent with something taken out."""


class Choosing(Frozen):
    """How the LLM chose in one run, over all of its lists; by `agent.query.diagnose`. What does not apply is nan."""

    progressions: Measured = math.nan
    """Share of lists whose picks stand in an arithmetic progression: it counted instead of choosing."""
    by_chance: Measured = math.nan
    """The share that random picks of the same lists would have."""
    refused: Measured = math.nan
    """Share of lists without a usable answer, those that nobody answered among them."""
    miscounted: Measured = math.nan
    """Share of lists that were answered with too few or too many texts."""
    unknown: Measured = math.nan
    """Names that were not in the list, for each pick."""
    repeated: Measured = math.nan
    """Names said again, for each pick."""
    classes: dict[str, Measured] = {}
    """Shares of its own picks by gold label."""
    tokens: Measured = math.nan
    """Read and written for each text that it chose itself."""
    seconds: Measured = math.nan
    own: tuple[str, ...] = ()
    """Ids of the texts that it chose itself."""


class Point(Frozen):
    """One student (or LLM) measured on the test set, after so many labels."""

    human_labels: int = Field(ge=0)
    """People's labels so far, wherever they were used."""
    machine_labels: int = Field(default=0, ge=0)
    generated: int = Field(default=0, ge=0)
    """Training texts that the LLM wrote."""
    accuracy: Measured = math.nan
    macro_f1: Measured = math.nan
    cost: Cost = Cost()
    """Spent so far."""
    predictions: tuple[int, ...] | None = None
    """Predicted class index of each test item, in the order of `Comparison.gold`. -1: the item was left out, and the
    measures are over the others; -2: an answer was asked for and none came, which is not right."""


class Cell(Frozen):
    """One run of a comparison: one arm, one seed, one training, one student."""

    arm: str
    seed: int
    training: int = 0
    """Which of several trainings on the same seed; `evaluation.trainings` takes their mean before any test."""
    student: str = ""
    """Empty where the LLM's own labels are measured and nothing is trained."""
    curve: tuple[Point, ...] = Field(min_length=1)
    scouts: tuple[Point, ...] = ()
    """What the scout reached that served the rounds, one a round, where it was measured. It is compared with nothing:
    the student that counts is the curve's. Where both are one model, a study has these points on the curve."""
    cost: Cost = Cost()
    """Of the whole run; `seconds` are those that the LLM took."""
    spec: str = ""
    """Fingerprint of the run's specification."""
    run: str = ""
    stop: str = ""
    filled_share: Share = None
    """Of the LLM's picks, the share that the declared fallback made."""
    quartiles: Quartiles = None
    renamed: str | None = None
    """What the arm must be called if the fallback made as many of its picks in every seed as it did in this one."""
    choosing: Choosing | None = None
    """None where the LLM was not asked to choose, and in records made before this was kept."""
    notes: dict[str, float] = {}
    """Counts: `lists` the LLM was shown, how many were `refused`, what it has `chosen`; generated texts `rejected`, and
    requests for a text that brought none (`unwritten`)."""


class Arm(Frozen):
    """What is compared."""

    name: str
    title: str = ""
    """As pages print it; the name where empty."""
    role: Role = "classic"
    note: str = ""
    fixed: bool = False
    """True where nothing in it depends on the seed, so that one cell stands for every seed."""

    @property
    def shown(self) -> str:
        return self.title or self.name


class ModelCard(Frozen):
    """A model as it was loaded."""

    role: str
    """What it was used for, such as `LLM`, `student` or `encoder`."""
    name: str
    variant: str = ""
    hash: str = ""
    source: str = ""


class Bin(Frozen):
    """One bar of a reliability diagram: items whose confidence is in (low, high], the first bin closed below."""

    low: float
    high: float
    n: int
    confidence: Measured = math.nan
    """Mean in the bin."""
    accuracy: Measured = math.nan


class Mistake(Frozen):
    """A text that the LLM labelled otherwise than gold."""

    text: str
    gold: str
    said: str
    confidence: float


class LabelAudit(Frozen):
    """The LLM's labels beside gold (or people's) labels. Made by `evaluation.audit.audit`."""

    model: str = ""
    against: str = "gold labels"
    n: int
    """Labels compared, abstentions not among them."""
    abstained: int = 0
    accuracy: Measured = math.nan
    macro_f1: Measured = math.nan
    raw_accuracy: Measured = math.nan
    """Before calibration."""
    ece: Measured = math.nan
    brier: Measured = math.nan
    auroc: Measured = math.nan
    """How well low confidence finds errors: 0.5 is chance."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """Rows: gold class; columns: the LLM's."""
    bins: tuple[Bin, ...] = ()
    coverage: tuple[tuple[float, float], ...] = ()
    """(share of labels kept, accuracy among them), most confident first."""
    mistakes: tuple[Mistake, ...] = ()


class Comparison(Frozen):
    """Arms measured on one task at equal human labels."""

    record: Literal[1] = 1
    """Number of this form of the record."""
    name: str
    task: str
    item: str = "text"
    classes: tuple[str, ...] = Field(min_length=2)
    budget: int = Field(ge=0)
    """Human labels at which the arms are compared."""
    pool_size: int = 0
    test_size: int = 0
    gold: tuple[int, ...] | None = None
    """Class index of each test item; None where predictions are not kept."""
    arms: tuple[Arm, ...]
    cells: tuple[Cell, ...]
    student: str = ""
    """The student that the headline speaks of; the first one found where empty."""
    models: tuple[ModelCard, ...] = ()
    data: DataCard | None = None
    split: SplitReport | None = None
    labels: LabelAudit | None = None
    prompts: dict[str, str] = {}
    """Fingerprint of each prompt by what it was used for."""
    settings: dict[str, str] = {}
    machine: str = ""
    seconds: float | None = None
    """Wall time of the whole comparison."""
    made: str = ""
    caveats: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = [arm.name for arm in self.arms]
        if len(set(known)) < len(known):
            raise ValueError(f"two arms have the same name in {known}")
        keys = [(cell.arm, cell.student, cell.seed, cell.training) for cell in self.cells]
        if len(set(keys)) < len(keys):
            raise ValueError(f"two cells have the same arm, student and seed, and the same training: {_twice(keys)}")
        if stray := {cell.arm for cell in self.cells} - set(known):
            raise ValueError(f"cells of undeclared arms: {', '.join(sorted(stray))}")
        self._check_sizes()
        return self

    def _check_sizes(self) -> None:
        if self.gold is None:
            return
        wanted = len(self.gold)
        for cell in self.cells:
            for point in cell.curve:
                if point.predictions is not None and len(point.predictions) != wanted:
                    raise ValueError(
                        f"arm {cell.arm!r}, seed {cell.seed}: {len(point.predictions)} predictions, {wanted} test items"
                    )

    @property
    def students(self) -> tuple[str, ...]:
        """Students in the order of the cells, the headline's first."""
        found = dict.fromkeys(cell.student for cell in self.cells if cell.student)
        return tuple(sorted(found, key=lambda name: name != self.student))

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def of(self, arm: str, student: str) -> tuple[Cell, ...]:
        """The arm's cells with that student, by seed."""
        found = [cell for cell in self.cells if cell.arm == arm and cell.student == student]
        return tuple(sorted(found, key=lambda cell: (cell.seed, cell.training)))


class LabelCount(Frozen):
    """Labels of one class by who stands behind them."""

    label: str
    human: int = 0
    confirmed: int = 0
    machine: int = 0


class RunSummary(Frozen):
    """One run on a user's own texts: no gold labels, so nothing here claims a test accuracy unless one was measured."""

    record: Literal[1] = 1
    run: str
    title: str = ""
    """What people call it; the task's name where empty."""
    task: str
    item: str = "text"
    classes: tuple[str, ...] = ()
    pool_size: int = 0
    budget: int = 0
    recipe: str = ""
    student: str = ""
    seed: int | None = None
    labels: tuple[LabelCount, ...] = ()
    by: dict[str, int] = {}
    """Labels by who gave them."""
    abstained: int = 0
    generated: int = 0
    rejected: int = 0
    rounds: tuple[Round, ...] = ()
    stop: Stop | None = None
    cost: Cost = Cost()
    agreement: Share = None
    """Share of the LLM's labels that the final student repeats."""
    agreement_human: Share = None
    """Share of people's labels that the final student repeats; it was trained on most of them."""
    audit: LabelAudit | None = None
    """The LLM against people, on the texts that both labelled."""
    curve: tuple[Point, ...] = ()
    """Measured on a test set of the user's, where there is one."""
    scouts: tuple[Point, ...] = ()
    """As in `Cell`."""
    filled_share: Share = None
    quartiles: Quartiles = None
    renamed: str | None = None
    """What the run must be called because the fallback made too many of the LLM's picks."""
    notes: dict[str, float] = {}
    """Counts, as in `Cell`."""
    models: tuple[ModelCard, ...] = ()
    prompts: dict[str, str] = {}
    settings: dict[str, str] = {}
    machine: str = ""
    seconds: float | None = None
    made: str = ""
    files: tuple[str, ...] = ()
    """What the run left behind."""
    caveats: tuple[str, ...] = ()


def _twice(keys: list[tuple[str, str, int, int]]) -> tuple[str, str, int, int]:
    return next(key for key in keys if keys.count(key) > 1)
