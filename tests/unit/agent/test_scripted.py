"""The scripted model answers what it was given, keeps what it was asked, and says where the script does not fit."""

import pytest

from agent.errors import BadInput
from agent.exchange import ChatFailure, ChatReply, ChatRequest, Cost
from agent.protocols import ChatModel
from agent.scripted import ScriptedChat
from prompts.messages import Message


def question(text: str = "hello there", **fields: object) -> ChatRequest:
    return ChatRequest.model_validate({"messages": (Message(role="user", content=text),), **fields})


def test_it_is_a_chat_model() -> None:
    chat: ChatModel = ScriptedChat([])
    assert chat.name == "scripted"
    assert chat.complete([]) == []


def test_a_queue_is_used_up_in_order_and_requests_are_kept() -> None:
    down = ChatFailure(kind="server", message="down")
    chat = ScriptedChat(["one", down, ChatReply(text="two", finish="length")])
    outcomes = chat.complete([question("a"), question("b")]) + chat.complete([question("c")])
    assert outcomes[1:] == [down, ChatReply(text="two", finish="length")]
    assert outcomes[0] == ChatReply(text="one", cost=Cost(calls=1, tokens_in=1, tokens_out=1))
    assert [request.messages[0].content for request in chat.requests] == ["a", "b", "c"]
    with pytest.raises(BadInput, match="no answer to 'd'"):
        chat.complete([question("d")])


def test_a_function_answers_by_the_request() -> None:
    chat = ScriptedChat(lambda request: request.messages[-1].content.upper())
    (reply,) = chat.complete([question()])
    assert isinstance(reply, ChatReply)
    assert (reply.text, reply.cost) == ("HELLO THERE", Cost(calls=1, tokens_in=3, tokens_out=3))


def test_a_label_read() -> None:
    (reply,) = ScriptedChat([{"good": 0.2, "bad": 0.6}]).complete([question(read=("good", "bad"))])
    assert isinstance(reply, ChatReply)
    assert reply.reading is not None
    assert reply.reading.probabilities == pytest.approx({"good": 0.25, "bad": 0.75})
    assert reply.reading.label_mass == pytest.approx(0.8)
    assert (reply.text, reply.finish) == ("bad", "length")


@pytest.mark.parametrize(
    "answer",
    [
        "good",
        {"good": 0.5},
        {"good": 0.5, "bad": 0.1, "ugly": 0.1},
        {"good": 0.0, "bad": 0.0},
        {"good": 0.7, "bad": 0.7},
        {"good": -0.1, "bad": 0.7},
    ],
)
def test_an_answer_that_does_not_fit_a_label_read_is_refused(answer: str | dict[str, float]) -> None:
    with pytest.raises(BadInput, match="label read of good, bad"):
        ScriptedChat([answer]).complete([question(read=("good", "bad"))])


def test_probabilities_for_a_question_that_wants_a_text_are_refused() -> None:
    with pytest.raises(BadInput, match="label read of nothing"):
        ScriptedChat([{"good": 0.5}]).complete([question()])
