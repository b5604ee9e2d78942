"""What `parse_indices` makes of replies as models write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.replies import Indices, Refusal, parse_indices
from tests.support.hostile import HOSTILE

NUMBERS = [str(number) for number in range(1, 21)]
CODES = ["k7", "a3", "m2", "z9", "A12", "b12"]

PLAIN = [
    ("3, 7, 12", "3 7 12"),
    ("3,7,12", "3 7 12"),
    ("3 7 12", "3 7 12"),
    ("3; 7; 12.", "3 7 12"),
    ("3/7/12", "3 7 12"),
    ("3 | 7 | 12", "3 7 12"),
    ("3 - 7 - 12", "3 7 12"),
    ("3\n7\n12", "3 7 12"),
    ("[3, 7, 12]", "3 7 12"),
    ("(3), (7), (12)", "3 7 12"),
    ("{3, 7, 12}", "3 7 12"),
    ('["3", "7", "12"]', "3 7 12"),
    ("['3', '7', '12']", "3 7 12"),
    ("[ID: 12], [ID: 3], [ID: 7]", "12 3 7"),
    ("#12, #3 and #7", "12 3 7"),
    ("id=12, id=3, id=7", "12 3 7"),
    ("ID 12, ID 3, ID 7", "12 3 7"),
    ("No. 12, No. 3", "12 3"),
    ("Instances: 3, 7 and 12", "3 7 12"),
    ("Instances 3, 7, & 12.", "3 7 12"),
    ("instance3, instance7", "3 7"),
    ("3, 7, 7, 3, 12", "3 7 12"),
    ("03, 007", "3 7"),
    ("3.0, 7.0", "3 7"),
    ("5, 4, 3, 2, 1", "5 4 3"),
    ("1, 4, 5", "1 4 5"),
    ("Sure! 3, 7, 12", "3 7 12"),
    ("17", "17"),
]
MARKUP = [
    ("**3**, **7** and **12**.", "3 7 12"),
    ("**Selected:** 3, 7, 12", "3 7 12"),
    ("__3__, _7_, `12`", "3 7 12"),
    ("- 3\n- 7\n- 12", "3 7 12"),
    ("• 3\n• 7\n• 12", "3 7 12"),
    ("* **3**\n* **7**\n", "3 7"),
    ("1. 17\n2. 4\n3. 9", "17 4 9"),
    ("1) 17\n2) 4\n3) 9", "17 4 9"),
    ("(1) 17\n(2) 4\n(3) 9", "17 4 9"),
    ("1. 17 2. 4 3. 9", "17 4 9"),
    ("1: 17\n2: 4\n3: 9", "17 4 9"),
    ("1. Instance 17\n2. Instance 4", "17 4"),
    ("1. **17** - unclear\n2. **4** - rare, unlike 5", "17 4"),
    ("1. 17: the film is a mess\n2. 4: two hours of joy", "17 4"),
    ("1. The film is a mess [ID: 17]\n2. Two hours of joy [ID: 4]", "17 4"),
    ("1. The film is a mess (17)\n2. Two hours of joy (4)", "17 4"),
    ("3. The film is a mess\n7. Two hours of joy", "3 7"),
    ("[3] The film is a mess\n[7] Two hours of joy", "3 7"),
    ("- 3: has 2 readings\n- 7: names 5 actors", "3 7"),
    ("```json\n[3, 7,\n 12]\n```", "3 7 12"),
    ("```\n3, 7, 12\n```", "3 7 12"),
    ("| ID | Text | Reason |\n|---|:---:|---|\n| 3 | 5 stars | hard |\n| 7 | fine | like 9 |", "3 7"),
    ("| # | ID | Text |\n|---|---|---|\n| 1 | 17 | a |\n| 2 | 4 | b |", "17 4"),
    ("| ID | Select? |\n|--|--|\n| 3 | yes |\n| 4 | no |\n| 7 | yes |", "3 7"),
    ("- [x] 3\n- [ ] 4\n- [x] 7", "3 7"),
    ("3 ✓\n4 ✗\n7 ✓", "3 7"),
    ("<answer>3, 7</answer>", "3 7"),
    ("<id>3</id><id>7</id>", "3 7"),
    ("$\\boxed{3, 7}$", "3 7"),
    ("> 3, 7", "3 7"),
]
JSON = [
    ('{"selected": [3, 7, 12]}', "3 7 12"),
    ('{"selected": ["3", "7"], "reason": "5 and 6 are alike"}', "3 7"),
    ('{"reason": "5 and 6 are alike", "ids": [3, 7]}', "3 7"),
    ('{"selected": [3, 7], "not_selected": [4, 5]}', "3 7"),
    ('[{"id": 3, "reason": "unlike 5"}, {"id": 9, "reason": "harder than 4"}]', "3 9"),
    ('{"instances": [{"id": "3"}, {"id": "9"}]}', "3 9"),
    ('{"3": true, "4": false, "7": true}', "3 7"),
    ('{"3": "select", "4": "skip"}', "3"),
    ('[{"id": 3, "select": true}, {"id": 4, "select": false}]', "3"),
    ('Here you are:\n```json\n{\n  "selected": [\n    3,\n    7\n  ]\n}\n```\nI left out 5.', "3 7"),
    ('{"selected": "3, 7"}', "3 7"),
    ('{"selected": [3, 7', "3 7"),
]
REASONED = [
    ("Instances 3 and 5 are alike. 7 is odd.\n\nFinal answer: 7, 3, 12", "7 3 12"),
    ("Selected: 3, 7, 12\n\nI selected these because 5 and 6 are similar to 8.", "3 7 12"),
    ("First, 4 and 5 look useful. But 6 is better.\n\n3, 7, 12", "3 7 12"),
    ("4, 5, 6\n\nOn reflection:\n\n3, 7, 12", "3 7 12"),
    ("Step 1: choose diverse ones: 3, 5.\nStep 2: choose hard ones: 7, 8.\n\n3, 7, 8", "3 7 8"),
    ("Therefore, I would choose 3, 7 and 12 because 5 is dull.", "3 7 12"),
    ("In conclusion, the instances to label are 3, 7, 12.", "3 7 12"),
    ("My final selection is 3, 7, and 12. It leaves out 4, 5, 6.", "3 7 12"),
    ("I would select the following instances:\n\n3, 7, 12\n\nThese cover both labels.", "3 7 12"),
    ("Selected:\n- 3\n- 7\n\nNot selected:\n- 4\n- 5", "3 7"),
    ("Not selected: 4, 5\nSelected: 3, 7", "3 7"),
    ("Selected: 3, 7\nNot selected: 4, 5", "3 7"),
    ("Selected: 3\nSelected: 7\nSelected: 12", "3 7 12"),
    ("Selected: 3, 7,\n12", "3 7 12"),
    ("Selected: 3 because it is hard, 7 because it is rare", "3 7"),
    ("Selected: 3 (hard), 7 (unlike 5), 12 (score 4)", "3 7 12"),
    ("<think>3, 4, 5 look fine. Selected: 4</think>\n7, 8, 9", "7 8 9"),
    ("I would pick instance 7 first, then instance 3.", "7 3"),
    ("The most informative instances are 3 and 7, while 12 adds diversity.", "3 7"),
    ("I choose 3. I choose 7. I choose 12.", "3 7 12"),
    ("Instance 3: select. Instance 4: don't select. Instance 7: select.", "3 7"),
    (
        "Instance 3: Select, it is hard.\nInstance 4: Do not select.\nInstance 7: I would select this one.",
        "3 7",
    ),
    ("Instance 3: hard, so yes.\nInstance 4: skip\n\nSelected: 3, 9", "3 9"),
    ("3: yes, 4: no, 7: yes", "3 7"),
    ("**Instance 3**\nIronic. I would select it.\n\n**Instance 4**\nPlain. I would not select it.\n", "3"),
    ("3 - select\n4 - skip\n5 - skip\n7 - select", "3 7"),
]
NUMBERS_THAT_ARE_NOT_IDS = [
    ("I choose 3 instances: 5, 8, 9", "5 8 9"),
    ("The 3 most informative instances are 5, 8 and 9.", "5 8 9"),
    ("Here are the 3 selected instances: 5, 8, 9", "5 8 9"),
    ("Selected (3): 5, 8, 9", "5 8 9"),
    ("I choose 3: 5, 8, 9", "5 8 9"),
    ("Of the 20 instances I select 5, 8 and 9.", "5 8 9"),
    ("5 (0.9), 8 (0.85), 9 (0.3)", "5 8 9"),
    ("5: 0.9\n8: 0.85\n9: 0.3", "5 8 9"),
    ("Instance 5 (score 4/5), instance 8 (score 3/5)", "5 8"),
    ("5, 8, 9\n\nConfidence: 20%", "5 8 9"),
]
RANGES = [
    ("3-5", "3 4 5"),
    ("3–5", "3 4 5"),
    ("1-2, 8", "1 2 8"),
    ("Selected: 3 to 5", "3 4 5"),
    ("18-22", "18"),
    ("5-3", "5 3"),
]
UNICODE = [
    ("３、７、１２", "3 7 12"),
    ("٣، ٧", "3 7"),
    ("3️⃣, 7️⃣", "3 7"),
    ("③⑦", "3 7"),
    ("3\u00a0,\u20097\u200b, 12", "3 7 12"),
    ("“3”, ‘7’", "3 7"),
    ("【3】【7】", "3 7"),
    ("3，7；12。", "3 7 12"),
]
OPAQUE = [
    ("Selected: k7, a3", "k7 a3"),
    ("Selected: K7, A3", "k7 a3"),
    ('["k7", "a3"]', "k7 a3"),
    ("[k7] [a3]", "k7 a3"),
    ("1. k7\n2. a3", "k7 a3"),
    ("a12", "A12"),
    ("B12, a3", "b12 a3"),
    ("k7: it names 3 actors\na3: it has 2 readings", "k7 a3"),
    ("I would go with k7 and then m2 because z9 repeats it.", "k7 m2"),
    ("k7 > a3 > m2", "k7 a3 m2"),
    ("k7a3", ""),
    ("Selected: ex1, ex4, ex5", ""),
    ("Selected: ex1, k7, ex5", "k7"),
    ("k77, a33", ""),
]


@pytest.mark.parametrize(
    ("text", "expected"), PLAIN + MARKUP + JSON + REASONED + NUMBERS_THAT_ARE_NOT_IDS + RANGES + UNICODE
)
def test_numbers(text: str, expected: str) -> None:
    assert parse_indices(text, allowed=NUMBERS, wanted=3).ids == tuple(expected.split())


@pytest.mark.parametrize(("text", "expected"), OPAQUE)
def test_opaque_ids(text: str, expected: str) -> None:
    assert parse_indices(text, allowed=frozenset(CODES), wanted=3).ids == tuple(expected.split())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        (None, "empty"),
        ("none", "chose none"),
        ("None of them.", "names no id"),
        ("Selected: none", "chose none"),
        ("Instance 3 is hard. But all are labelled alike.\n\nSelected: none", "chose none"),
        ("I cannot help with that.", "declined"),
        ("I'm sorry, but I can't choose 3 instances.", "declined"),
        ("99, 98, 97", "not shown: 99, 98, 97"),
        ("Selected: 99", "not shown: 99"),
        ("Great question! Active learning is useful.", "names no id"),
        ("Not selected: 4, 5", "not as a choice"),
        ("All except 4 and 5", "not as a choice"),
        (
            "For example, if you would label the instances 1, 4, 5 then the output should be: 1, 4, 5.",
            "not as a choice",
        ),
        ("1. The film is a mess\n2. Two hours of joy\n3. Never again", "names no id"),
        ("I choose 3 instances.", "names no id"),
        ("\n".join(f"[{number}] text number so and so" for number in NUMBERS), "not as a choice"),
    ],
)
def test_refusals_say_why(text: str | None, reason: str) -> None:
    answer = parse_indices(text, allowed=NUMBERS, wanted=3)
    assert isinstance(answer, Refusal)
    assert answer.ids == ()
    assert reason in answer.reason


def test_the_example_in_the_prompt_is_not_the_answer() -> None:
    echo = "For example, if you would label the instances 1, 4, 5 then the output should be: 1, 4, 5.\n\n3, 7, 12"
    assert parse_indices(echo, allowed=NUMBERS, wanted=3).ids == ("3", "7", "12")


def test_an_echo_of_the_list_before_the_answer_does_no_harm() -> None:
    echo = "\n#####\n".join(f"[{number}] It names {number % 7} actors." for number in range(1, 21))
    assert parse_indices(f"### Instances\n{echo}\n\nSelected: 17, 4", allowed=NUMBERS, wanted=3).ids == ("17", "4")


def test_what_was_dropped_is_counted() -> None:
    answer = parse_indices("Selected: 3, 99, 3, 7, 12, 5", allowed=NUMBERS, wanted=3)
    assert isinstance(answer, Indices)
    assert (answer.ids, answer.unknown, answer.repeated, answer.cut) == (("3", "7", "12"), ("99",), 1, 1)
    assert answer.raw == "Selected: 3, 99, 3, 7, 12, 5"


@pytest.mark.parametrize("wanted", [0, -1])
def test_nothing_wanted_is_a_refusal(wanted: int) -> None:
    assert parse_indices("3, 7", allowed=NUMBERS, wanted=wanted).ids == ()


@pytest.mark.parametrize("allowed", [NUMBERS, tuple(NUMBERS), set(NUMBERS), dict.fromkeys(NUMBERS).keys()])
def test_any_collection_will_do(allowed: list[str]) -> None:
    assert parse_indices("7, 3", allowed=allowed, wanted=2).ids == ("7", "3")


def test_thousands_are_one_id_where_the_list_is_spaced() -> None:
    many = [str(number) for number in range(1, 3000)]
    assert parse_indices("Selected: 1,024, 2,350, 17", allowed=many, wanted=3).ids == ("1024", "2350", "17")
    assert parse_indices("1,200,300", allowed=many, wanted=3).ids == ("1", "200", "300")
    assert parse_indices("1,024", allowed=["1024", "7"], wanted=3).ids == ("1024",)


def test_case_matters_where_two_ids_differ_in_it_only() -> None:
    assert parse_indices("K7", allowed=["k7", "K7"], wanted=1).ids == ("K7",)
    assert parse_indices("Ab", allowed=["ab", "AB"], wanted=1).ids == ()


def test_ids_of_letters_are_not_read_out_of_prose() -> None:
    allowed = ["A", "B", "C", "I"]
    assert parse_indices("I think a good choice is B, C.", allowed=allowed, wanted=3).ids == ("B", "C")
    assert parse_indices("A, C", allowed=allowed, wanted=3).ids == ("A", "C")
    assert parse_indices("Selected: apple, banana, pear", allowed=["apple", "pear"], wanted=3).ids == ("apple", "pear")


def test_ids_of_several_words_and_signs() -> None:
    allowed = ["sst2-train-00012", "sst2-train-00013", "doc 3/b", "x_1", "x_10", "?"]
    text = "Selected: sst2-train-00012, doc 3/b, x_10"
    assert parse_indices(text, allowed=allowed, wanted=3).ids == ("sst2-train-00012", "doc 3/b", "x_10")
    assert parse_indices("?, x_1", allowed=allowed, wanted=3).ids == ("?", "x_1")


LONG = [
    "1 ",
    "1,",
    "[",
    '{"a":',
    "k7 (x",
    "1. 2. ",
    "Selected: 3 ",
    "- 3: text\n",
    "| 3 | a |\n",
    "not ",
    "1. a\n",
    "[x]",
    "'",
]


@pytest.mark.parametrize(
    "unit", [*LONG, "1,000,", "1.1.", "*1", "Instance 3: no. ", "because ", " ", "\n", "-", "a", "3-"]
)
def test_long_replies_are_read_without_recursion_or_backtracking(unit: str) -> None:
    answer = parse_indices(unit * (40_000 // len(unit)), allowed=NUMBERS + CODES, wanted=3)
    assert set(answer.ids) <= set(NUMBERS + CODES)


SIGNS = [",", ".", "\n", "-", "1.", "2.", "(", ")", "[", "]", "|", "|---|", "{", "}", '"', "'", "**", "```"]
SPOKEN = [
    "Selected:",
    "not",
    "Instance",
    "ID:",
    "and",
    "or",
    "yes",
    "no",
    "skip",
    "select",
    "For example",
    "to",
    "Final answer:",
]
WORDS = st.sampled_from([*NUMBERS[:9], *CODES, "99", "ex1", *SIGNS, *SPOKEN])


@settings(deadline=None)
@given(
    st.text(max_size=120)
    | st.lists(WORDS, max_size=25).map(" ".join)
    | st.lists(WORDS, max_size=25).map("".join)
    | HOSTILE,
    st.lists(st.sampled_from(NUMBERS + CODES) | st.text(max_size=6), max_size=12),
    st.integers(-1, 6),
)
def test_any_text_gives_allowed_ids_or_a_reason(text: str, allowed: list[str], wanted: int) -> None:
    answer = parse_indices(text, allowed=allowed, wanted=wanted)
    assert set(answer.ids) <= set(allowed)
    assert len(set(answer.ids)) == len(answer.ids) <= max(0, wanted)
    assert isinstance(answer, Refusal) == (not answer.ids)
    assert answer.raw == text
    assert not isinstance(answer, Refusal) or answer.reason


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(NUMBERS), min_size=1, unique=True), st.sampled_from([", ", ",", "\n", " ", "; ", " and "])
)
def test_a_plain_list_is_read_as_it_stands(ids: list[str], separator: str) -> None:
    answer = parse_indices(f"Selected: {separator.join(ids)}", allowed=NUMBERS, wanted=len(ids))
    assert answer.ids == tuple(ids)


@settings(deadline=None)
@given(
    st.lists(st.from_regex(r"[a-z]{1,3}[0-9]{1,4}", fullmatch=True), min_size=1, max_size=30, unique=True), st.data()
)
def test_opaque_ids_come_back_from_the_format_that_is_asked_for(ids: list[str], data: st.DataObject) -> None:
    chosen = data.draw(st.permutations(ids))[: data.draw(st.integers(1, len(ids)))]
    text = f"Two of them say the same.\nSelected: {', '.join(chosen)}\n"
    assert parse_indices(text, allowed=ids, wanted=len(chosen)).ids == tuple(chosen)
