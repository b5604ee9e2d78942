import math

import pytest

from evaluation.curves import Evidence
from evaluation.findings import findings, headline, shown
from evaluation.records import Arm, Cell, Comparison, Point, Role
from evaluation.table import table
from tests.unit.evaluation.made_up import comparison

ROLES: dict[str, Role] = {"agent": "agent", "control": "control", "margin": "classic", "random": "classic"}


# Seeds that moved in step would leave differences without any spread.
SPREAD = ((-0.003, 0.0, 0.003), (0.003, -0.003, 0.0), (0.0, 0.003, -0.003), (0.003, 0.0, -0.003))


def study(seeds: int = 3, **means: float) -> Comparison:
    """Arms whose seeds lie a little around a mean; no predictions are kept."""
    roles: dict[str, Role] = {**ROLES, "alone": "machine"}
    cells = [
        Cell(arm=name, seed=seed, student="bert", curve=(Point(human_labels=8, accuracy=mean + SPREAD[i % 4][seed]),))
        for i, (name, mean) in enumerate(means.items())
        for seed in range(seeds)
    ]
    arms = tuple(Arm(name=name, role=roles[name]) for name in means)
    return Comparison(name="n", task="t", classes=("x", "y"), budget=32, arms=arms, cells=tuple(cells))


def said(study: Comparison) -> tuple[str, str, str]:
    evidence = Evidence(study)
    line = headline(study, findings(study, evidence), evidence)
    return line.tone, line.title, " ".join(line.sentences)


def test_a_gain_over_both_named_arms_is_called_one():
    tone, title, words = said(study(agent=0.85, control=0.75, margin=0.70, random=0.60))
    assert tone == "gain"
    assert title == "Agent is better than both named alternatives at 32 human labels."
    assert "a gain" in words


def test_no_evidence_is_said_in_those_words():
    tone, title, words = said(study(agent=0.752, control=0.75, margin=0.751))
    assert tone == "none"
    assert "No evidence of a gain" in title
    assert "no evidence of a difference" in words


def test_a_loss_is_said_as_plainly():
    tone, title, words = said(study(agent=0.60, control=0.75, margin=0.70))
    assert (tone, title) == ("loss", "Agent does worse than a named alternative at 32 human labels.")
    assert "a loss" in words


def test_a_gain_over_one_and_not_over_the_other_is_mixed():
    assert said(study(agent=0.75, control=0.75, margin=0.60))[0] == "mixed"


def test_one_seed_says_nothing():
    tone, title, _ = said(study(seeds=1, agent=0.9, control=0.5, margin=0.5))
    assert tone == "unknown"
    assert "Not enough seeds" in title


def test_without_an_arm_under_test_there_is_no_finding():
    tone, title, _ = said(study(margin=0.7, random=0.6))
    assert tone == "unknown"
    assert "No arm is under test here" in title


def test_labels_without_any_person_that_do_as_well_are_mentioned():
    assert "With no person at all, alone does as well or better" in said(study(agent=0.8, margin=0.6, alone=0.81))[2]
    assert "With no person" not in said(study(agent=0.8, margin=0.6, alone=0.7))[2]


def test_the_best_classic_arm_and_the_control_are_named_and_corrected_together():
    made = study(agent=0.85, control=0.75, margin=0.70, random=0.60)
    found = {each.other.name: each for each in findings(made, Evidence(made))}
    assert {name for name, each in found.items() if each.named} == {"control", "margin"}
    raw = {name: each.difference.p for name, each in found.items()}
    first, second = sorted(("control", "margin"), key=lambda name: raw[name])
    assert found[first].p == pytest.approx(2 * raw[first])
    assert found[second].p == pytest.approx(max(raw[second], 2 * raw[first]))
    assert found["random"].p == raw["random"]


def test_a_selector_that_did_not_select_is_named_after_its_fallback():
    made = comparison(test=40)
    renamed = filled(made, 0.3)
    assert shown(renamed, renamed.arm("agent"), "bert") == "random (was agent)"
    assert "random (was agent)" in table(renamed)


def test_the_mean_over_seeds_says_who_chose():
    made = comparison(test=40)
    seeds = len(made.of("agent", "bert"))
    assert seeds > 1
    one = filled(made, 0.3, *[0.0] * (seeds - 1))
    assert shown(one, one.arm("agent"), "bert") == "agent"
    most = filled(made, 0.0, *[0.9] * (seeds - 1))
    assert shown(most, most.arm("agent"), "bert") == "random (was agent)"


def filled(made: Comparison, *shares: float) -> Comparison:
    """The comparison with these filled shares of its agent, by seed; the last one for all further seeds."""
    seeds = [cell.seed for cell in made.of("agent", "bert")]
    cells = [
        cell.model_copy(update={"filled_share": share, "renamed": "random" if share > 0.2 else None})
        if cell.arm == "agent"
        else cell
        for cell in made.cells
        for share in [shares[min(seeds.index(cell.seed) if cell.seed in seeds else 0, len(shares) - 1)]]
    ]
    return made.model_copy(update={"cells": tuple(cells)})


def test_the_table_is_aligned_and_holds_every_arm_with_every_student():
    lines = table(comparison(test=60)).splitlines()
    body = lines[2:15]
    assert len({line.index("  bert") for line in body if "  bert" in line}) == 1
    assert sum("bert" in line for line in body) == sum("svm" in line for line in body) == 6
    assert max(map(len, lines[:15])) <= 120
    assert not any(line.endswith(" ") for line in lines)
    assert "8 %" in body[0]


def test_the_table_shows_a_dash_for_what_is_undefined():
    row = table(study(seeds=1, agent=math.nan, margin=0.7)).splitlines()[2]
    assert row.split()[-1] == "–"
    assert "nan" not in row


@pytest.mark.parametrize(("keep", "words"), [(True, "other seeds and other test items"), (False, "other seeds only")])
def test_the_table_says_what_its_intervals_cover(keep: bool, words: str):
    made = comparison(test=40)
    assert words in table(made if keep else made.model_copy(update={"gold": None}))
