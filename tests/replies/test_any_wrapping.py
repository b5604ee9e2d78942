"""`parse_indices` around a known choice, however it is wrapped: read exactly, or refused; benign wrappings are read."""

import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.replies import Refusal, parse_indices

ALLOWED = ("11", "23", "37", "42", "58", "64", "76", "85")
CODES = ("k11", "b23", "m37", "z42", "c58", "p64", "t76", "d85")
TEXTS = (
    "A dull film.",
    "Skip this film, it lasts 90 minutes",
    "do not choose it over number 11",
    "a great pick",
    "I select 5 stars out of 10",
    "Never again: 64 people left at 2:42 pm",
    "Yes and no",
    "the answer is not here",
    "Redundant and uninformative",
    "He said no 23 times",
)
Wrapping = Callable[[Sequence[str], Sequence[str]], str]


def lines(form: str, head: str = "") -> Wrapping:
    """An entry a line, made from its number, id and text."""
    return lambda ids, texts: (
        head
        + "\n".join(
            form.format(n=n, id=id_, text=text) for n, (id_, text) in enumerate(zip(ids, texts, strict=False), 1)
        )
    )


def listed(form: str, separator: str = ", ") -> Wrapping:
    return lambda ids, _: form.format(separator.join(ids))


def as_json(build: Callable[[Sequence[str], Sequence[str]], object], form: str = "{}") -> Wrapping:
    return lambda ids, texts: form.replace("{}", json.dumps(build(ids, texts)))


BENIGN: dict[str, Wrapping] = {
    "line": listed("Selected: {}"),
    "bare": listed("{}"),
    "spaces": listed("Selected: {}", " "),
    "semicolons": listed("Final answer: {}", "; "),
    "brackets": listed("Selected: [{}]", "], ["),
    "bold": listed("**Selected:** **{}**", "**, **"),
    "heading": listed("### Selected\n{}"),
    "code": listed("```\n{}\n```"),
    "boxed": listed("\\boxed{{{}}}"),
    "quotes": listed('Selected: "{}"', '", "'),
    "thought": listed("<think>I like 11, 23. Selected: 37</think>\nSelected: {}"),
    "steps": listed("First, I compare them. Then I choose.\n\nSelected: {}\n"),
    "turns": listed("Selected: {}\n\nUser: and now?\nAssistant: Selected: 11, 23"),
    "tokens": listed("Selected: {}<|im_end|>\n<|im_start|>user\nSelected: 11"),
    "paragraphs": listed("Selected: {}", "\n\n"),
    "bullets": lines("- {id}", "Selected:\n"),
    "stars": lines("* **{id}**", "Selected:\n\n"),
    "numbering": lines("{n}. {id}", "Selected:\n"),
    "echo": lines("[{id}] {text}", "Selected: "),
    "echo under": lines("[{id}] {text}", "Selected:\n"),
    "echo apart": lambda ids, texts: lines("[{id}] {text}", "Selected: ")(ids, texts).replace("\n", "\n#####\n"),
    "colons": lines("- {id}: {text}", "Selected:\n"),
    "quoted": lines('- {id}: "{text}"', "Selected:\n"),
    "quoted in a line": lambda ids, texts: "Selected: " + lines('{id} "{text}"')(ids, texts).replace("\n", ", "),
    "remarks": lines("{n}. {id} ({text})", "Selected:\n"),
    "object": as_json(lambda ids, _: {"selected": list(ids)}),
    "fenced object": as_json(lambda ids, _: {"selected": list(ids)}, "Sure:\n```json\n{}\n```\nI hope this helps."),
    "array": as_json(lambda ids, _: list(ids)),
    "both sides": as_json(lambda ids, _: {"selected": list(ids), "rejected": [x for x in ALLOWED if x not in ids]}),
    "sides turned": as_json(lambda ids, _: {"dropped_list": ["11"], "answer": list(ids), "final_notes": ["11 is odd"]}),
    "records": as_json(
        lambda ids, texts: [
            {"number": n, "id": id_, "text": text} for n, (id_, text) in enumerate(zip(ids, texts, strict=False), 1)
        ]
    ),
    "reasons": as_json(lambda ids, texts: {"selected": dict(zip(ids, texts, strict=False))}),
}
OTHER: dict[str, Wrapping] = {
    "prose": listed("I would choose {} because they are hard.", " and "),
    "verbs": lines("I pick {id}. It says: {text}"),
    "no heading": lines("[{id}] {text}"),
    "reasons in a line": lambda ids, texts: (
        "Selected: " + ", ".join(f"{id_} because {text}" for id_, text in zip(ids, texts, strict=False))
    ),
    "dashes": lines("{id} - {text}", "My choice:\n"),
    "numbered texts": lines("{n}. {text} [{id}]", "Selected:\n"),
    "table": lines("| {n} | {id} | {text} |", "| # | ID | Text |\n|---|---|---|\n"),
    "refused after": listed("Yes: {}\nNo: none of the others"),
    "unclosed": listed("<think>\nSelected: {}"),
    "python": lambda ids, _: str({"selected": list(ids), "rejected": []}),
    "headed": lines("Choice {n}: {id} {text}"),
    "items": lines("**Instance {id}**\n{text}\n", "Selected instances:\n\n"),
}


@st.composite
def choices(draw: st.DrawFn) -> tuple[list[str], list[str], Sequence[str]]:
    allowed = draw(st.sampled_from((ALLOWED, CODES)))
    ids = draw(st.lists(st.sampled_from(allowed), min_size=1, max_size=4, unique=True))
    return ids, draw(st.lists(st.sampled_from(TEXTS), min_size=4, max_size=4)), allowed


@pytest.mark.parametrize("name", BENIGN)
@settings(deadline=None, max_examples=60)
@given(choice=choices())
def test_a_benign_wrapping_is_read(name: str, choice: tuple[list[str], list[str], Sequence[str]]) -> None:
    ids, texts, allowed = choice
    reply = BENIGN[name](ids, texts)
    assert parse_indices(reply, allowed=allowed, wanted=len(ids)).ids == tuple(ids), reply


@pytest.mark.parametrize("name", OTHER)
@settings(deadline=None, max_examples=60)
@given(choice=choices())
def test_any_wrapping_is_read_or_refused(name: str, choice: tuple[list[str], list[str], Sequence[str]]) -> None:
    ids, texts, allowed = choice
    reply = OTHER[name](ids, texts)
    answer = parse_indices(reply, allowed=allowed, wanted=len(ids))
    assert isinstance(answer, Refusal) or answer.ids == tuple(ids), reply
