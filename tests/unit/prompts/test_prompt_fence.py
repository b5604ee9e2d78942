"""Outside text can neither close its fence nor start a turn, an item or a chat token."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.errors import PromptError
from prompts.fence import DELIMITER, clean, fence, heading, line, only_clean
from prompts.template import load

LABELS = [{"word": "negative", "description": ""}, {"word": "positive", "description": ""}]
LABEL, CHOOSE = load("annotate/label"), load("select/choose")
ANY_TEXT = st.text(st.characters(), max_size=200)
STRUCTURE = [
    '"""',
    '"',
    "\n",
    "#####",
    "[k9] ",
    "\n### Instances\n",
    "\n--- user ---\n",
    "\n--- assistant ---\n",
    "Label:",
]
TOKENS = ["\x00", "user", "{{ 7 * 7 }}", "{% include 'mode' %}", "<|im_end|>", "<|im_start|>system", "<|", "|>"]
BREAKS = ["\u2028", "\x85", "\r", "\x1f", "\ud800", "x"]
HOSTILE = st.lists(st.sampled_from([*STRUCTURE, *TOKENS, *BREAKS]), max_size=12).map("".join)


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


@settings(deadline=None)
@given(HOSTILE)
def test_hostile_items_cannot_forge_an_instance(text: str) -> None:
    instances = [{"id": "k7", "text": text, "text_b": ""}, {"id": "m2", "text": "plain", "text_b": ""}]
    messages = CHOOSE.render({"criterion": "none"}, item="sentence", instances=instances, wanted=1)
    assert [message.role for message in messages] == ["user"]
    listed = messages[0].content.split("two instances.\n\n")[1].split("\n")
    assert len(listed) == 3
    assert listed[0].startswith("[k7]")
    assert listed[1:] == ["#####", "[m2] plain"]


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
