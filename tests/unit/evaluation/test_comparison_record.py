import math

import pytest
from pydantic import ValidationError

from evaluation.records import Arm, Cell, Comparison, Point
from tests.unit.evaluation.made_up import comparison, summary

POINT = Point(human_labels=8, accuracy=0.7)


def made(*cells: Cell, **changes: object) -> Comparison:
    fields = {"name": "n", "task": "t", "classes": ("x", "y"), "budget": 8, "arms": (Arm(name="a"),), "cells": cells}
    return Comparison.model_validate({**fields, **changes})


def test_a_comparison_and_a_run_come_back_from_json_as_they_were():
    for record in (comparison(test=40), summary()):
        assert type(record).model_validate_json(record.model_dump_json()) == record


def test_what_is_undefined_is_null_in_json_and_nan_again_here():
    point = Point(human_labels=0)
    assert point.model_dump(mode="json")["accuracy"] is None
    assert math.isnan(Point.model_validate_json(point.model_dump_json()).accuracy)


def test_two_cells_of_one_arm_student_and_seed_are_refused():
    cell = Cell(arm="a", seed=1, curve=(POINT,))
    with pytest.raises(ValidationError, match="two cells have the same arm, student and seed"):
        made(cell, cell)


def test_a_cell_of_an_arm_that_is_not_declared_is_refused():
    with pytest.raises(ValidationError, match="undeclared arms: b"):
        made(Cell(arm="b", seed=1, curve=(POINT,)))


def test_two_arms_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="two arms have the same name"):
        made(arms=(Arm(name="a"), Arm(name="a")))


def test_predictions_of_another_test_set_are_refused():
    point = Point(human_labels=8, predictions=(0, 1))
    with pytest.raises(ValidationError, match="arm 'a', seed 1: 2 predictions, 3 test items"):
        made(Cell(arm="a", seed=1, curve=(point,)), gold=(0, 1, 1))


def test_the_headlines_student_comes_first():
    assert comparison(test=40).students == ("bert", "svm")
    assert comparison(test=40).model_copy(update={"student": "svm"}).students == ("svm", "bert")


def test_a_diagnostic_that_is_undefined_is_absent():
    cell = Cell(arm="a", seed=0, curve=(POINT,), filled_share=math.nan, quartiles=(math.nan,) * 4)
    assert (cell.filled_share, cell.quartiles) == (None, None)
