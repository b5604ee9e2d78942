"""`parse_indices` on replies that say of each instance, or of groups of them, whether it is chosen; echoes are not."""

import random

import pytest

from prompts.replies import Refusal, parse_indices

ALLOWED = ["12", "17", "23", "29", "36", "42", "47", "58", "63", "71", "76", "80", "88", "91", "94"]

VERDICTS = [
    (
        "17: not worth a label because it is clear\n42: worth a label because it is ironic\n58: not worth a label",
        4,
        "42",
    ),
    (
        "- **17**: not worth a label because it is clear\n"
        "- **42**: worth a label because it is ironic\n- **58**: not worth a label",
        4,
        "42",
    ),
    (
        "17. This instance is not worth a label because it is clear.\n"
        "42. This instance is worth a label because it is ironic.",
        4,
        "42",
    ),
    ("17: The text is clear, so it is not worth labeling.\n42: Irony makes it worth labeling.", 4, "42"),
    ("17 is worth a label, 42 is not worth a label, 58 is worth a label.", 4, "17 58"),
    ("17: It is not informative.\n42: It is informative because of irony.", 4, "42"),
    ("17: is informative\n42: is not informative", 4, "17"),
    ("17: This one is worth labelling.\n42: This one isn't worth labelling.", 4, "17"),
    (
        "- 17: This is worth a label: it is ironic.\n- 42: Not worth a label.\n"
        "- 58: It is worth labelling, since it is mixed.",
        4,
        "17 58",
    ),
    ("17 - Worth labeling because of sarcasm\n42 - Not worth labeling; it is plain\n58 - Worth annotating", 4, "17 58"),
    ("17: is worth a label because it is ironic\n42: is not worth a label because it is clear", 4, "17"),
    ("17: isn't worth a label\n42: is worth a label", 4, "42"),
    ("17: hardly worth a label.\n42: worth a label.", 4, "42"),
    ("17: not informative\n42: informative\n58: very informative", 4, "42 58"),
    ("17: The text is clear and not informative.\n42: The text is mixed and very informative.", 4, "42"),
    ("1. 17: not worth a label because it is clear\n2. 42: worth a label because it is ironic", 4, "42"),
    ("17: not worth a label\n42: not worth a label", 4, ""),
    ("[17] not worth a label because it is clear\n[42] worth a label because it is ironic", 4, "42"),
    ("17: worth a label\n42: worth a label\n58: not worth a label\n\nSelected: 17, 42", 4, "17 42"),
    (
        "Instance 17 is worth a label because it is ironic. Instance "
        "42 is not worth a label. Instance 58 is worth a label.",
        4,
        "17 58",
    ),
    ("17 and 42 are worth a label. 58 is not worth a label.", 4, "17 42"),
    ("17 and 42 are worth a label, 58 is not.", 4, "17 42"),
    ("42 is worth a label; 17 isn't.", 4, "42"),
    ("17: A film worth seeing, it is not worth missing\n42: It is informative documentary\n58: bad", 4, "17 42 58"),
    ("17: ironic\n42: is an informative documentary\n58: mixed", 4, "17 42 58"),
    ("The ones worth a label are 42 and 58.", 4, "42 58"),
    ("42 and 58 are worth a label because they are mixed.", 4, "42 58"),
    ("Only 42 is worth a label.", 4, "42"),
    ("None is worth a label.", 4, ""),
    ("17: This is not a text worth a label.\n42: This is a text worth a label.", 4, "42"),
    ("17: I don't think it is worth a label.\n42: I think it's worth a label.", 4, "42"),
    ("**17** – Not worth a label: clear.\n**42** – Worth a label: mixed.", 4, "42"),
    ("17 (not worth a label), 42 (worth a label)", 4, "42"),
    ("17: clear sentiment, not worth a label\n42: mixed, worth a label\n\n", 4, "42"),
    ("17: low value, clear.\n42: worth a label, mixed.", 4, "42"),
    (
        "| ID | Reason |\n|---|---|\n| 17 | not worth a label because clear |\n| 42 | worth a label because mixed |",
        4,
        "42",
    ),
    ("ID 17: Not worth a label.\nID 42: Worth a label.", 4, "42"),
    ("17: it would be worth a label\n42: it would not be worth a label", 4, "17"),
    ("17: no label needed\n42: worth a label", 4, "42"),
    ("17: not very informative, it is plain\n42: informative, it is mixed", 4, "42"),
    ("17: less informative\n42: more informative", 4, "42"),
    ("17: uninformative because plain\n42: informative because mixed", 4, "42"),
    (
        "Selected: 17, 42\n\nReasons:\n- 17: worth a label because ironic\n"
        "- 42: worth a label because mixed\n- 58: not worth a label",
        4,
        "17 42",
    ),
]
BOTH_SIDES = [
    ("Skip: 17, 42. Keep: 58, 63.", 2, "58 63"),
    ("Easy: 17, 42. Hard: 58, 63.", 2, "58 63"),
    ("Skip: 17, 42. Keep: 58, 63.", 4, "58 63"),
    ("Easy: 17, 42. Hard: 58, 63.", 4, "58 63"),
    ("Reject: 17, 42. Select: 58, 63.", 4, "58 63"),
    ("Keep: 58, 63. Skip: 17, 42.", 4, "58 63"),
    ("No: 17, 42; Yes: 58, 63", 4, "58 63"),
    ("Clear: 17, 42. Ambiguous: 58, 63.", 4, "58 63"),
    ("Not worth a label: 17, 42. Worth a label: 58, 63.", 4, "58 63"),
    ("Worth a label: 58, 63\nNot worth a label: 17, 42", 4, "58 63"),
    ("Label: 58, 63. Don't label: 17.", 4, "58 63"),
    ("Skip: 17, 42 | Keep: 58, 63", 4, "58 63"),
    ("Skip 17 and 42. Keep 58 and 63.", 4, "58 63"),
    ("Skip 17, keep 42, skip 58, keep 63.", 4, "42 63"),
    ("Easy (skip): 17, 42. Hard (keep): 58, 63.", 4, "58 63"),
    ("Discarded: 17. Kept: 42, 58.", 4, "42 58"),
    ("Uncertain: 17, 42. Certain: 58, 63.", 4, "17 42"),
    ("Rejected - 17, 42\nSelected - 58", 4, "58"),
    ("Low priority: 17, 42. High priority: 58, 63.", 4, "58 63"),
    ("Redundant: 17\nInformative: 42", 4, "42"),
    ("Easy ones: 17, 42. Hard ones: 58, 63.", 4, "58 63"),
    ("Easy: 17, 42, Hard: 58, 63", 4, "58 63"),
]
TICKS = [
    ("✅ 17\n❌ 42\n✅ 58", 4, "17 58"),
    ("✔ 17\n✘ 42\n✔ 58", 4, "17 58"),
    ("- ✅ 17: ironic\n- ❌ 42: clear", 4, "17"),
    ("1. ✅ 17\n2. ❌ 42", 4, "17"),
    ("✅ 17 ❌ 42 ✅ 58", 4, "17 58"),
    ("17 ✅, 42 ❌, 58 ✅", 4, "17 58"),
    ("✅ 17, 58\n❌ 42, 63", 4, "17 58"),
    ("✅ Selected: 17, 42\n❌ Skipped: 58, 63", 4, "17 42"),
    ("❌ 42", 4, ""),
    ("[x] 17\n[ ] 42", 4, "17"),
    ("👍 17\n👎 42", 4, "17"),
    ("✅ 17 – ironic\n❌ 42 – clear\n✅ 58 – mixed\n❌ 63 – clear", 4, "17 58"),
    ("17: ✅\n42: ❌", 4, "17"),
    ("- 17 ✅\n- 42 ❌", 4, "17"),
    ("✅ Instance 17\n❌ Instance 42", 4, "17"),
    ("| 17 | ✅ |\n| 42 | ❌ |", 4, "17"),
    ("☑ 17\n☐ 42", 4, "17"),
    ("[✓] 17\n[ ] 42\n[✓] 58", 4, "17 58"),
    ("✅ 17\n✅ 42", 4, "17 42"),
    ("Selected ✅: 17, 42", 4, "17 42"),
]
GROUPS = [
    ("**Fresh**\n- 17\n- 42\n\n**Rotten**\n- 58\n- 63", 4, "17 42 58 63"),
    ("Fresh:\n- 17\n- 42\n\nRotten:\n- 58\n- 63", 4, "17 42 58 63"),
    ("### Positive\n17, 42\n\n### Negative\n58, 63", 4, "17 42 58 63"),
    ("Fresh: 17, 42\nRotten: 58, 63", 4, "17 42 58 63"),
    ("**Positive:**\n1. 17\n2. 42\n\n**Negative:**\n1. 58\n2. 63", 4, "17 42 58 63"),
    ("Sports: 17\nPolitics: 42\nBusiness: 58", 4, "17 42 58"),
    ("## Sports\n- 17\n\n## Politics\n- 42\n\n## World\n- 58", 4, "17 42 58"),
    ("**Fresh** (2):\n- 17\n- 42\n\n**Rotten** (2):\n- 58\n- 63", 4, "17 42 58 63"),
    ("**Fresh**\n17, 42\n\n**Rotten**\n58, 63", 4, "17 42 58 63"),
    ("**Fresh**\n- 17: ironic\n- 42: mixed\n\n**Rotten**\n- 58: short\n- 63: rare", 4, "17 42 58 63"),
    ("Fresh:\n- 17\n- 42\n- 71\n\nRotten:\n- 58\n- 63", 4, ""),
    ("Fresh:\n- 17\n- 42\n\nRotten:\n- 58\n- 63\n\nSelected: 17, 58", 4, "17 58"),
    ("Candidates:\n- 17\n- 42\n\nSelected:\n- 58", 4, "58"),
    ("Difficulty: 17, 42\nDiversity: 58, 63", 4, "17 42 58 63"),
    ("Fresh: 17, 42. Rotten: 58, 63.", 4, "17 42 58 63"),
    ("Ambiguous: 17 and 42 are mixed.\nRare: 58 is odd.", 4, "17 42 58"),
    ("Diversity: 17 and 42 are unlike the rest.\nDifficulty: 58 is hard.", 4, "17 42 58"),
    ("1. Difficulty: 17 and 42 are hard.\n2. Diversity: 58 and 63 differ.", 4, "17 42 58 63"),
    ("Fresh: 17, 42, 58, 63, 71, 76, 80\nRotten: 12, 23, 29, 36", 4, ""),
    ("Fresh: 17, 42\nRotten: 58, 63\n\nSo I choose 17 and 63.", 4, "17 63"),
    ("Fresh examples: 17, 42\nRotten examples: 58, 63", 4, "17 42 58 63"),
    ("Positive reviews:\n17, 42\nNegative reviews:\n58, 63", 4, "17 42 58 63"),
    ("**Label: Fresh**\n- 17\n**Label: Rotten**\n- 58", 4, "17 58"),
    ("For fresh: 17, 42. For rotten: 58, 63.", 4, "17 42 58 63"),
]
CUT = [
    ("17: Praises the acting, clear.\n42: Complains about length.\n58: Short.", ""),
    ("First, 17 and 42 look mixed. 58 is", ""),
    ("17: worth a label\n42: not worth a label\n58: wor", ""),
    ("**Fresh**\n- 17\n- 42\n\n**Rotten**\n- 5", ""),
    ("17, 42, 5", ""),
    ("17: Praises the acting, clear.\n42: Complains about length.\n58: Short.\n63: Compares the film to", ""),
]


@pytest.mark.parametrize(("text", "wanted", "expected"), VERDICTS + BOTH_SIDES + TICKS + GROUPS)
def test_what_is_said_of_each(text: str, wanted: int, expected: str) -> None:
    assert parse_indices(text, allowed=ALLOWED, wanted=wanted).ids == tuple(expected.split())


@pytest.mark.parametrize(("text", "expected"), CUT)
def test_of_a_list_that_was_cut_off_nothing_counts(text: str, expected: str) -> None:
    assert parse_indices(text, allowed=ALLOWED, wanted=4, cut=True).ids == tuple(expected.split())


def shown(count: int, start: int = 0) -> tuple[list[str], list[str]]:
    """The ids in the order of a list, and lines of it, one of which begins with another id."""
    order = random.Random(count).sample(ALLOWED, len(ALLOWED))
    texts = ["the film is a mess", "12 angry men is better", "it names 63 actors", "do not choose it", "a treat"] * 3
    return order, [f"{id_}] {text}" for id_, text in zip(order, texts, strict=True)][start : start + count]


@pytest.mark.parametrize("count", [5, 6, 8, 11, 14, 15])
@pytest.mark.parametrize("between", ["\n", "\n\n", "\n#####\n", "\n---\n"])
@pytest.mark.parametrize("head", ["", "### Instances\n", "Here are the instances:\n\n", "#####\n"])
@pytest.mark.parametrize("start", ["[", "- [", "> ["])
def test_an_echo_of_the_list_is_no_choice_wherever_it_stops(count: int, between: str, head: str, start: str) -> None:
    order, lines = shown(count)
    echo = head + between.join(start + line for line in lines)
    answer = parse_indices(echo, allowed=order, wanted=4)
    assert isinstance(answer, Refusal), answer.ids
    broken = parse_indices(f"{echo}{between}[", allowed=order, wanted=4)
    assert broken.ids == ()


def test_an_echo_may_start_anywhere_and_hold_other_forms_of_lines() -> None:
    order, lines = shown(7, start=4)
    for echo in ("\n".join(f"[{line}" for line in lines), "\n".join(line.replace("]", ":") for line in lines)):
        assert parse_indices(echo, allowed=order, wanted=4).ids == ()
    apart = "\n".join(f"[{id_}]\nsome text" for id_ in order[:8])
    assert parse_indices(apart, allowed=order, wanted=4).ids == ()
    assert parse_indices("\n".join(f"[{line}" for line in lines), allowed=set(order), wanted=4).ids == ()


def test_entries_are_a_choice_where_they_are_few_headed_or_in_another_order() -> None:
    order, _ = shown(8)
    entries = [f"[{id_}] a text of {place} words" for place, id_ in enumerate(order[:8], 20)]
    assert parse_indices("\n".join(entries[:4]), allowed=order, wanted=4).ids == tuple(order[:4])
    assert parse_indices("Selected:\n" + "\n".join(entries), allowed=order, wanted=4).ids == tuple(order[:4])
    assert parse_indices("I would pick these:\n" + "\n".join(entries), allowed=order, wanted=4).ids == tuple(order[:4])
    assert parse_indices("\n".join(entries[::-1]), allowed=order, wanted=4).ids == tuple(order[7:3:-1])
    assert parse_indices("\n".join(entries) + f"\n\nSelected: {order[2]}", allowed=order, wanted=4).ids == (order[2],)
