"""Prompt files: what is checked when they are loaded, and what they render to."""

from pathlib import Path

import pytest

from prompts.errors import PromptError
from prompts.source import Folder
from prompts.template import catalogue, load

FRONT = """---
id: test/one
version: 1
source: none
reply: label
variables:
  text: the text
  word: a word
slots:
  tone: {meaning: how, fillings: [none, plain], default: none}
  placement: {meaning: where, fillings: [system, user], default: system}
---
"""
BODY = """--- instructions ---
Say {{ word | line }}.

{% include "tone" %}
End.
--- user ---
{{ text | fence }}
"""


def folder(root: Path, front: str = FRONT, body: str = BODY, plain: str = "---\nversion: 1\n---\nPlainly.\n") -> Folder:
    (root / "library/test").mkdir(parents=True)
    (root / "parts/tone").mkdir(parents=True)
    (root / "library/test/one.md").write_text(front + body, encoding="utf-8")
    (root / "parts/tone/none.md").write_text("---\nversion: 1\n---\n", encoding="utf-8")
    (root / "parts/tone/plain.md").write_text(plain, encoding="utf-8")
    return Folder(root)


def test_parts_are_put_in_and_the_empty_filling_leaves_no_gap(tmp_path: Path) -> None:
    prompt = load("test/one", folder(tmp_path))
    system, user = prompt.render({}, word="yes", text="a\nb")
    assert (system.role, system.content) == ("system", "Say yes.\n\nEnd.")
    assert (user.role, user.content) == ("user", '"""\na\nb\n"""')
    assert prompt.render({"tone": "plain"}, word="yes", text="a")[0].content == "Say yes.\n\nPlainly.\n\nEnd."


def test_placement_moves_the_instructions_into_the_user_message(tmp_path: Path) -> None:
    (user,) = load("test/one", folder(tmp_path)).render({"placement": "user"}, word="yes", text="a")
    assert (user.role, user.content) == ("user", 'Say yes.\n\nEnd.\n\n"""\na\n"""')


def test_missing_and_extra_variables_are_both_named(tmp_path: Path) -> None:
    prompt = load("test/one", folder(tmp_path))
    with pytest.raises(PromptError, match=r"missing text, word; extra colour, txt.*declares text, word"):
        prompt.render({}, txt="a", colour="b")


def test_a_declared_variable_of_another_filling_may_be_given_but_need_not(tmp_path: Path) -> None:
    front = FRONT.replace("  word: a word", "  word: a word\n  note: a note")
    prompt = load("test/one", folder(tmp_path, front, plain="---\nversion: 1\n---\n{{ note | line }}\n"))
    assert prompt.needs({}) == {"text", "word"}
    assert prompt.render({}, word="yes", text="a", note="n") == prompt.render({}, word="yes", text="a")
    with pytest.raises(PromptError, match="missing note"):
        prompt.render({"tone": "plain"}, word="yes", text="a")


@pytest.mark.parametrize(
    ("slots", "message"),
    [
        ({"tones": "plain"}, r"no slot 'tones'; did you mean 'tone'\? known: placement, tone"),
        ({"tone": "plane"}, r"does not allow 'plane'; did you mean 'plain'\? known: none, plain"),
        ({"placement": "assistant"}, "does not allow 'assistant'"),
    ],
)
def test_unknown_choices_are_refused_with_near_matches(tmp_path: Path, slots: dict[str, str], message: str) -> None:
    with pytest.raises(PromptError, match=message):
        load("test/one", folder(tmp_path)).render(slots, word="yes", text="a")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("  word: a word\n", "", r"uses word \(in body\) without declaring it"),
        ("  word: a word\n", "  word: a word\n  other: b\n", "declares other and does not use it"),
        ("id: test/one", "id: test/two", "the file `test/one` declares the id 'test/two'"),
        ("version: 1", "version: one", "`test/one`: version: "),
        ("version: 1", "version: 0", "`test/one`: version: "),
        ("source: none", "sauce: none", "`test/one`: (source|sauce): "),
        ("reply: label", "reply: poem", "`test/one`: reply: "),
        ("default: none", "default: loud", "slot `tone` of `test/one` has the default 'loud'"),
        ("[none, plain]", "[none, plain, loud]", r"there is no parts/tone/loud\.md"),
        (
            "  tone: {",
            "  extra: {meaning: a, fillings: [x], default: x}\n  tone: {",
            "declares the slot extra and does",
        ),
        ('{% include "tone" %}', '{% include "tune" %}', "includes tune but declares no such slot"),
        ("{{ word | line }}", "{{ word | line", "is not a Jinja template"),
        ("--- instructions ---\n", "", "does not start with a turn"),
        ("--- instructions ---\n", "--- system ---\n", "lacks an instructions block"),
        ("fillings: [system, user], default: system", "fillings: [top], default: top", "allow system and user only"),
        ("variables:\n", "variables: {a\n", "is not YAML"),
        ("---\nid", "id", "has no front matter"),
        ("End.", "End\x00.", "holds a NUL"),
    ],
)
def test_a_file_that_is_not_what_it_declares_is_not_loaded(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    whole = FRONT + BODY
    assert before in whole
    with pytest.raises(PromptError, match=message):
        load("test/one", folder(tmp_path, whole.replace(before, after, 1), ""))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{{ word }}", "without a fence"),
        ("{{ word ~ text }}", "without a fence"),
        ("{{ word.colour | line }}", "has no attribute 'colour'"),
        ("{{ word.__class__.__mro__ | line }}", "unsafe"),
        ("{{ word | length + 'a' }}", "wrong type"),
    ],
)
def test_a_template_cannot_write_raw_text_or_leave_the_sandbox(tmp_path: Path, written: str, message: str) -> None:
    prompt = load("test/one", folder(tmp_path, body=BODY.replace("{{ word | line }}", written)))
    with pytest.raises(PromptError, match=message):
        prompt.render({}, word="yes", text="a")


def test_turns_in_an_order_that_no_chat_has_are_refused(tmp_path: Path) -> None:
    prompt = load("test/one", folder(tmp_path, body=BODY + "--- user ---\nmore\n"))
    with pytest.raises(PromptError, match="renders to the turns system, user, user"):
        prompt.render({}, word="yes", text="a")


def test_the_fingerprint_changes_with_body_part_and_choice_only(tmp_path: Path) -> None:
    first = load("test/one", folder(tmp_path / "a"))
    other_part = load("test/one", folder(tmp_path / "b", plain="---\nversion: 2\n---\nLoudly.\n"))
    other_body = load("test/one", folder(tmp_path / "c", body=BODY.replace("End.", "The end.")))
    assert first.fingerprint({}) == first.fingerprint({"tone": "none", "placement": "system"})
    assert first.fingerprint({}) == other_part.fingerprint({})
    assert first.fingerprint({"tone": "plain"}) != other_part.fingerprint({"tone": "plain"})
    assert len({each.fingerprint({}) for each in (first, other_body)} | {first.fingerprint({"placement": "user"})}) == 3
    name, digest = first.fingerprint({}).split("#")
    assert name == "test/one@1"
    assert len(digest) == 12
    assert int(digest, 16) >= 0


def test_an_unknown_prompt_is_named_with_near_matches() -> None:
    with pytest.raises(PromptError, match=r"no prompt has the id 'annotate/lable'; did you mean 'annotate/label'"):
        load("annotate/lable")


def test_the_library_loads_whole() -> None:
    ids = [prompt.id for prompt in catalogue()]
    assert ids == sorted(ids)
    assert {"annotate/label", "generate/gap", "judge/label", "judge/quality", "select/choose"} <= set(ids)
