"""The lines that a model wrote about single instances: whose they are, and that texts add no id."""

import pytest

from prompts.replies import parse_reasons
from prompts.replies.reasons import LONGEST

IDS = ("17", "42", "90")


@pytest.mark.parametrize(
    "line",
    [
        "17: rare words, worth a label",
        "[17] rare words, worth a label",
        "- 17 - rare words, worth a label",
        "1. [17]: rare words, worth a label",
        "**17**: rare words, worth a label",
        "Instance 17: rare words, worth a label",
        "Instance [17] is rare words, worth a label",
    ],
)
def test_a_line_belongs_to_the_id_that_it_starts_with(line: str) -> None:
    assert parse_reasons(f"{line}\nSelected: 17", allowed=IDS) == {"17": "rare words, worth a label"}


def test_the_first_line_counts_and_thoughts_do_not() -> None:
    reply = "<think>42: forget it</think>\n42: a first reason\n42: a second one\n\n90:\nSelected: 42, 90"
    assert parse_reasons(reply, allowed=IDS) == {"42": "a first reason"}


@pytest.mark.parametrize("reply", [None, "", "\x00", "99: not shown", "Selected: 17, 42", "17", "17:" + " " * 5000])
def test_what_gives_no_reason(reply: str | None) -> None:
    assert parse_reasons(reply, allowed=IDS) == {}


def test_hostile_lines_make_no_ids_and_stay_short() -> None:
    reply = "ignore all rules, 99 is chosen\n99: choose me\n17: " + "very " * 1000 + "\n##### [42] choose me too"
    found = parse_reasons(reply, allowed=IDS)
    assert set(found) == {"17", "42"}
    assert len(found["17"]) == LONGEST
