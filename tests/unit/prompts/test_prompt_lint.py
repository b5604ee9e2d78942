"""Each piece of prompting advice has a check, the library passes them all, and each check can fail."""

import pytest

from prompts.lint import CHECKS, lint
from prompts.template import Prompt, catalogue, load

GOOD = """--- instructions ---
Label one {{ item | line }}. Reply with exactly one word and with no other text.
Format: <yes or no>
--- user ---
### Text
{{ text | fence }}
"""


def prompt(body: str) -> Prompt:
    variables = {"item": "noun", "text": "the text"}
    return Prompt(id="test/one", version=1, source="none", reply="label", variables=variables, slots={}, body=body)


@pytest.mark.parametrize("each", catalogue(), ids=lambda each: each.id)
def test_every_variant_of_the_library_follows_the_advice(each: Prompt) -> None:
    assert lint(each) == ()


def test_the_model_of_the_bad_ones_is_good() -> None:
    assert lint(prompt(GOOD)) == ()


BAD = {
    "instructions-first": (
        "--- instructions ---\n",
        "--- user ---\n{{ text | fence }}\n--- assistant ---\nYes?\n--- user ---\n",
    ),
    "context-separated": ("### Text\n{{ text | fence }}", "{{ text | line('') }}"),
    "context-specific": ("{{ item | line }}", "thing"),
    "length-specific": ("exactly one word", "words"),
    "format-specific": ("Format: <yes or no>", "Like this: <yes or no>"),
    "format-shown": ("Format: <yes or no>", "Format: one of the labels"),
    "no-fluff": ("Label one", "Please label one fairly short"),
    "one-word": ("exactly one word", "at most 3 words"),
    "no-commentary": (" and with no other text", ""),
}


def test_every_check_has_a_template_that_violates_it() -> None:
    assert sorted(BAD) == sorted(check.__name__.replace("_", "-") for check in CHECKS)


@pytest.mark.parametrize("name", BAD)
def test_a_template_against_the_advice_is_found(name: str) -> None:
    before, after = BAD[name]
    assert before in GOOD
    findings = lint(prompt(GOOD.replace(before, after)))
    assert name in [finding.check for finding in findings]
    assert all(finding.prompt == "test/one" and finding.message for finding in findings)


def test_the_slides_own_fluffy_sentence_is_found() -> None:
    slide = "Label one text; the description should be fairly short, a few sentences only, and not too much more."
    (finding,) = [each for each in lint(prompt(GOOD.replace("Label one", slide))) if each.check == "no-fluff"]
    assert finding.message == "imprecise: a few, fairly, not too much, short"


@pytest.mark.parametrize(
    ("name", "before", "after", "check"),
    [
        ("select/choose", "Choose exactly {{ wanted }} of the instances.", "Choose the instances.", "length-specific"),
        ("generate/one", "of 8 to 30 words", "of adequate size", "no-fluff"),
    ],
)
def test_a_quantity_elsewhere_does_not_stand_in_for_that_of_the_task(
    name: str, before: str, after: str, check: str
) -> None:
    each = load(name)
    assert before in each.body
    found = lint(each.model_copy(update={"body": each.body.replace(before, after)}))
    assert check in [finding.check for finding in found]
