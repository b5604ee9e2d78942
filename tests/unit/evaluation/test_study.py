"""Study files: read whole, refused with what and where."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.annotate import Route
from agent.errors import BadInput
from agent.query import KMeans, Listed, Margin, Random, Then
from agent.recipes import RECIPES
from agent.students import Bert, FrozenLinear, TfidfSvm
from evaluation.ablation import Ablation
from evaluation.ablation import parse as parse_ablation
from evaluation.contrasts import ALPHA, Area, At, Contrast
from evaluation.shuffles import least_p
from evaluation.study import Study, complete, parse, planned
from tests.support.toy_studies import SMALL, small

STUDIES = Path(__file__).parents[3] / "evaluation" / "studies"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.toml")), ids=lambda path: path.stem)
def test_ready_studies_can_be_read_and_are_called_after_their_file(path: Path) -> None:
    study = parse(path.read_text(encoding="utf-8"), path.name)
    assert study.name == path.stem
    assert study.about
    assert study.contrasts, "what is tested is named before the run"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.toml")), ids=lambda path: path.stem)
def test_ready_studies_have_the_shuffles_to_show_what_they_name(path: Path) -> None:
    study = parse(path.read_text(encoding="utf-8"), path.name)
    assert all(least_p(study.paired(each), len(study.contrasts)) < ALPHA for each in study.contrasts)


@pytest.mark.parametrize(("kind", "read"), [("study", parse), ("ablation", parse_ablation)])
def test_the_files_that_the_manual_shows_can_be_read(kind: str, read: Callable[[str], Study | Ablation]) -> None:
    manual = (STUDIES.parent / "README.md").read_text(encoding="utf-8")
    shown = [block for block in re.findall(r"```toml\n(.*?)```", manual, flags=re.DOTALL) if "shuffles =" in block]
    found = [block for block in shown if ("[factors]" in block) == (kind == "ablation")]
    assert found
    for block in found:
        read(block)


def test_there_are_ready_studies() -> None:
    assert {path.stem for path in STUDIES.glob("*.toml")} >= {
        "quick",
        "svm-vs-bert",
        "classic",
        "savings",
        "headline",
        "headline-large",
    }


def test_the_headline_has_the_agent_whole_and_without_each_of_its_roles() -> None:
    study = parse((STUDIES / "headline.toml").read_text(encoding="utf-8"))
    built = {arm.name: arm.built(FrozenLinear(), study.budget, study.llm.reads) for arm in study.arms}
    whole, scouted = built["agent"], [built[f"agent without {role}"] for role in ("selector", "annotator", "generator")]
    assert all(recipe.scout == whole.scout for recipe in scouted)
    assert all(step.query.kind != "generate" for step in built["agent without generator"].steps)
    assert all(step.annotate.kind == "human" for step in built["agent without annotator"].steps)
    at_random = [
        step.model_copy(update={"query": step.query.model_copy(update={"second": Random()})})
        if isinstance(step.query, Then)
        else step
        for step in whole.steps
    ]
    assert list(built["agent without selector"].steps) == at_random
    rest = {str(step.model_dump()) for step in whole.steps}
    assert {str(step.model_dump()) for step in built["agent without generator"].steps} <= rest


def test_the_headline_with_a_larger_llm_differs_in_the_llm_and_its_reads_alone() -> None:
    small_, large = (
        parse((STUDIES / f"{name}.toml").read_text(encoding="utf-8")) for name in ("headline", "headline-large")
    )
    assert (large.llm.model, large.llm.reads) == ("qwen2.5-1.5b-instruct", 300)
    given = large.model_dump(mode="json", exclude={"name", "about", "llm"})
    halved = re.sub(r'"(size|reads)":600', r'"\1":300', small_.model_dump_json(exclude={"name", "about", "llm"}))
    assert given == json.loads(halved)
    reads = large.llm.model_copy(update={"model": "", "reads": small_.llm.reads})
    assert reads == small_.llm


def test_the_headlines_controls_share_what_they_control_for() -> None:
    study = parse((STUDIES / "headline.toml").read_text(encoding="utf-8"))
    built = {arm.name: arm.built(FrozenLinear(), study.budget, study.llm.reads).steps for arm in study.arms}
    agent, same = built["agent"], built["same LLM labels"]
    assert same[0] == agent[0]
    assert isinstance(agent[1].annotate, Route)
    assert (same[1].query, same[1].size, same[1].annotate) == (agent[1].query, agent[1].size, agent[1].annotate.machine)
    assert any(step.query.kind == "generate" for step in agent)
    assert not any(step.query.kind == "generate" for step in same), "as its note says"
    selects = built["LLM selects"]
    for take in ("first", "random"):
        for shown, controlled in zip(selects, built[f"{take} of the lists"], strict=True):
            assert isinstance(shown.query, Then)
            listed = shown.query.model_copy(update={"second": Listed(take=take)})
            assert (controlled.query, controlled.size) == (listed, shown.size)
    assert study.part == "release", "what was tuned was tuned on the other part"


def test_strategies_of_scikit_activeml_stand_in_the_headline_and_five_arms_in_the_classic_part_of_bert() -> None:
    headline, classic = (
        parse((STUDIES / f"{name}.toml").read_text(encoding="utf-8")) for name in ("headline", "classic")
    )
    wrapped = [arm.name for arm in headline.arms if arm.strategy is not None and arm.strategy.kind == "skactiveml"]
    assert wrapped == ["typiclust then clue", "typiclust then dropquery"]
    assert [arm.name for arm in classic.arms_of("bert")] == [
        "random",
        "margin",
        "kmeans",
        "badge",
        "kmeans then margin",
    ]


def test_the_short_form_is_a_classic_loop() -> None:
    study = small(arms=[{"strategy": {"kind": "margin"}, "seed_batch": 6, "batch": 3, "budget": 12}], contrasts=[])
    recipe = study.arms[0].built(TfidfSvm(), study.budget, 0)
    assert study.arms[0].name == recipe.name == "margin"
    assert [(type(step.query), step.size) for step in recipe.steps] == [(Random, 6), (Margin, 3)]
    assert recipe.stop.model_dump() == {"kind": "budget", "labels": 12}
    assert recipe.learner == TfidfSvm()
    assert study.arms[0].shown(recipe).role == "classic"


def test_a_ready_recipe_is_the_one_that_is_run_elsewhere() -> None:
    study = small(arms=[{"recipe": "random-and-machine", "reads": 24}], contrasts=[])
    recipe = study.arms[0].built(TfidfSvm(), 16, 600)
    assert recipe == RECIPES["random-and-machine"](16, TfidfSvm(), 24)
    assert study.arms[0].shown(recipe).role == "control"


def test_a_recipe_in_full_does_each_step_once() -> None:
    steps = [{"query": {"kind": "kmeans"}, "size": 4}, {"query": {"kind": "margin"}, "size": 2}]
    study = small(arms=[{"name": "mine", "steps": steps}], contrasts=[])
    recipe = study.arms[0].built(TfidfSvm(), 16, 0)
    assert [type(step.query) for step in recipe.steps] == [KMeans, Margin]
    assert recipe.stop.model_dump() == {"kind": "rounds", "most": 2}


def test_students_have_shuffles_trainings_and_arms_of_their_own() -> None:
    study = small(students=["svm", {"learner": {"kind": "bert"}, "shuffles": 1, "trainings": 2, "arms": ["random"]}])
    cells = planned(study)
    assert study.students[1].learner == Bert()
    found = [(c.data, c.student, c.shuffle, c.training, c.arm) for c in cells if c.data == "weather"]
    assert found == [
        ("weather", "svm", 0, 0, "random"),
        ("weather", "svm", 0, 0, "margin"),
        ("weather", "svm", 1, 0, "random"),
        ("weather", "svm", 1, 0, "margin"),
        ("weather", "bert", 0, 0, "random"),
        ("weather", "bert", 0, 1, "random"),
    ]


def test_whole_shuffles_of_all_sets_and_of_students_with_as_many_come_one_after_the_other() -> None:
    cells = planned(small(students=["svm", "linear", {"learner": {"kind": "bert"}, "shuffles": 1}]))
    quick = [c.shuffle for c in cells if c.student != "bert"]
    assert quick == sorted(quick)
    assert {c.student for c in cells if c.shuffle == 0} == {"svm", "linear", "bert"}
    assert cells[-1].student == "bert"


def test_contrasts_are_of_the_first_student_at_the_budget_unless_they_say_otherwise() -> None:
    area = {"a": "margin", "b": "random", "measure": {"kind": "area", "axis": "minutes"}}
    study = small(contrasts=[{"a": "margin", "b": "random"}, {**area, "student": "linear", "b_student": "svm"}])
    assert study.contrasts[0] == Contrast(a="margin", b="random", student="svm", measure=At())
    assert study.contrasts[1].sides == (("margin", "linear"), ("random", "svm"))
    assert study.contrasts[1].measure == Area(axis="minutes")
    own = {"a": "margin", "b": "zero-shot", "b_student": ""}
    assert small(contrasts=[own], llm={"test_reads": 30}).contrasts[0].sides[1] == ("zero-shot", "")


def test_a_study_survives_being_written_down() -> None:
    arms = [{"recipe": "agent"}, {"strategy": {"kind": "margin"}}]
    study = small(arms=arms, contrasts=[], students=["svm", {"learner": {"kind": "bert"}, "shuffles": 1}])
    assert Study.model_validate_json(study.model_dump_json()) == study


def test_a_block_is_whole_with_all_its_arms_only() -> None:
    study = small()
    cells = planned(study)
    assert complete(study, cells) == cells
    assert complete(study, cells[1:]) == tuple(
        c for c in cells if (c.data, c.student, c.shuffle) != ("weather", "svm", 0)
    )
    assert complete(study, []) == ()


WRONG = {
    "unknown key": ("shuffels = 3", "unknown key shuffels"),
    "unknown key of a part": ("[llm]\nread = 3", "unknown key llm.read"),
    "two sets of one name": ('sets = ["weather", "weather"]', "two data sets are called 'weather'"),
    "path instead of a name": ('name = "../x"', "name: "),
    "student that is not there": ('students = ["forest"]', "students.0.learner"),
    "budget beyond the pool": ("budget = 49", "the budget of 49 labels is larger than the pool of 48 texts"),
    "point behind the budget": ("points = [8, 32]", "the point 32 lies behind the budget"),
    "point between two rounds": (
        "points = [8, 12]",
        "the arm 'random' never has the 12 labels of a point; it has 8, 16",
    ),
    "target beyond one": ("targets = [1.5]", "targets.0"),
    "no shuffle": ("shuffles = 0", "shuffles"),
}


@pytest.mark.parametrize(("line", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_its_place(line: str, said: str) -> None:
    key = line.split(" = ")[0]
    kept = [each for each in SMALL.splitlines() if not each.startswith(f"{key} =")]
    text = "\n".join([*kept, line]) if line.startswith("[") else "\n".join([line, *kept])
    with pytest.raises(BadInput) as raised:
        parse(text, "my.toml")
    assert "my.toml" in str(raised.value)
    assert said in str(raised.value)


WRONG_PARTS: dict[str, tuple[dict[str, object], str]] = {
    "no form": ({"arms": [{"name": "a"}]}, "one of recipe, strategy and steps; found none of them"),
    "two forms": ({"arms": [{"recipe": "random", "strategy": {"kind": "margin"}}]}, "found recipe and strategy"),
    "key of another form": ({"arms": [{"recipe": "random", "batch": 4}]}, "'batch' does not go with 'recipe'"),
    "no such recipe": ({"arms": [{"recipe": "magic"}]}, "there is no recipe 'magic'"),
    "no such strategy": ({"arms": [{"strategy": {"kind": "magic"}}]}, "magic"),
    "unknown key of a strategy": ({"arms": [{"strategy": {"kind": "margin", "k": 3}}]}, "unknown key"),
    "unnamed steps": ({"arms": [{"steps": [{"query": {"kind": "random"}, "size": 4}]}]}, "needs a name"),
    "reserved name": ({"arms": [{"name": "full", "recipe": "random"}]}, "cannot be called 'full'"),
    "two arms of one name": ({"arms": [{"recipe": "random"}, {"recipe": "random"}]}, "two arms are called 'random'"),
    "seed batch by a student": (
        {"arms": [{"strategy": {"kind": "margin"}, "first": {"kind": "margin"}}]},
        "its first step chooses by 'margin', which needs a trained student",
    ),
    "disputes without labels of the LLM": (
        {"arms": [{"strategy": {"kind": "disagreement"}}]},
        "step 1 chooses by 'disagreement', which needs labels of the LLM; let it label some texts in an earlier step",
    ),
    "seed batch by labels": (
        {"arms": [{"strategy": {"kind": "margin"}, "first": {"kind": "skactiveml", "strategy": "dropquery"}}]},
        "with the student 'svm': its first step chooses by 'dropquery', which needs labelled texts; begin with a",
    ),
    "committee of a student that is none": (
        {"arms": [{"strategy": {"kind": "bald"}}], "students": ["linear", "svm"]},
        "the arm 'bald' with the student 'svm': step 1 chooses by 'bald', which needs a student that can be sampled",
    ),
    "arm that spends more": ({"arms": [{"recipe": "random", "budget": 17}]}, "spends 17 labels, the study 16"),
    "contrast with itself": (
        {"contrasts": [{"a": "margin", "b": "margin"}]},
        "'margin' with 'svm' is contrasted with itself",
    ),
    "contrast of a stranger": (
        {"contrasts": [{"a": "magic", "b": "margin"}]},
        "'weather' has no arm 'magic' with the student 'svm'",
    ),
    "contrast of an absent student": (
        {"contrasts": [{"a": "margin", "b": "random", "student": "bert"}]},
        "'weather' has no arm 'margin' with the student 'bert'",
    ),
    "student of a missing arm": (
        {"students": [{"learner": {"kind": "svm"}, "arms": ["magic"]}]},
        "the student 'svm' names the arm 'magic'",
    ),
    "nine contrasts": (
        {"contrasts": [{"a": "margin", "b": "random", "labels": n} for n in range(9)]},
        "9 contrasts are named",
    ),
    "one contrast twice": ({"contrasts": [{"a": "margin", "b": "random"}] * 2}, "is named twice"),
    "contrast beyond the budget": (
        {"contrasts": [{"a": "margin", "b": "random", "labels": 17}]},
        "contrast 1 looks at 17 labels, the budget is 16",
    ),
    "contrast before the seed batch": (
        {"contrasts": [{"a": "margin", "b": "random", "labels": 4}]},
        "contrast 1: 'margin' has no point at 4 labels; it has 8, 16",
    ),
    "contrast between two points": (
        {"contrasts": [{"a": "margin", "b": "random", "labels": 12}]},
        "contrast 1: 'margin' has no point at 12 labels; it has 8, 16",
    ),
    "contrast where no curve is measured": (
        {"contrasts": [{"a": "margin", "b": "random", "labels": 8}], "points": [16]},
        "contrast 1: 'margin' has no point at 8 labels; it has 16",
    ),
    "contrast at less than nothing": (
        {"contrasts": [{"a": "margin", "b": "random", "labels": -5}]},
        "greater than or equal to 0",
    ),
    "area from before the seed batch": (
        {"contrasts": [{"a": "margin", "b": "random", "measure": {"kind": "area", "low": 4}}]},
        "contrast 1: 'margin' begins at 8 labels, and the area at 4",
    ),
    "area under a point": (
        {"contrasts": [{"a": "margin", "b": "random", "measure": {"kind": "area"}}], "points": [16]},
        "contrast 1: 'margin' begins at 16 labels, and the area ends at 16",
    ),
    "area of an arm that is measured at its end": (
        {
            "arms": [{"recipe": "agent"}, {"recipe": "random"}],
            "contrasts": [{"a": "agent", "b": "random", "measure": {"kind": "area"}}],
        },
        "contrast 1: 'agent' is measured at its end alone, and an area needs a curve",
    ),
    "area over a cost, of an arm that is measured at its end": (
        {
            "arms": [{"recipe": "agent"}, {"recipe": "machine-only"}],
            "contrasts": [{"a": "agent", "b": "machine-only", "measure": {"kind": "area", "axis": "tokens"}}],
        },
        "contrast 1: 'agent' is measured at its end alone, and an area needs a curve",
    ),
    "contrast with the LLM on other texts": (
        {"contrasts": [{"a": "margin", "b": "zero-shot", "b_student": ""}], "llm": {"test_reads": 29}},
        "no arm 'zero-shot' with no student",
    ),
}


@pytest.mark.parametrize(("changes", "said"), WRONG_PARTS.values(), ids=WRONG_PARTS)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, object], said: str) -> None:
    if "arms" in changes:
        changes = {"contrasts": [], **changes}
    with pytest.raises(ValueError, match=r"(?s).") as raised:
        small(**changes)
    told = str(raised.value).replace("Extra inputs are not permitted", "unknown key")
    assert said in told


@pytest.mark.parametrize(
    ("axis", "words"), [("tokens", "LLM tokens"), ("minutes", "human minutes"), ("money", "money")]
)
def test_an_area_over_what_neither_side_spends_is_refused(axis: str, words: str) -> None:
    given = {"contrasts": [{"a": "margin", "b": "random", "measure": {"kind": "area", "axis": axis}}]}
    with pytest.raises(ValueError, match=rf"contrast 1: an area over .*{words}, and neither side spends any"):
        small(**given, people={"seconds": 0.0})


def test_what_may_stand_there_is_named() -> None:
    with pytest.raises(BadInput, match=r"known there: .*shuffles, trainings, students"):
        parse(f"shuffels = 3\n{SMALL}")
    with pytest.raises(BadInput, match=r"unknown key arms\.1\.sed_batch.*known there: name, title, role"):
        parse(SMALL.replace('strategy = { kind = "margin" }', 'strategy = { kind = "margin" }\nsed_batch = 3'))
    with pytest.raises(BadInput, match=r"unknown key contrasts\.0\.label.*known there: a, b, student.*, labels"):
        parse(SMALL.replace('b = "random"', 'b = "random"\nlabel = 3'))
    with pytest.raises(BadInput, match="is not valid TOML"):
        parse("name = ")
