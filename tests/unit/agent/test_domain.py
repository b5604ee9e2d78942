"""The nouns: what they refuse, and that they are values."""

import pytest
from pydantic import ValidationError

from agent.domain import Annotation, Batch, Candidate, ClassAnswer, Cost, Example, LabelCard, Pick, Task


def cards(*names: str) -> tuple[LabelCard, ...]:
    return tuple(LabelCard(name=name) for name in names)


def test_a_task_needs_two_labels_with_names_and_words_of_their_own() -> None:
    with pytest.raises(ValidationError, match="at least two labels, found 1"):
        Task(name="t", labels=cards("only"))
    with pytest.raises(ValidationError, match="same name 'a'"):
        Task(name="t", labels=cards("a", "a"))
    with pytest.raises(ValidationError, match="same word 'yes'"):
        Task(name="t", labels=(LabelCard(name="a", word="yes"), LabelCard(name="b", word="Yes")))


def test_the_word_of_a_label_is_its_name_where_none_is_given() -> None:
    task = Task(name="t", labels=(LabelCard(name="a"), LabelCard(name="b", word="bee")))
    assert (task.names, task.words) == (("a", "b"), ("a", "bee"))


def test_undeclared_fields_are_refused_and_values_stay() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        LabelCard.model_validate({"name": "a", "colour": "red"})
    example = Example(id="x", text="t")
    with pytest.raises(ValidationError, match="frozen"):
        example.text = "u"


def test_confidence_is_a_share() -> None:
    fields = {"id": "a", "example": "x", "answer": ClassAnswer(label=None), "by": "llm:m", "provenance": "machine"}
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValidationError, match="confidence"):
            Annotation.model_validate({**fields, "confidence": wrong})
    assert Annotation.model_validate(fields).confidence is None


def test_costs_add_field_by_field() -> None:
    a, b = Cost(human_labels=1, calls=2, seconds=0.5), Cost(calls=3, tokens_in=7, money=0.25)
    assert a + b == Cost(human_labels=1, calls=5, seconds=0.5, tokens_in=7, money=0.25)
    assert a + Cost() == a


def test_a_batch_knows_its_generated_examples_and_survives_json() -> None:
    old, new = Example(id="a", text="1"), Example(id="b", text="2", origin="generated", parents=("a",))
    batch = Batch(
        picks=(Pick(example=old, score=0.5), Pick(example=new)),
        by="test",
        candidates=(Candidate(example=new, label="yes"),),
    )
    assert batch.generated == (new,)
    assert batch.examples == (old, new)
    assert Batch.model_validate_json(batch.model_dump_json()) == batch
