"""`parse_indices` on replies that also hold what was not chosen, echo texts, go on as another turn, or break off."""

import pytest

from prompts.replies import Refusal, parse_indices

ALLOWED = ["11", "23", "37", "42", "58", "64", "76"]

JSON = [
    ('{"selected": [42, 58], "deselected": [11, 23]}', "42 58"),
    ('{"deselected": [11, 23], "selected": [42, 58]}', "42 58"),
    ('{"selected": [42, 58], "dropped_list": [11, 23]}', "42 58"),
    ('{"selected": [42, 58], "final_notes": ["11 is close"]}', "42 58"),
    ('{"selectedIds": [42, 58], "notSelectedIds": [11, 23]}', "42 58"),
    ('{"answer": [42], "list": [11, 23]}', "42"),
    ('{"notable": [42, 58], "z": [11]}', "42 58"),
    ('{"rejected": [11, 23]}', ""),
    ('Rejected:\n[{"id": 11}, {"id": 23}]', ""),
    ("Not selected:\n```json\n[11, 23]\n```", ""),
    ("{'selected': [42, 58], 'rejected': [11, 23],}", "42 58"),
    ('{"selected": {"42": "hard", "58": "odd"}}', "42 58"),
    ('{"42": {"selected": true, "reason": "like 11"}, "11": {"selected": false}}', "42"),
    ('{"diverse": [42], "difficult": [58]}', "42 58"),
    ('[{"number": 1, "id": 42}, {"number": 2, "id": 58}]', "42 58"),
    ('[{"no": 11, "id": 42}, {"no": 23, "id": 58}]', "42 58"),
    ('[{"index": 1, "instance_id": 42}, {"index": 2, "instance_id": 58}]', "42 58"),
    ('[{"rank": 11, "choice": 42}]', "42"),
    ('{"instance": "A dull film", "id": 42}', "42"),
    ('[{"id": 99, "number": 11}]', ""),
    ('[{"id": 42, "selected": 1}, {"id": 11, "selected": 0}]', "42"),
]
BOTH_SIDES = [
    ("Yes: 42, 58\nNo: 11, 23", "42 58"),
    ("No: 11, 23\nYes: 42, 58", "42 58"),
    ("Most informative: 42, 58\nLeast informative: 11, 23", "42 58"),
    ("Hard: 42, 58\nEasy: 11, 23", "42 58"),
    ("Good: 42, 58\nBad: 11, 23", "42 58"),
    ("**Hard:**\n- 42\n- 58\n\n**Easy:**\n- 11\n- 23", "42 58"),
    ("No: 11, 23", ""),
    ("Least informative: 11, 23", ""),
    ("42 (yes), 11 (no), 58 (yes)", "42 58"),
    ("42 = 1, 11 = 0, 58 = 1", "42 58"),
    ("42: informative\n11: uninformative\n58: informative", "42 58"),
    ("11, 23 and 37 are redundant.", ""),
    ("11 and 23 are too easy.", ""),
    ("I select 42, not 11.", "42"),
    ("I would pick 42 and 58, not 11 or 23.", "42 58"),
    ("Selected: 42 (yes), 11 (no)", "42"),
    ("Final selection:\n- 42: hard\n- 11: not selected, too easy\n- 58: odd", "42 58"),
]
ALL_BUT = [
    "Selected: everything but 11 and 23",
    "All but 11 and 23",
    "Selected: all instances apart from 11 and 23",
    "I choose all of them except instances 11 and 23.",
]
ECHOED = [
    ("Selected: [42] A dull film\n[58] Never\n[64] So so", "42 58 64"),
    ("Selected: [42] A dull film\n#####\n[58] Never\n#####\n[64] So so", "42 58 64"),
    ("Selected:\n[42] It names 11 actors\n[58] Never", "42 58"),
    ("Selected: 42\n\n58\n\n64", "42 58 64"),
    ("Selected: 42, 58\n\n64, 76", "42 58 64 76"),
    ("Diverse: 42\nDifficult: 58\nInformative: 64", "42 58 64"),
    ("Selected for fresh: 42, 58\nSelected for rotten: 64, 76", "42 58 64 76"),
    ("\\boxed{42}, \\boxed{58}", "42 58"),
    ("Selected: 42 because it repeats 11, 58 because it is odd", "42 58"),
    ("Selected: 42 because it is unlike 11, and 58 since it is odd", "42 58"),
    ("I'd pick 42 since it lasts 90 minutes, and 58 since it is odd.", "42 58"),
    ("I'd pick 42 since it lasts 11 minutes, and 58 for its tone.", "42 58"),
    ("It was 2:42 pm", ""),
    ('Selected:\n- 42: "skip this film"\n- 58: "do not choose it"\n- 64: "a great pick"', "42 58 64"),
    ("Selected:\n- 42: skip this film\n- 58: do not choose it\n- 64: a great pick", "42 58 64"),
    ('42 "not my choice of 11", 58 "no"', "42 58"),
    ('"Selected: 42, 58"', "42 58"),
    ("Selected:\n" + "\n".join(f"[{each}] a text" for each in ALLOWED), ""),
]
OTHER_TURNS = [
    ("Selected: 42, 58\nassistant\nSelected: 11, 23", "42 58"),
    ("Selected: 42, 58\nHuman: choose again\nSelected: 11, 23", "42 58"),
    ("Selected: 42, 58\n\nUser:\n### Instances\n[11] a\n[23] b\n\nAssistant:\nSelected: 11", "42 58"),
    ("Selected: 42, 58<|im_end|>\n<|im_start|>user\nSelected: 11, 23", "42 58"),
    ("42, 58\n\n### User\n11, 23", "42 58"),
    ("assistant\nSelected: 42, 58", "42 58"),
    ("I look at 11 first.\nAssistant: Selected: 42, 58", "42 58"),
]
THOUGHTS = [
    ("<think>\nOkay, 11, 23 and 37 are dull", ""),
    ("<think>\nSelected: 11, 23", ""),
    ("<thinking>Selected: 11, 23", ""),
    ("<think>11</think>Selected: 42\n<think>\nSelected: 11", "42"),
    ("<think>11</think>\n<think>\nSelected: 11", ""),
    ("Selected: 11</think>\nSelected: 42", "42"),
]


@pytest.mark.parametrize(("text", "expected"), JSON + BOTH_SIDES + ECHOED + OTHER_TURNS + THOUGHTS)
def test_only_what_was_chosen(text: str, expected: str) -> None:
    assert parse_indices(text, allowed=ALLOWED, wanted=4).ids == tuple(expected.split())


@pytest.mark.parametrize("text", ALL_BUT)
def test_all_but_some_are_the_others_where_so_many_are_wanted(text: str) -> None:
    assert parse_indices(text, allowed=ALLOWED, wanted=5).ids == ("37", "42", "58", "64", "76")
    assert parse_indices(text, allowed=ALLOWED, wanted=3).ids == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Selected: 42, 58", "42 58"),
        ("I think of 42.\nSelected: 42, 58, 6", "42 58"),
        ("Final answer:\n- 42\n- 58\n- 6", "42 58"),
        ('{"selected": [42, 58', "42 58"),
        ("I look at 42, 58", ""),
        ("First, I compare the texts.\n\n42, 58", ""),
        ("42: it is hard\n58: it is", ""),
        ("I would pick 42 and 58, but then", ""),
    ],
)
def test_of_a_reply_that_was_cut_off_only_a_plain_offer_counts(text: str, expected: str) -> None:
    assert parse_indices(text, allowed=ALLOWED, wanted=4, cut=True).ids == tuple(expected.split())


def test_an_id_at_the_very_end_of_what_was_cut_off_may_be_the_start_of_another() -> None:
    assert parse_indices("Selected: 4, 1", allowed=["1", "12", "4"], wanted=3, cut=True).ids == ("4",)
    assert parse_indices("Selected: 4, 1", allowed=["1", "12", "4"], wanted=3).ids == ("4", "1")


def test_a_thought_without_an_end_is_told() -> None:
    answer = parse_indices("<think>\nSelected: 11", allowed=ALLOWED, wanted=2)
    assert isinstance(answer, Refusal)
    assert "thought" in answer.reason
