"""What a user asks for, checked before anything is started, and the job that it amounts to."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agent.domain import Task
from agent.errors import BadInput
from agent.generate.filters import digest
from agent.recipe import Recipe
from agent.recipes import RECIPES
from agent.stopping import Budget
from agent.students import Bert, FrozenLinear, LearnerSpec, SetFit, TfidfSvm
from evaluation.cards import card
from evaluation.records import Arm, Role
from evaluation.split import SplitReport
from serving.connect import Served
from serving.models.resolve import Loaded
from serving.roles.fingerprints import fingerprints
from serving.runs import outputs, wiring
from serving.runs.job import Job, JobArm, People
from serving.runs.tables import Table
from serving.shapes_runs import Caps

LEARNERS: dict[str, LearnerSpec] = {"bert": Bert(), "setfit": SetFit(), "linear": FrozenLinear(), "svm": TfidfSvm()}
LONGEST_NAME = 60
"""Characters of a recipe's name."""
COMPARED: tuple[tuple[str, Role, str], ...] = (
    ("agent", "agent", "agent"),
    ("random-and-machine", "control", "random people + LLM labels"),
    ("machine-only", "machine", "LLM labels, no person"),
    ("uncertainty", "classic", "uncertainty"),
    ("diversity", "classic", "diversity"),
    ("random", "classic", "random"),
)
"""What `--compare` runs: name of the recipe, its role in the report, its title."""


@dataclass(frozen=True)
class Wish:
    """What a user asks for, in the words of the command line."""

    task: Task
    table: Table
    test: Table | None
    budget: int
    recipe: str = "agent"
    compare: bool = False
    seeds: int = 1
    students: tuple[str, ...] = ("bert",)
    """Empty: what `own` trains."""
    simulate: bool = False
    noise: float = 0.0
    reads: int = 600
    test_reads: int = 300
    data_card: str = ""
    split: SplitReport | None = None
    title: str = ""
    own: Recipe | None = None
    """Instead of the ready recipe that `recipe` names."""
    caps: Caps = field(default_factory=Caps)
    people: People | None = None
    """Who answers, where it is neither a simulation nor a file."""

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """All that it runs, its own first."""
        if self.own is not None:
            return (self.own,)
        made = (RECIPES[name](self.paid_texts, Bert(), self.reads) for name in self.ready)
        return tuple(_in_answers(recipe, self.overlap) for recipe in made)

    @property
    def ready(self) -> tuple[str, ...]:
        """Names of the ready recipes that it runs."""
        if self.own is not None:
            return ()
        return tuple(name for name, _, _ in COMPARED) if self.compare else (self.recipe,)

    @property
    def learners(self) -> tuple[LearnerSpec, ...]:
        """What is trained: the students that are named, else what the user's own recipe brings."""
        if self.own is not None and not self.students:
            return (self.own.learner,)
        return tuple(LEARNERS[name] for name in self.students)

    @property
    def overlap(self) -> int:
        """People who answer for each text."""
        return self.people.overlap if self.people else 1

    @property
    def most_labels(self) -> int:
        """The budget, or the cap where that is less."""
        return self.budget if self.caps.human_labels is None else min(self.budget, self.caps.human_labels)

    @property
    def paid_texts(self) -> int:
        """How many texts the budget pays for, where several people answer for each."""
        return self.most_labels // self.overlap


def _in_answers(recipe: Recipe, overlap: int) -> Recipe:
    """Ready recipes are made for a number of texts; a budget that ends one counts answers, `overlap` for each text."""
    stop = recipe.stop
    if not isinstance(stop, Budget):
        return recipe
    return recipe.model_copy(update={"stop": stop.model_copy(update={"labels": stop.labels * overlap})})


def check(wish: Wish) -> None:
    """Raises BadInput for what could only fail later: before anything is started, asked or written."""
    n = len(wish.table.columns)
    if wish.paid_texts > n:
        raise BadInput(f"the budget of {wish.budget} labels is larger than the pool of {n} texts", "ask for less")
    _named(wish)
    _caps(wish)
    if wish.data_card:
        card(wish.data_card)
    _reads(wish)
    _begins(wish.recipes)
    demand_single(wish.recipes, wish.table)
    if wish.compare and (wish.test is None or not wish.simulate):
        raise BadInput("a comparison needs gold labels of pool and test texts", "give --test FILE and --simulate")
    if not wish.simulate and wish.seeds * len(wish.learners) > 1:
        what = f"{wish.seeds} seeds of {len(wish.learners)} students would each ask people for {wish.budget} labels"
        raise BadInput(what, "take one seed and one student, or simulate people with --simulate")
    _known("data", wish.table, wish)
    if wish.simulate:
        _labelled("data", wish.table)
    if wish.test is not None:
        _known("test", wish.test, wish)
        _labelled("test", wish.test)
        _apart(wish.table, wish.test)


def _named(wish: Wish) -> None:
    if wish.recipe not in RECIPES:
        raise BadInput(f"there is no recipe {wish.recipe!r}", f"known: {', '.join(RECIPES)}")
    if wish.own is not None and wish.compare:
        raise BadInput("a comparison runs the ready recipes beside each other", "name a recipe, or do not compare")
    name = "" if wish.own is None else wish.own.name
    if len(name) > LONGEST_NAME or not name.isprintable() or "/" in name:  # steps and files are called by it
        what = f"{name[:LONGEST_NAME]!r} is no name for a recipe"
        raise BadInput(what, f"use up to {LONGEST_NAME} printable characters without a slash")
    unknown = [name for name in wish.students if name not in LEARNERS]
    if unknown:
        raise BadInput(f"there is no student {unknown[0]!r}", f"known: {', '.join(LEARNERS)}")


def _begins(recipes: Sequence[Recipe]) -> None:
    """Raises BadInput where a strategy of a recipe needs what no earlier step leaves, or what its student cannot do."""
    for recipe in recipes:
        if unmet := recipe.unmet():
            what, remedy = unmet
            raise BadInput(f"the recipe {recipe.name!r}: {what}", remedy)


def _known(what: str, table: Table, wish: Wish) -> None:
    """Of a file this was looked at when it was read; an upload is read before anybody names a task."""
    for id_, label in table.gold.items():
        if label not in wish.task.names:
            named = f"{what}: {id_!r} is labelled {label[:60]!r}, no label of the task"
            raise BadInput(named, f"use one of {', '.join(wish.task.names)}")


def _apart(pool: Table, test: Table) -> None:
    """A text of the pool in the test set, and the student is measured on what it may have been trained on."""
    known = {digest(text): id_ for id_, text in _inputs_of(pool)}
    shared = [(known[digest(text)], id_) for id_, text in _inputs_of(test) if digest(text) in known]
    if shared:
        what = f"{len(shared)} of {len(test.columns)} texts in {test.path} stand in {pool.path} too"
        raise BadInput(f"{what}, the first as {shared[0][1]!r} and {shared[0][0]!r}", "keep them in one of the files")


def _inputs_of(table: Table) -> Iterator[tuple[str, str]]:
    """Ids with all that a student reads of them: both halves of a pair."""
    columns = table.columns
    for i, id_ in enumerate(columns.ids):
        yield id_, columns.texts[i] + (f" {columns.texts_b[i]}" if columns.texts_b else "")


def demand_single(recipes: Sequence[Recipe], table: Table) -> None:
    """Raises BadInput where a recipe writes texts and the table holds pairs of them."""
    writing = [each.name for each in recipes if each.writes]
    if table.columns.texts_b is not None and writing:
        what = f"the recipe {writing[0]!r} writes single texts, and {table.path} holds pairs"
        raise BadInput(what, "take a recipe without generation, such as random-and-machine")


def _caps(wish: Wish) -> None:
    if wish.most_labels < 1:
        raise BadInput(f"a cap of {wish.caps.human_labels} labels of people leaves nothing to spend", "allow 1 or more")
    if wish.paid_texts < 1:
        what = f"{wish.most_labels} labels of people pay for no text that {wish.overlap} of them answer for"
        raise BadInput(what, "give a larger budget, or ask fewer people for each text")
    if wish.caps.human_minutes is not None and wish.people is None and not wish.simulate:
        what = "nobody measures how long people take to fill in a file, so that no cap on minutes can be kept"
        raise BadInput(what, "let people label in the browser (make serve), or cap their labels")


def _reads(wish: Wish) -> None:
    """Where the LLM labels, some of its labels have to be left after people had their turn at the least sure ones."""
    named = set(wish.ready)
    if "agent" in named and wish.paid_texts < 4:
        what = f"the recipe 'agent' spends people's labels in four parts, and there are {wish.paid_texts}"
        raise BadInput(what, "give a budget of 4 or more, or take another recipe, such as random-and-machine")
    least = max(1, wish.paid_texts // 4) + 1 if "agent" in named else 1
    if wish.reads < least and named & {"agent", "machine-only", "random-and-machine"}:
        what = f"the LLM is to label {wish.reads} texts, too few for {wish.budget} labels of people"
        raise BadInput(what, f"give --reads {least} or more, or a recipe without an LLM, such as random")


def _labelled(what: str, table: Table) -> None:
    missing = len(table.columns) - len(table.gold)
    if missing:
        raise BadInput(
            f"{missing} of {len(table.columns)} texts in {table.path} have no label",
            f"fill the label column of the {what}",
        )
    found = Counter(table.gold.values())
    if len(found) < 2:
        raise BadInput(
            f"every text in {table.path} is labelled {next(iter(found))!r}", "give texts of two labels or more"
        )


def plan(wish: Wish, served: Served | None, encoder: Loaded | None) -> Job:
    """The job that a wish amounts to; without models for a forecast only."""
    # The cells of a comparison share the cores (`serving.runs.beside`): one thread each, whatever the machine.
    learners = tuple(
        each.model_copy(update={"threads": 1}) if wish.compare and isinstance(each, Bert | SetFit) else each
        for each in wish.learners
    )
    arms = _arms(wish, learners[0])
    simulated_or_file = People(kind="simulated" if wish.simulate else "file", noise=wish.noise)
    return Job(
        program=outputs.thresher_version(),
        title=wish.title,
        task=wish.task,
        data=wish.table.digest,
        test=wish.test.digest if wish.test else "",
        data_card=wish.data_card,
        split=wish.split,
        budget=wish.most_labels,
        caps=wish.caps,
        reads=wish.reads,
        test_reads=wish.test_reads if wish.compare else 0,
        arms=arms,
        learners=learners,
        seeds=tuple(range(wish.seeds)),
        people=wish.people or simulated_or_file,
        llm=wiring.used(served) if served else None,
        encoder=wiring.used(encoder) if encoder else None,
        prompts=tuple(sorted({p for each in arms for p in fingerprints(each.recipe)})),
    )


def _arms(wish: Wish, learner: LearnerSpec) -> tuple[JobArm, ...]:
    told: tuple[tuple[str, Role, str], ...] = tuple((each.name, "agent", each.name) for each in wish.recipes)
    return tuple(
        JobArm(arm=Arm(name=name, title=title, role=role), recipe=recipe.model_copy(update={"learner": learner}))
        for (name, role, title), recipe in zip(COMPARED if wish.compare else told, wish.recipes, strict=True)
    )


def asks_llm(wish: Wish) -> bool:
    """Whether anything in it needs an LLM."""
    return any(recipe.asks_llm for recipe in wish.recipes)
