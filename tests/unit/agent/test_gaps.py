"""Where the student is weak: a planted blind spot is found, and a handful of odd texts does not outrank it."""

import dataclasses

import numpy as np
import pytest

from agent.generate import gaps
from agent.protocols import Columns, Floats, Query
from tests.support.questions import TASK, question

GROUPS = ("harbour boats sailing", "mountain snow climbing", "kitchen garden cooking")


class Corners:
    """An encoder whose vector is the corner that a text's first word belongs to, a little off."""

    name = "corners"

    def embed(self, texts: Columns) -> Floats:
        out = np.zeros((len(texts), 4))
        for i, text in enumerate(texts.texts):
            out[i, next(g for g, words in enumerate(GROUPS) if text.split()[0] in words)] = 1.0
            out[i, 3] = (len(text) % 5) / 100
        return out / np.linalg.norm(out, axis=1, keepdims=True)


class Blind:
    """Sure of everything but what its own table says."""

    def __init__(self, doubt: dict[int, float], columns: Columns) -> None:
        self._doubt = {columns.ids[i]: d for i, d in doubt.items()}

    def predict(self, texts: Columns) -> Floats:
        first = [1 - self._doubt.get(id_, 0.02) for id_ in texts.ids]
        return np.stack([first, 1 - np.asarray(first)], axis=1)


def ask(doubt: dict[int, float], per_group: int = 20, machine: dict[int, int] | None = None) -> Query:
    lines = [f"{words.split()[i % 3]} number{i} seen today" for words in GROUPS for i in range(per_group)]
    columns = Columns([f"t{i}" for i in range(len(lines))], lines)
    readings = np.full((len(lines), 2), np.nan)
    for row, label in (machine or {}).items():
        readings[row] = [0.95, 0.05] if label == 0 else [0.05, 0.95]
    return dataclasses.replace(
        question(), candidates=columns, machine=readings, student=Blind(doubt, columns), embed=Corners()
    )


def test_a_planted_weak_cluster_comes_first_with_its_words_and_its_hardest_texts() -> None:
    doubt = dict.fromkeys(range(20, 40), 0.4) | {27: 0.48, 31: 0.47}
    certain = dict.fromkeys(range(20, 35), 0)
    first = gaps.find(ask(doubt, machine=certain), clusters=3, most=3, shown=2)[0]
    assert first.label == "sunny"
    assert [e.id for e in first.examples] == ["t27", "t31"]
    assert first.weakness == pytest.approx(0.4075, abs=1e-6)
    assert set(first.description.split(", ")) & {"mountain", "snow", "climbing"}


def test_a_place_shows_texts_whose_label_is_certain_before_others() -> None:
    doubt = dict.fromkeys(range(20, 40), 0.4) | {39: 0.49}
    (first, *_) = gaps.find(ask(doubt, machine={22: 0, 23: 0}), clusters=3, most=3, shown=4)
    shown = [e.id for e in first.examples]
    assert shown[:2] == ["t22", "t23"]
    assert len(shown) == len(set(shown)) == 4


def test_classes_take_turns() -> None:
    weak = dict.fromkeys(range(40), 0.45)
    found = gaps.find(ask(weak, machine=dict.fromkeys(range(40, 60), 1)), clusters=3, most=2, shown=1)
    assert [gap.label for gap in found] == ["rainy", "sunny"]


def test_where_the_machine_contradicts_the_student_the_machines_class_is_weak() -> None:
    found = gaps.find(ask({}, machine=dict.fromkeys(range(40, 60), 1)), clusters=3, most=1, shown=1)
    assert found[0].label == "rainy"
    assert found[0].weakness == pytest.approx(0.98)


def test_a_handful_of_odd_texts_does_not_outrank_a_broad_blind_spot() -> None:
    few = dict.fromkeys(range(20, 26), 0.49)
    broad = dict.fromkeys(range(60), 0.3)
    found = gaps.find(ask(broad | few, machine=dict.fromkeys(range(20, 26), 0)), clusters=3, most=3, shown=0)
    assert len(found) == 3
    one_odd = gaps.find(ask({0: 0.99}, machine={0: 0}), clusters=3, most=9, shown=0)
    assert all(gap.weakness < 0.1 for gap in one_odd)


def test_places_of_a_few_texts_are_left_out() -> None:
    assert gaps.find(ask({}, per_group=4), clusters=3, most=3, shown=1) == ()


def test_equal_texts_and_more_clusters_than_texts_are_no_error() -> None:
    found = gaps.find(ask(dict.fromkeys(range(60), 0.3)), clusters=50, most=2, shown=1)
    assert len(found) <= 2


def test_words_of_no_text_tell_nothing() -> None:
    plain = ask(dict.fromkeys(range(60), 0.3))
    short = Columns(
        plain.candidates.ids, ["snow a an of" if "snow" in t else "boats in" for t in plain.candidates.texts]
    )
    found = gaps.find(dataclasses.replace(plain, candidates=short), clusters=2, most=2, shown=0)
    assert all(gap.label in TASK.names for gap in found)
