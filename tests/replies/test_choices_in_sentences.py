"""`parse_indices` on choices in sentences: other spellings, contrasts, what is left, after-thoughts, texts with ids."""

import pytest

from prompts.replies import parse_indices

ALLOWED = ["12", "17", "23", "29", "36", "42", "47", "58", "63", "71", "76", "80", "88", "91", "94"]
TEN = [str(number) for number in range(1, 11)]
CODED = ["k7", "m4", "a3", "z9", "p5", "q1"]

SPELT = [
    ("Selected: ex17, ex42, ex58", 4, "17 42 58"),
    ("我选择17、42和58", 4, "17 42 58"),
    ("选择第17号、第42号和第58号", 4, "17 42 58"),
    ("選択: 17番、42番、58番", 4, "17 42 58"),
    ("17, 42 und 58", 4, "17 42 58"),
    ("17, 42 et 58", 4, "17 42 58"),
    ("17, 42 y 58", 4, "17 42 58"),
    ("17, 42 e 58", 4, "17 42 58"),
    ("17, 42 и 58", 4, "17 42 58"),
    ("17, 42 as well as 58", 4, "17 42 58"),
    ("17 along with 42 and 58", 4, "17 42 58"),
    ("Selected: inst17, inst42", 4, "17 42"),
    ("Selected: rev17, rev42", 4, "17 42"),
    ("Selected: T17, T42", 4, "17 42"),
    ("Selected: ID-17, ID-42", 4, "17 42"),
    ("最終的に17番と42番を選びます", 4, "17 42"),
    ("选择：17，42，58。", 4, "17 42 58"),
    ("17번, 42번, 58번", 4, "17 42 58"),
    ("答案是17、42", 4, "17 42"),
    ("17 と 42", 4, "17 42"),
    ("Ausgewählt: 17, 42 und 58", 4, "17 42 58"),
    ("Sélection : 17, 42 et 58", 4, "17 42 58"),
    ("Selección: 17, 42 y 58", 4, "17 42 58"),
    ("Выбрано: 17, 42 и 58", 4, "17 42 58"),
    ("17, 42 en 58", 4, "17 42 58"),
    ("I choose 17 together with 42", 4, "17 42"),
    ("I choose 17 and also 42", 4, "17 42"),
    ("17, 42, plus 58", 4, "17 42 58"),
    ("我不选择17，我选择42和58", 4, "42 58"),
    ("選んだのは17と42です", 4, "17 42"),
    ("选择 17，42 和 58，因为它们很难。", 4, "17 42 58"),
    ("17, 42 ou 58", 4, "17 42 58"),
    ("17 sowie 42", 4, "17 42"),
    ("17, 42, así como 58", 4, "17 42 58"),
    ("17, 42 och 58", 4, "17 42 58"),
    ("17, 42 and finally 58", 4, "17 42 58"),
    ("17, 42 & also 58", 4, "17 42 58"),
    ("17 in combination with 42", 4, "17 42"),
    ("both 17 and 42", 4, "17 42"),
    ("17 and 42 as well", 4, "17 42"),
]
ASIDES = [
    ("I choose the ironic one (17), the mixed one (42) and the short one (58).", 4, "17 42 58"),
    ("I choose:\n- the ironic one (17)\n- the mixed one (42)\n- the short one (58)", 4, "17 42 58"),
    ("- the ironic one (17)\n- the mixed one (42)\n- the short one (58)", 4, "17 42 58"),
    ("The 1994 film review (17) and the 2001 one (42).", 4, "17 42"),
    ("I'd label the sarcastic review (42) and the very long one (17).", 4, "42 17"),
    ("My picks are the film about a dog (17), the one about war (58), and the musical (63).", 4, "17 58 63"),
    ("1. The ironic one (17)\n2. The mixed one (42)", 4, "17 42"),
    ("* The ironic one [17]\n* The mixed one [42]", 4, "17 42"),
    ("I choose the ironic one (17), but not the dull one (42).", 4, "17"),
    ("Selected: 17 (unlike 42), 58 (like 63)", 4, "17 58"),
    ("The ones I find hard are the review of 1994 (17), and the war film (42).", 4, "17 42"),
    ("I would label the 2001 film [17] and the sequel [42].", 4, "17 42"),
    ("The review about the dog (17) is ironic. The review about the cat (42) is mixed.", 4, "17 42"),
    ("I like the dog film (17). I do not like the cat film (42).", 4, "17"),
]
IN_TURN = [
    ("First choice: 17. Second choice: 42. Third choice: 58.", 4, "17 42 58"),
    ("First pick: 17. Second pick: 42.", 4, "17 42"),
    ("My first choice is 17. My second choice is 42. My third choice is 58.", 4, "17 42 58"),
    ("1st choice: 17\n2nd choice: 42", 4, "17 42"),
    ("First choice: 17; second choice: 42; third choice: 58", 4, "17 42 58"),
    ("Choice one: 17. Choice two: 42.", 4, "17 42"),
    ("I choose 17 (sarcasm), 42 (mixed) and 58 (rare).", 4, "17 42 58"),
    ("First I select 17. Then I add 42. Finally I add 58.", 4, "17 42 58"),
    ("I pick 17 for irony, 42 for length and 58 for its mixed tone.", 4, "17 42 58"),
    ("17 and 42 for irony, 58 for length.", 4, "17 42 58"),
]
CONTRASTS = [
    ("I choose 42 instead of 17, and 58 rather than 63.", 4, "42 58"),
    ("I pick 17 rather than 42 and 58.", 4, "17"),
    ("I select 17 over 42, and 58 over 63.", 4, "17 58"),
    ("I choose 42 (not 17) and 58.", 4, "42 58"),
    ("I would choose 17 and 58 instead of 42 and 63.", 4, "17 58"),
    ("Instead of 17, I choose 42 and 58.", 4, "42 58"),
    ("I choose 17, not 42, and 58.", 4, "17 58"),
    ("Rather than 17 and 42, I select 58.", 4, "58"),
]
WHAT_IS_LEFT = [
    ("Candidates: 17, 42, 58. After removing 17, I am left with 42 and 58.", 2, "42 58"),
    ("Candidates: 17, 42, 58. Because it is clear, I drop 17. That leaves 42 and 58.", 2, "42 58"),
    ("I like 17, 42 and 58. I drop 17. That leaves 42 and 58.", 4, "42 58"),
    ("After removing duplicates I am left with 42 and 58.", 4, "42 58"),
    ("Everything except 17 and 42 is easy, so I choose 17 and 42.", 4, "17 42"),
    (
        "Initially I picked 17, 42, 58 and 63, but 17 and 63 are too similar, so I keep 42, 58 and add 71.",
        4,
        "42 58 71",
    ),
    ("I considered 17, 42, 58. I remove 17, which leaves 42 and 58.", 4, "42 58"),
    ("Excluding 17, I choose 42 and 58.", 4, "42 58"),
    ("After excluding the easy ones, I choose 42 and 58.", 4, "42 58"),
    ("Skipping the duplicates, I would pick 17 and 42.", 4, "17 42"),
    ("Dropping 63 leaves 17, 42 and 58.", 4, "17 42 58"),
    ("I keep 17 and 42, and drop 58.", 4, "17 42"),
    ("I keep 17 and 42 and drop 58.", 4, "17 42"),
    ("17 and 42 are kept; 58 is dropped.", 4, "17 42"),
    ("Starting from 17, 42, 58 and 63, I discard 58 and 63, leaving 17 and 42.", 4, "17 42"),
    ("Everything except 17 and 42 is easy. I choose 17 and 42.", 4, "17 42"),
    ("All except 17 and 42 are clear, therefore: 17, 42", 4, "17 42"),
    ("All of them except 17 and 42 are easy.", 4, ""),
    ("At first I chose 17 and 42, but 17 is dull, so I choose 42 and 58.", 4, "42 58"),
    ("Initially I picked 17 and 42. I now pick 58 and 63.", 2, "58 63"),
    ("I keep 17 and add 42 and 58.", 4, "17 42 58"),
    ("I choose 17 and 42, then add 58.", 4, "17 42 58"),
    ("Selected: 17, 42\nActually, I swap 42 for 58.", 4, "17 58"),
    ("Selected: 17, 42. On reflection I would replace 42 with 63.", 4, "17 63"),
    ("Selected: 17, 42\n\nWait, 42 is easy. Selected: 17, 58", 4, "17 58"),
    ("I removed 17 because it is like 42. Selected: 42, 58", 4, "42 58"),
    ("I rule out 17 and 42. I pick 58 and 63.", 4, "58 63"),
    ("Not 17 or 42. I pick 58 and 63.", 4, "58 63"),
    ("I'd avoid 17, and choose 42 and 58.", 4, "42 58"),
    ("My choice is 42, 58 (not 17).", 4, "42 58"),
    ("I was going to choose 17, but 42 is harder. So: 42, 58", 4, "42 58"),
    ("Out of 17, 42 and 58, I choose 42 and 58.", 4, "42 58"),
    ("Between 17 and 42, I prefer 42. Between 58 and 63, I prefer 58.", 4, "42 58"),
    ("Instead of 17 and 42, which are easy, I select 58 and 63.", 4, "58 63"),
]
AFTERTHOUGHTS = [
    ("Selected: 17, 42\n\nOn second thought, 17 is trivial, so I replace it with 71.", 4, "71 42"),
    ("Selected: 17, 42. (58 and 63 were close.)", 4, "17 42"),
    ("Selected: 17, 42\n58 and 63 were close.", 4, "17 42"),
    ("Selected: 17, 42. 58 and 63 would come next.", 4, "17 42"),
    ("Selected: 17, 42\n58 and 63 would come next.", 4, "17 42"),
    ("Selected: 17, 42. Instances 58 and 63 were close.", 4, "17 42"),
    ("Selected: 17, 42 (58 and 63 were close)", 4, "17 42"),
    ("Selected: 17, 42\n\n58 and 63 would come next.", 4, "17 42"),
    ("I choose 17 and 42. 58 and 63 are runners-up.", 4, "17 42"),
    ("Selected: 17, 42. Runners-up: 58, 63.", 4, "17 42"),
    ("Selected: 17, 42\nClose: 58, 63", 4, "17 42"),
    ("Selected: 17, 42. Also considered: 58, 63.", 4, "17 42"),
    ("Selected: 17, 42\nBackup: 58, 63", 4, "17 42"),
    ("17, 42\n58 and 63 were close.", 4, "17 42"),
    ("I choose 17 and 42. I also liked 58.", 4, "17 42"),
    ("Selected: 17, 42. 58 was close but easier.", 4, "17 42"),
    ("Selected: 17, 42. Next would be 58.", 4, "17 42"),
    ("Selected: 17, 42. If more were allowed: 58, 63.", 4, "17 42"),
    ("Selected: 17, 42; 58 and 63 were close.", 4, "17 42"),
    ("Selected: 17, 42 - 58 and 63 were close.", 4, "17 42"),
    ("Selected: 17, 42, 58 because they are mixed. 63 is easy.", 4, "17 42 58"),
    ("Selected: 17, 42\n\n(58 and 63 were close.)", 4, "17 42"),
    ("Selected: 17, 42\nHonourable mentions: 58, 63", 4, "17 42"),
    ("Selected: 17, 42\n63 is too easy.", 4, "17 42"),
    ("17, 42. 58 and 63 were close.", 4, "17 42"),
    ("Selected: 17\n\nOn second thought, I would drop 17 and choose 42 and 58.", 4, "42 58"),
    ("Selected: 17, 42, 58. On second thought, I drop 17.", 4, "42 58"),
    ("I select 17, 42. Swap 42 with 58.", 4, "17 58"),
    ("Selected: 17, 42\nI replaced 23 with 42.", 4, "17 42"),
]
TEXTS = [
    ("[17] A good film\n[58] 12 angry men is a must\n[63] Bad", 4, "17 58 63"),
    ("58: 12 angry men is a must\n17: fine", 4, "58 17"),
    ("- 58 - 12 angry men\n- 17 - fine", 4, "58 17"),
    ("Selected: [17] A dull film with 63 jokes; [42] nice", 4, "17 42"),
    ("17, because it is ironic; 42, because it is mixed.", 4, "17 42"),
    ("Selected:\n[58] 12 angry men is a must\n[63] 17 ways to die", 4, "58 63"),
    ("58. 12 angry men\n17. fine", 4, "58 17"),
    ("**58**: 12 angry men\n**17**: fine", 4, "58 17"),
    ("58 – 12 angry men is long\n17 – fine", 4, "58 17"),
    ("58) 12 angry men\n17) fine", 4, "58 17"),
    ("Selected: 58: 12 angry men; 17: fine", 4, "58 17"),
    ("Selected: [58] 12 angry men; [17] fine", 4, "58 17"),
    ("| 58 | 12 angry men |\n| 17 | fine |", 4, "58 17"),
    ("58 (12 angry men)\n17 (fine)", 4, "58 17"),
    ('- [58] "12 angry men"\n- [17] fine', 4, "58 17"),
    ("Selected: [17] A dull film of 63 minutes, [42] nice, [58] 12 angry men", 4, "17 42 58"),
    ("17 because it is ironic; 42 because it is mixed; 58 because of 63.", 4, "17 42 58"),
    ("17, since it is odd. 42, since it is rare.", 4, "17 42"),
    ("17, for its irony; 42, for its length", 4, "17 42"),
]
CODES = [
    ("K-7 and M-4", "k7 m4"),
    ("k 7, m 4", "k7 m4"),
    ("k-7, m-4, a-3", "k7 m4 a3"),
    ("Selected: K 7, M 4", "k7 m4"),
    ("I choose k7, a 3 star film", "k7"),
    ("Selected: a 3-star film, k7", "k7"),
]
NUMBERED = [
    ("1. The first review is ironic\n4. The fourth is mixed\n5. The fifth is rare", "1 4 5"),
    ("2. The second is odd\n3. The third is rare\n7. Last", "2 3 7"),
    ("1. odd\n3. rare\n4. mixed", "1 3 4"),
    ("1. odd\n2. rare\n5. mixed", "1 2 5"),
    ("1. It is odd\n2. It is rare", ""),
    ("10. odd\n2. rare", "10 2"),
    ("1. Diversity matters\n2. Difficulty too\n\nSelected: 4, 7", "4 7"),
]
IN_WORDS = [
    ("I choose instances seven and nine.", "7 9"),
    ("I pick reviews two, five and ten.", "2 5 10"),
    ("Selected instances: seven, nine", "7 9"),
    ("I go through the instances one by one. Selected: 4", "4"),
    ("Instance seven and instance nine", "7 9"),
    ("I chose text three because two reviews disagree.", "3"),
    ("I choose two instances: 7, 9", "7 9"),
    ("I looked at the reviews one after another and pick 3.", "3"),
    ("instances number two and number four", "2 4"),
    ("I choose the instances one, two and three.", "1 2 3"),
    ("I choose instance one and instance four.", "1 4"),
    ("Texts four and six are hard.", "4 6"),
    ("I compared the texts two by two and choose 5.", "5"),
    ("Instance three is easy, so I choose instance four.", "4"),
]
LETTERS = [
    ("A good selection is C and D. I think A is easy.", "C D"),
    ("I choose B and D. I think A is dull.", "B D"),
    ("B and D. A is easy.", "B D"),
    ("The answer is A.", "A"),
    ("A and C are best", "A C"),
    ("Choose A, C", "A C"),
]


@pytest.mark.parametrize(
    ("text", "wanted", "expected"), SPELT + ASIDES + IN_TURN + CONTRASTS + WHAT_IS_LEFT + AFTERTHOUGHTS + TEXTS
)
def test_numbers_of_two_digits(text: str, wanted: int, expected: str) -> None:
    assert parse_indices(text, allowed=ALLOWED, wanted=wanted).ids == tuple(expected.split())


@pytest.mark.parametrize(("text", "expected"), CODES)
def test_codes_that_are_written_apart(text: str, expected: str) -> None:
    assert parse_indices(text, allowed=CODED, wanted=4).ids == tuple(expected.split())


@pytest.mark.parametrize(("text", "expected"), NUMBERED + IN_WORDS)
def test_small_numbers(text: str, expected: str) -> None:
    assert parse_indices(text, allowed=TEN, wanted=4).ids == tuple(expected.split())


@pytest.mark.parametrize(("text", "expected"), LETTERS)
def test_letters(text: str, expected: str) -> None:
    assert parse_indices(text, allowed=["A", "B", "C", "D"], wanted=2).ids == tuple(expected.split())
