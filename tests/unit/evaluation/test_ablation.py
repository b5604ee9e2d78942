"""Prompt ablations: what a file may ask for, which cells that makes, and what effects come of them."""

import math
from pathlib import Path

import numpy as np
import pytest

from agent.errors import BadInput
from evaluation.ablation import Ablation, Annotating, Selecting, arm_name, parse, task_of
from evaluation.ablation_alike import demand_alike
from evaluation.ablation_design import (
    Contrast,
    aliases,
    combined,
    interactions,
    main_effects,
    named,
    possible,
    read_effect,
    weights,
)
from evaluation.ablation_effects import Results, effects
from evaluation.ablation_table import told
from evaluation.ablation_watch import Labelled, Run, Selected
from evaluation.records import Cell, Choosing, Point
from evaluation.shuffles import effect
from evaluation.study import planned
from tests.support.questions import TASK
from tests.support.toy_studies import PICKS, READS

READY = Path(__file__).parents[3] / "evaluation" / "ablations"
THREE = {"mode": ("cot", "no-cot", "explanation"), "advice": ("none", "strategies"), "list_size": (15, 30)}
FIVE = dict.fromkeys("abcde", (0, 1))
A, B, AB = (Contrast(parts=parts) for parts in ((("a", 1),), (("b", 1),), (("a", 1), ("b", 1))))


@pytest.mark.parametrize("path", sorted(READY.glob("*.toml")), ids=lambda path: path.stem)
def test_ready_ablations_can_be_read_and_are_called_after_their_file(path: Path) -> None:
    ablation = parse(path.read_text(encoding="utf-8"), path.name)
    assert ablation.name == path.stem
    assert Ablation.model_validate_json(ablation.model_dump_json()) == ablation


@pytest.mark.parametrize("path", sorted(READY.glob("*.toml")), ids=lambda path: path.stem)
def test_no_ready_ablation_cuts_what_its_levels_have_the_llm_write(path: Path) -> None:
    ablation = parse(path.read_text(encoding="utf-8"), path.name)
    cells = [ablation.cell(each) for each in ablation.design]
    limits = {each.base.max_tokens for each in cells if isinstance(each, Selecting)}
    assert limits <= {None}, "effects would be those of the limit"


def test_the_ready_ablations_are_those_that_were_asked_for() -> None:
    asked = {"activellm", "batch-size", "criteria", "readout", "selection", "shots"}
    assert {path.stem for path in READY.glob("*.toml")} == asked


@pytest.mark.parametrize(("name", "runs", "questions"), [("selection", 300, 1200), ("readout", 160, 14400)])
def test_runs_and_questions_are_counted_before_anything_is_asked(name: str, runs: int, questions: int) -> None:
    ablation = parse((READY / f"{name}.toml").read_text(encoding="utf-8"))
    assert len(ablation.design) * len(ablation.sets) * ablation.shuffles == runs
    assert ablation.questions == questions


def test_the_last_batch_of_a_run_may_be_small() -> None:
    assert Selecting(budget=20, batch=8).questions == 2 + 2 + 1


def test_a_full_design_has_every_combination_once() -> None:
    design = combined(THREE)
    assert len(design) == 12
    assert len({tuple(cell.values()) for cell in design}) == 12
    assert design[0] == {"mode": "cot", "advice": "none", "list_size": 15}


def test_one_at_a_time_is_the_references_and_each_change_alone() -> None:
    assert [tuple(cell.values()) for cell in combined(THREE, "one-at-a-time")] == [
        ("cot", "none", 15),
        ("cot", "none", 30),
        ("cot", "strategies", 15),
        ("no-cot", "none", 15),
        ("explanation", "none", 15),
    ]


def test_half_a_design_is_balanced_and_tells_its_effects_apart_from_five_factors_on() -> None:
    design = combined(FIVE, "half")
    assert len(design) == 16
    for name in FIVE:
        assert sum(cell[name] == 1 for cell in design) == 8
    assert not any(aliases(each, FIVE, "half") for each in possible(FIVE, "half"))
    four = {name: FIVE[name] for name in "abcd"}
    assert aliases(A, four, "half") == ()
    assert [named(each, four) for each in aliases(AB, four, "half")] == ["c (1) x d (1)"]
    for factors in (THREE, {name: FIVE[name] for name in "abc"}):
        with pytest.raises(BadInput, match="half a design needs 4 factors"):
            combined(factors, "half")


def test_weights_are_those_of_a_hand() -> None:
    two = {"a": (0, 1), "b": (0, 1)}  # cells 00, 01, 10, 11
    assert weights(A, two, "full").tolist() == [-0.5, -0.5, 0.5, 0.5]
    assert weights(B, two, "full").tolist() == [-0.5, 0.5, -0.5, 0.5]
    assert weights(AB, two, "full").tolist() == [1, -1, -1, 1]
    assert weights(A, two, "one-at-a-time").tolist() == [-1, 0, 1]  # cells 00, 01, 10
    third = Contrast(parts=(("mode", "explanation"),))
    assert weights(third, THREE, "full").tolist() == [-0.25] * 4 + [0.0] * 4 + [0.25] * 4
    for fraction, factors in (("full", THREE), ("half", FIVE), ("one-at-a-time", THREE)):
        for each in possible(factors, fraction):  # pyright: ignore
            assert math.isclose(weights(each, factors, fraction).sum(), 0, abs_tol=1e-12)  # pyright: ignore


def test_effects_are_read_by_factor_by_level_and_in_pairs() -> None:
    assert read_effect("mode", THREE) == main_effects(THREE)[:2]
    assert read_effect("mode=no-cot", THREE) == main_effects(THREE)[:1]
    assert read_effect("mode x list_size", THREE) == tuple(
        each for each in interactions(THREE) if [name for name, _ in each.parts] == ["mode", "list_size"]
    )
    assert read_effect("list_size=30", THREE)[0].parts == (("list_size", 30),)
    for text, said in (
        ("tone", "the factor 'tone', and there is none"),
        ("mode=cot", "held against 'cot'"),
        ("mode x mode", "of two different ones"),
        ("mode x advice x list_size", "of two different ones"),
    ):
        with pytest.raises(BadInput, match=said):
            read_effect(text, THREE)


REFUSED = [
    ("mode =", "mood =", "has no slot 'mood'; its slots: criterion, advice, guidelines"),
    ('"cot"]', '"cott"]', "does not allow 'cott'"),
    ('"cot"]', '"no-cot"]', "needs two different levels"),
    ("mode =", "budget =", "'budget' is no factor"),
    ("mode =", "student =", "'student' is no factor"),
    ("mode =", "criterion =", "is a factor, and held still"),
    ('order = ["random", "reversed"]', 'list_size = ["many", 3]', "is a factor, and held still"),
    ('order = ["random", "reversed"]', 'shown_labels = ["many", 3]', "base.shown_labels"),
    ('order = ["random", "reversed"]', 'context = ["none", "weaknesses"]', "needs a trained student"),
    ('order = ["random", "reversed"]', 'prompt = ["select/choose", "annotate/label"]', "has no slot 'mode'"),
    ("[subject]", 'measure = "ece"\n[subject]', "a student has no ece"),
    ("[subject]", 'effects = ["tone"]\n[subject]', "the factor 'tone', and there is none"),
    ("[subject]", 'fraction = "half"\n[subject]', "half a design needs 4 factors"),
    ("[subject]", 'fraction = "one-at-a-time"\neffects = ["mode x order"]\n[subject]', "shows no interaction"),
    ("batch = 4", "batches = 4", "unknown key"),
    ("budget = 8", "budget = 80", "larger than the pool"),
]


@pytest.mark.parametrize(("old", "new", "said"), REFUSED, ids=[said for _, _, said in REFUSED])
def test_what_a_selection_ablation_cannot_be_is_refused(old: str, new: str, said: str) -> None:
    assert old in PICKS
    with pytest.raises(BadInput, match=f"^mine.toml: .*{said}"):
        parse(PICKS.replace(old, new), "mine.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("shots = [0, 4]", "shots = [0, 40]", "40 demonstrations cannot come from 8"),
        ("shots = [0, 4]", 'rationale = ["none", "before"]', "first token"),
        ("sample = 24", "sample = 12", "needs a sample of 20"),
        ("texts = 15", "texts = 16", "do not fit into a test part of 30"),
        ("sample = 24", 'sample = 24\nbase = { prompt = "judge/label" }', "shows no demonstrations"),
        ("sample = 24", 'sample = 24\nbase = { prompt = "select/choose" }', "does not annotate"),
        ("shots = [0, 4]", "shots = [0, 1, 2, 3, 4, 5, 6, 7]", "at most 8 may"),
    ],
)
def test_what_an_annotation_ablation_cannot_be_is_refused(old: str, new: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        parse(READS.replace(old, new))


def test_a_combination_changes_its_slots_and_settings_and_nothing_else() -> None:
    ablation = parse(PICKS)
    plain = ablation.subject.model_dump()
    cell = ablation.cell({"mode": "cot", "order": "reversed"}).model_dump()
    assert cell["base"].pop("slots") == {"criterion": "none", "mode": "cot"}
    assert cell["base"].pop("order") == "reversed"
    assert plain["base"].pop("slots") == {"criterion": "none"}
    assert plain["base"].pop("order") == "random"
    assert cell == plain
    assert [arm.name for arm in ablation.study().arms] == [
        "no-cot+random",
        "no-cot+reversed",
        "cot+random",
        "cot+reversed",
    ]


def test_names_of_cells_are_names_of_arms() -> None:
    long = [{"mode": "explanation", "advice": "strategies", "criterion": "informativeness", "n": n} for n in (1, 2)]
    names = [arm_name(dict(cell)) for cell in long]
    assert len(set(names)) == 2
    assert all(len(name) == 40 for name in names)
    assert arm_name({"prompt": "select/choose"}) == "select-choose"


def test_a_verbaliser_words_the_labels_and_keeps_their_names() -> None:
    subject = Annotating(texts=1)
    assert task_of(TASK, subject) == TASK
    names = task_of(TASK, subject.model_copy(update={"verbaliser": "names", "order": "reversed"}))
    assert (names.names, names.words) == (("rainy", "sunny"), ("rainy", "sunny"))
    letters = task_of(TASK, subject.model_copy(update={"verbaliser": "letters"}))
    assert letters.words == ("A", "B")
    assert letters.labels[0].description == "Praises the weather."


def spec(mode: str, **changes: object) -> dict[str, object]:
    query = {"kind": "llm", "slots": {"criterion": "none", "mode": mode}, "list_size": 15}
    arms = [{"arm": {"name": mode}, "recipe": {"name": mode, "steps": [{"query": query, "size": 8}]}}]
    return {"task": {"name": "t"}, "budget": 8, "arms": arms, "seeds": [0], "llm": {"hash": "h"}, **changes}


MODES = ({"mode": "cot"}, {"mode": "no-cot"})


def test_runs_that_differ_in_their_factors_only_are_let_through() -> None:
    demand_alike([spec("cot"), spec("no-cot")], MODES, ["cot", "no-cot"])


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"budget": 9}, "budget"),
        ({"seeds": [1]}, "seeds.0"),
        ({"llm": {"hash": "other"}}, "llm.hash"),
        ({"task": {"name": "other"}}, "task.name"),
        ({"test": "more"}, "test"),
    ],
)
def test_runs_that_differ_in_anything_else_are_refused(changes: dict[str, object], path: str) -> None:
    with pytest.raises(BadInput, match=f"'cot' and 'no-cot' differ in {path}, which is no factor"):
        demand_alike([spec("cot"), spec("no-cot", **changes)], MODES, ["cot", "no-cot"])


def test_a_factor_moves_nothing_beyond_its_levels() -> None:
    design = ({"mode": "cot", "n": 1}, {"mode": "cot", "n": 2})
    with pytest.raises(BadInput, match=r"slots\.mode, though their levels of mode agree"):
        demand_alike([spec("cot"), spec("no-cot")], design, ["one", "two"])
    with pytest.raises(BadInput, match="'one' and 'two' are the same run"):
        demand_alike([spec("cot"), spec("cot")], design, ["one", "two"])


@pytest.mark.parametrize(
    ("switch", "idle"),
    [
        ({"calibration": "none"}, {"strength": [1.0, 0.5]}),
        ({"slots": {"context": "none"}}, {"shown_labels": [4, 16]}),
        ({"slots": {}}, {"shown_labels": [4, 16]}),
    ],
)
def test_runs_that_differ_in_what_does_nothing_are_the_same(
    switch: dict[str, object], idle: dict[str, list[object]]
) -> None:
    ((name, levels),) = idle.items()
    design = [{name: str(level)} for level in levels]
    specs = [{"annotate": {**switch, name: level}} for level in levels]
    with pytest.raises(BadInput, match="'one' and 'two' are the same run"):
        demand_alike(specs, design, ["one", "two"])
    on = {"calibration": "batch"} if "calibration" in switch else {"slots": {"context": "labelled"}}
    demand_alike([{"annotate": {**on, name: level}} for level in levels], design, ["one", "two"])


def results(ablation: Ablation, score: np.ndarray) -> Results:
    """Runs whose accuracy is `score` by shuffle and cell."""
    arms = [arm_name(each) for each in ablation.design]
    runs: list[Run] = []
    for plan in planned(ablation.study()):
        place = arms.index(plan.arm)
        got = float(score[plan.shuffle, place])
        point = Point(human_labels=8, accuracy=got, macro_f1=got / 2)
        if ablation.subject.kind == "select":
            watched = Selected(chosen=("x1", "x2") if place < 2 else ("x2", "x3"), window=6)
            how = Choosing(refused=0.15, miscounted=0.05, tokens=100.0 * (place + 1), seconds=1.0)
            own = {"filled_share": 0.1 * place, "quartiles": (0.5, 0.5, 0.0, 0.0), "choosing": how}
        else:
            watched = Labelled(
                texts=4, confidence=(0.9, 0.7), correct=(True, False), mass=0.5, failures=1, tokens=10.0, seconds=0.1
            )
            own = {}
        cell = Cell(arm=plan.arm, seed=plan.shuffle, curve=(point,)).model_copy(update=own)
        runs.append(Run(plan=plan, cell=cell, watched=watched))
    return Results(ablation, tuple(runs))


def test_effects_are_those_of_a_hand() -> None:
    ablation = parse(PICKS.replace("shuffles = 2", "shuffles = 8"))
    rng = np.random.default_rng(3)
    score = 0.7 + 0.01 * rng.normal(size=(8, 4)) + np.array([0.0, 0.01, 0.1, 0.15])
    found = {named(each.contrast, ablation.factors): each for each in effects(results(ablation, score))}
    assert list(found) == ["mode: cot - no-cot", "order: reversed - random", "mode (cot) x order (reversed)"]
    mode, order, both = found.values()
    by_hand = score[:, 2:].mean(axis=1) - score[:, :2].mean(axis=1)
    alone = effect([by_hand.tolist()])
    assert mode.effect.mean == pytest.approx(by_hand.mean())
    assert (mode.effect.low, mode.effect.high) == pytest.approx((alone.low, alone.high))
    assert both.effect.mean == pytest.approx(float((score[:, 3] - score[:, 2] - score[:, 1] + score[:, 0]).mean()))
    assert mode.p == pytest.approx(2 * alone.p), "the smaller of two, corrected by Holm"
    assert mode.verdict == "an effect"
    assert (both.verdict, math.isnan(both.p), math.isnan(both.effect.p)) == ("descriptive", True, True)
    assert order.p >= order.effect.p
    assert (mode.beside[0].tokens, mode.beside[1].tokens) == (350.0, 150.0)
    assert mode.overlap is not None
    assert mode.overlap.jaccard == pytest.approx(1 / 3)
    assert order.overlap is not None
    assert order.overlap.jaccard == 1.0
    # Two of six and two of six: both, one and no text shared with chances 1, 8 and 6 of 15.
    assert order.overlap.chance == pytest.approx((1 * 1.0 + 8 / 3) / 15)


def test_only_what_was_named_is_tested() -> None:
    text = PICKS.replace("shuffles = 2", 'shuffles = 8\neffects = ["mode x order"]')
    ablation = parse(text)
    score = 0.7 + 0.01 * np.random.default_rng(0).normal(size=(8, 4))
    found = effects(results(ablation, score))
    assert [each.tested for each in found] == [True, False, False]
    assert found[0].contrast.order == 2
    assert found[0].p == pytest.approx(found[0].effect.p), "one effect needs no correction"
    assert not any(each.tested for each in effects(results(ablation, score), "macro_f1"))


def test_a_run_that_spent_other_labels_has_no_score() -> None:
    ablation = parse(PICKS.replace("budget = 8", "budget = 12"))
    found = effects(results(ablation, np.full((2, 4), 0.7)))
    assert all(math.isnan(each.effect.mean) for each in found)
    assert found[0].verdict.startswith("undefined")


def test_last_bits_are_no_effect() -> None:
    ablation = parse(PICKS.replace("shuffles = 2", "shuffles = 10"))
    found = effects(results(ablation, np.tile([0.1 + 0.2, 0.1, 0.3, 0.1], (10, 1))))
    assert found[0].effect.mean == 0
    assert found[0].verdict == "no evidence of an effect"


def test_too_few_shuffles_are_said_to_be_too_few() -> None:
    text = told(results(parse(PICKS), np.full((2, 4), 0.7)))
    assert "2 cannot give a corrected p below 1.000" in text
    assert "intervals are Student's" in text


def test_the_table_says_what_was_tested_and_what_was_not() -> None:
    ablation = parse(PICKS.replace("shuffles = 2", "shuffles = 8"))
    text = told(results(ablation, 0.7 + 0.01 * np.random.default_rng(0).normal(size=(8, 4))))
    assert "2 effects were named before the run: every main effect" in text
    assert "150 → 350" in text
    assert "0.33 (0.24)" in text
    assert text.count(" descriptive\n") == 1
    assert "Too few shuffles" not in text
    assert "no whole shuffle" in told(Results(ablation, ()))


def test_calibration_error_is_over_the_texts_of_all_runs() -> None:
    ablation = parse(READS)
    text = told(results(ablation, np.full((2, 8), 0.5)))
    row = next(line for line in text.splitlines() if line.startswith("shots: 4"))
    # Of each run one text is right at 0.9 and one wrong at 0.7: (0.1 + 0.7) / 2.
    assert "0.400" in row
    assert "50 %" in row
    assert "25 %" in row
    assert "effects were named" in text
