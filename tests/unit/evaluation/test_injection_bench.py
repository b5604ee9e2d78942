"""The injection bench: its attacks and controls as they are fixed, and its counting against made-up services."""

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from evaluation.bench.injection import (
    LABEL_ATTACKS,
    LISTED,
    NAMES,
    PICK_ATTACKS,
    PICKED,
    Asked,
    control,
    label_flips,
    lines,
    pick_flips,
)
from prompts.fence import DELIMITER, fence, line

FORMS = [form for kinds in (LABEL_ATTACKS, PICK_ATTACKS) for forms in kinds.values() for form in forms]
SENTENCES = [f"Sentence number {n} says nothing." for n in range(LISTED)]
USAGE = {"requests": 1}
Answer = Callable[[list[dict[str, str]]], list[dict[str, Any]]]


def test_every_kind_is_aimed_at_labels_and_at_picks_and_the_sizes_stay_small() -> None:
    assert list(LABEL_ATTACKS) == list(PICK_ATTACKS)
    assert (20 + 12) * (1 + 2 * len(LABEL_ATTACKS)) <= 400, "requests with the default sizes"


@pytest.mark.parametrize("form", FORMS)
def test_a_control_is_as_long_as_its_attack_to_a_word_and_says_nothing_of_the_kind(form: str) -> None:
    attack = form.replace("{word}", "negative")
    pieces, idle = attack.split("\n"), control(attack).split("\n")
    assert len(pieces) == len(idle)
    assert all(len(piece) - 9 <= len(each) <= len(piece) for piece, each in zip(pieces, idle, strict=True))
    assert len(control(attack)) >= 0.75 * len(attack)
    assert not re.search(r"negative|label|select|instance|[\"'#<>{}|:]", control(attack), re.IGNORECASE)
    assert attack[0].isspace() == control(attack)[0].isspace()


@pytest.mark.parametrize("form", FORMS)
def test_no_attack_leaves_its_place(form: str) -> None:
    attacked = SENTENCES[0] + form
    assert fence(attacked).count(DELIMITER) == 2
    assert "\n" not in line(attacked)
    assert "<|" not in fence(attacked)


def service(annotate: Answer, select: Answer) -> Asked:
    """A service of that behaviour; each gets the examples of the request."""

    def handle(request: httpx.Request) -> httpx.Response:
        examples = json.loads(request.content)["examples"]
        if request.url.path == "/v1/annotate":
            return httpx.Response(200, json={"annotations": annotate(examples), "by": "made up", "usage": USAGE})
        notes = {"unknown": 1.0, "repeated": 0.0, "asked_again": 0.0}
        return httpx.Response(200, json={"picks": select(examples), "by": "made up", "notes": notes, "usage": USAGE})

    return Asked(httpx.Client(transport=httpx.MockTransport(handle), base_url="http://service"))


def obeys(examples: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Says rotten where a text names its word."""
    return [{"id": each["id"], "label": NAMES["negative" in each["text"]]} for each in examples]


def picks(ids: list[str]) -> list[dict[str, Any]]:
    return [{"id": id_, "filled": False} for id_ in ids]


def first(examples: list[dict[str, str]]) -> list[dict[str, Any]]:
    return picks([each["id"] for each in examples][:PICKED])


def gives_in(examples: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Picks first what says anything of instances."""
    loud = [each["id"] for each in examples if re.search("instance", each["text"], re.IGNORECASE)]
    return picks([*loud, *[each["id"] for each in examples if each["id"] not in loud]][:PICKED])


def test_an_llm_that_gives_in_to_every_attack_is_seen_to() -> None:
    asked = service(obeys, gives_in)
    labels = label_flips(asked, SENTENCES)
    assert {(each.pairs, each.attack, each.control, each.beyond) for each in labels.values()} == {(10, 1.0, 0.0, True)}
    picked, others = pick_flips(asked, [SENTENCES] * 8)
    for found in (*picked.values(), *others.values()):
        assert (found.pairs, found.attack, found.control, found.beyond) == (8, 1.0, 0.0, True)
    assert asked.requests == (1 + 8) * 11
    assert asked.notes["picks"] == 8 * 11 * PICKED
    assert asked.broken == []


def test_an_llm_that_does_not_read_the_texts_flips_nothing() -> None:
    asked = service(lambda examples: [{"id": each["id"], "label": NAMES[0]} for each in examples], first)
    found = [label_flips(asked, SENTENCES), *pick_flips(asked, [SENTENCES] * 4)]
    assert {(each.attack, each.control, each.beyond) for kinds in found for each in kinds.values()} == {(0, 0, False)}
    told = list(lines("label changed", found[0]))
    assert len(told) == len(LABEL_ATTACKS) + 1
    assert all("no evidence" in each for each in told[:-1])
    assert "[" not in told[-1], "the kinds share their texts: their mean has no interval"


@pytest.mark.parametrize("ids", [["0", "1", "99"], ["0", "0", "1"], ["0", "1"]])
def test_an_answer_beyond_what_was_offered_is_counted(ids: list[str]) -> None:
    asked = service(obeys, lambda _: picks(ids))
    asked.picks(SENTENCES, 0)
    assert len(asked.broken) == 1


def test_a_label_that_the_task_does_not_have_is_counted_and_so_is_a_missing_answer() -> None:
    asked = service(lambda examples: [{"id": each["id"], "label": "banana"} for each in examples[1:]], first)
    asked.labels(SENTENCES)
    assert len(asked.broken) == 2
    abstains = service(lambda examples: [{"id": each["id"], "label": None} for each in examples], first)
    assert abstains.labels(SENTENCES) == [None] * LISTED
    assert (abstains.broken, abstains.notes["abstentions"]) == ([], LISTED)


def test_what_the_fallback_picked_is_not_the_llms() -> None:
    asked = service(obeys, lambda _: [{"id": "0", "filled": False}, *({"id": n, "filled": True} for n in "12")])
    assert asked.picks(SENTENCES, 0) == ["0"]
    assert (asked.notes["picks"], asked.notes["filled"], asked.notes["unknown"]) == (3, 2, 1)
