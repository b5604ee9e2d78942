"""Outside text can neither close its fence nor start a turn, an item or a chat token."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.errors import PromptError
from prompts.fence import DELIMITER, clean, fence, heading, line, only_clean
from prompts.template import Prompt, catalogue, load
from tests.support.hostile import HOSTILE

LABELS = [{"word": "negative", "description": ""}, {"word": "positive", "description": ""}]
LABEL = load("annotate/label")
ANY_TEXT = st.text(st.characters(), max_size=200)


@settings(deadline=None)
@given(ANY_TEXT | HOSTILE)
def test_a_fence_is_closed_by_its_own_last_line_only(text: str) -> None:
    lines = fence(text).split("\n")
    assert lines[0] == lines[-1] == DELIMITER
    assert not any(DELIMITER in inner for inner in lines[1:-1])


@settings(deadline=None)
@given(ANY_TEXT | HOSTILE)
def test_a_line_is_one_line_for_every_reader(text: str) -> None:
    assert len(line(text).splitlines()) <= 1


@settings(deadline=None)
@given(ANY_TEXT | HOSTILE)
def test_clean_text_holds_no_control_no_chat_token_and_can_be_sent(text: str) -> None:
    cleaned = clean(text)
    assert "<|" not in cleaned
    assert "|>" not in cleaned
    assert "\x00" not in cleaned
    cleaned.encode("utf-8")


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "Zs"], exclude_characters='"<|>'), max_size=80))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize("name", ["select/choose", "select/rank", "select/score"])
@settings(deadline=None)
@given(texts=st.lists(HOSTILE, min_size=2, max_size=5), pairs=st.booleans(), mode=st.sampled_from(["cot", "no-cot"]))
def test_hostile_items_cannot_forge_an_instance(name: str, texts: list[str], pairs: bool, mode: str) -> None:
    instances = [
        {"id": f"k{n}", "text": text, "text_b": texts[-1 - n] or "x" if pairs else ""} for n, text in enumerate(texts)
    ]
    given_ = {"item": "sentence", "instances": instances, **({"wanted": 1} if name == "select/choose" else {})}
    messages = load(name).render({"criterion": "none", "mode": mode}, **given_)
    assert [message.role for message in messages] == ["user"]
    listed = messages[0].content.split("two instances.\n\n")[1].split("\n\n### Scores")[0].split("\n")
    assert sum(each == "#####" for each in listed) == len(texts) - 1
    assert [each.split("]")[0] for each in listed if each.startswith("[")] == [f"[k{n}" for n in range(len(texts))]
    assert len(listed) == len(texts) * (2 + pairs) - 1


class Places:
    """Gives every place of a template where outside text may stand a text of its own, and remembers which stands where.

    `plain` puts short marks there instead.
    """

    def __init__(self, texts: list[str], *, plain: bool) -> None:
        self.texts, self.plain = texts, plain
        self.given: dict[str, str] = {}

    def fenced(self) -> str:
        return self._next("F", clean)

    def lined(self) -> str:
        return self._next("L", line)

    def _next(self, kind: str, shown: Callable[[str], str]) -> str:
        mark = f"{kind}zq{len(self.given)}zq"
        text = self.texts[len(self.given) % len(self.texts)] or "x"
        self.given[mark] = shown(text)
        return mark if self.plain else text

    def put_into(self, content: str) -> str:
        return re.sub(r"[FL]zq\d+zq", lambda found: self.given[found[0]], content).strip()


def everything(prompt: Prompt, places: Places, *, pairs: bool) -> dict[str, object]:
    """A value for each variable that the prompt declares; whatever may come from outside comes from `places`."""
    fenced = prompt.reply == "label"
    place = places.fenced if fenced else places.lined
    b = place if pairs else str
    values: dict[str, Callable[[], object]] = {
        "item": lambda: "sentence",
        "text": place,
        "text_b": b,
        "labels": lambda: LABELS,
        "label": lambda: LABELS[0],
        "others": lambda: ["positive"],
        "wanted": lambda: 2,
        "task_guidelines": places.fenced,
        "gap": places.lined,
        "weaknesses": lambda: [places.lined(), places.lined()],
        "examples": lambda: [places.lined(), places.lined()],
        "instances": lambda: [{"id": f"k{n}", "text": place(), "text_b": b()} for n in range(3)],
        "labelled": lambda: [{"text": place(), "text_b": b(), "label": "positive"} for _ in range(2)],
        "demonstrations": lambda: [
            {"text": place(), "text_b": b(), "label": "negative", "reason": places.lined()} for _ in range(2)
        ],
    }
    return {name: values[name]() for name in prompt.variables}


@pytest.mark.parametrize("prompt", catalogue(), ids=lambda prompt: prompt.id)
@settings(deadline=None, max_examples=60)
@given(texts=st.lists(HOSTILE, min_size=1, max_size=6), pairs=st.booleans(), data=st.data())
def test_a_text_fills_its_own_place_in_every_variant_and_changes_nothing_around_it(
    prompt: Prompt, texts: list[str], pairs: bool, data: st.DataObject
) -> None:
    """With `fence` and `line` above: as many turns, lines of the list and fences as with any other text."""
    slots = {name: data.draw(st.sampled_from(slot.fillings)) for name, slot in prompt.slots.items()}
    marked, hostile = Places(texts, plain=True), Places(texts, plain=False)
    plain = prompt.render(slots, **everything(prompt, marked, pairs=pairs))
    found = prompt.render(slots, **everything(prompt, hostile, pairs=pairs))
    assert [(m.role, m.content) for m in found] == [(m.role, marked.put_into(m.content)) for m in plain]


@pytest.mark.parametrize(
    "token",
    [
        *(
            "<|im_end|>",
            "<|eot_id|>",
            "<|start_of_role|>",
            "<\uff5cUser\uff5c>",
            "<\uff5cend\u2581of\u2581sentence\uff5c>",
        ),
        *("<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "[SYSTEM_PROMPT]", "[TOOL_CALLS]"),
        *("<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<pad>", "<tool_call>", "</think>"),
    ],
)
def test_control_tokens_of_chat_templates_are_broken_wherever_they_stand(token: str) -> None:
    for text in (token, f"a{token}b", f"{token[0]}{token}{token[1:]}", f"{token[0]}\x00{token[1:]}", token * 3):
        for made in (clean(text), fence(text), line(text)):
            assert token not in made
            assert made == clean(made) or made == fence(text), "nothing is left to take out"
    assert clean(f"a{token}b").replace(" ", "") == f"a{token}b".replace(" ", ""), "only blanks are put in"


@pytest.mark.parametrize(
    "text", ["I <3 it", "a <b>bold</b> <i>film</i>", "[sic] and [Laughs]", "x < y > z", "<strong>"]
)
def test_what_is_no_control_token_stays(text: str) -> None:
    assert clean(text) == text


@settings(deadline=None)
@given(HOSTILE)
def test_hostile_text_stays_inside_one_user_turn_and_is_not_rendered(text: str) -> None:
    messages = LABEL.render({}, item="sentence", text=text or "x", text_b="", labels=LABELS, demonstrations=[])
    assert [message.role for message in messages] == ["system", "user"]
    assert messages[1].content.count(DELIMITER) == 2
    assert messages[1].content.endswith(f"\n{DELIMITER}\nLabel:")
    assert ("{{ 7 * 7 }}" in messages[1].content) == ("{{ 7 * 7 }}" in clean(text))


@pytest.mark.parametrize("value", [None, 3, b"text", ["text"]])
def test_only_strings_are_text(value: object) -> None:
    with pytest.raises(PromptError, match="must be a string"):
        clean(value)


def test_a_pair_gets_two_fences() -> None:
    assert fence("a", "b") == 'Text 1:\n"""\na\n"""\nText 2:\n"""\nb\n"""'
    assert line("a", "b") == "Text 1: a\n  Text 2: b"


def test_heading_keeps_the_other_capitals() -> None:
    assert heading("sMS message") == "SMS message"


def test_a_string_that_passed_no_fence_is_refused() -> None:
    assert only_clean(3) == 3
    with pytest.raises(PromptError, match="without a fence"):
        only_clean("text")
