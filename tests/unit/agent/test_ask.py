"""A refused reply is asked for again in a declared way; what came of it is typed, with the cost of all attempts."""

import pytest

from agent.ask import Answer, ask, ask_all, warmer
from agent.exchange import ChatFailure, ChatReply, ChatRequest, Cost
from agent.scripted import ScriptedChat
from prompts.messages import Message
from prompts.replies import Refusal


def question(text: str = "how many?", **fields: object) -> ChatRequest:
    return ChatRequest.model_validate({"messages": (Message(role="user", content=text),), **fields})


def number(text: str) -> int | Refusal:
    return int(text) if text.isdecimal() else Refusal(reason=f"{text!r} is no number", raw=text)


def test_a_good_reply_is_asked_for_once() -> None:
    chat = ScriptedChat(["7"])
    answer = ask(chat, question(), number)
    assert (answer.value, answer.refusal, answer.reason, len(answer.replies)) == (7, None, "", 1)


def test_zero_is_an_answer() -> None:
    assert ask(ScriptedChat(["0"]), question(), number).value == 0


def test_a_bad_reply_is_asked_for_again_and_all_attempts_are_paid() -> None:
    chat = ScriptedChat(["seven", "7"])
    answer = ask(chat, question(), number)
    assert answer.value == 7
    assert answer.refusal is None
    assert answer.cost == Cost(calls=2, tokens_in=6, tokens_out=3)


def test_after_the_last_attempt_the_refusal_stands() -> None:
    chat = ScriptedChat(["one", "two", "three", "4"])
    answer = ask(chat, question(), number, again=2)
    assert answer.value is None
    assert answer.reason == "'three' is no number"
    assert [reply.text for reply in answer.replies if isinstance(reply, ChatReply)] == ["one", "two", "three"]


def test_a_cut_reply_says_so() -> None:
    chat = ScriptedChat([ChatReply(text="sev", finish="length")])
    assert "cut off" in ask(chat, question(), number, again=0).reason


def test_a_failure_is_final() -> None:
    chat = ScriptedChat(["seven", ChatFailure(kind="timeout", message="too slow", attempts=2), "7"])
    answer = ask(chat, question(), number)
    assert answer.value is None
    assert answer.reason == "no reply (timeout): too slow"
    assert answer.cost.calls == 1
    assert answer.refusal is not None


def test_asking_again_is_warmer_and_another_repetition() -> None:
    chat = ScriptedChat(["x", "x", "x"])
    ask(chat, question(seed=5, repeat=1), number)
    assert [(r.temperature, r.repeat, r.seed) for r in chat.requests] == [(0.0, 1, 5), (0.4, 1001, 6), (0.8, 2001, 7)]
    assert warmer(question(temperature=1.0), 1).temperature == 1.0
    assert warmer(question(), 1).seed is None


def test_another_way_of_asking_again_can_be_given() -> None:
    chat = ScriptedChat(["x", "7"])
    ask(chat, question(), number, vary=lambda request, n: request.model_copy(update={"max_tokens": 10 * n}))
    assert [request.max_tokens for request in chat.requests] == [256, 10]


def test_only_the_refused_are_asked_again_in_one_batch_a_round() -> None:
    class Batches(ScriptedChat):
        sizes: tuple[int, ...] = ()

        def complete(self, requests: object) -> list[ChatReply | ChatFailure]:
            assert isinstance(requests, list)
            self.sizes = (*self.sizes, len(requests))
            return super().complete(requests)

    chat = Batches(lambda r: r.messages[0].content if r.repeat or r.messages[0].content != "2" else "two")
    answers = ask_all(chat, [question("1"), question("2"), question("3"), question("x")], number)
    assert [answer.value for answer in answers] == [1, 2, 3, None]
    assert chat.sizes == (4, 2, 1)


def test_each_request_may_have_its_own_parser() -> None:
    def word(text: str) -> str:
        return text

    answers: list[Answer[int | str]] = ask_all(ScriptedChat(["1", "1"]), [question(), question()], [number, word])
    assert [answer.value for answer in answers] == [1, "1"]
    with pytest.raises(ValueError, match="1 parsers for 2 requests"):
        ask_all(ScriptedChat([]), [question(), question()], [number])


def test_a_refused_label_read_is_not_repeated() -> None:
    chat = ScriptedChat([{"good": 0.5, "bad": 0.1}])
    assert ask(chat, question(read=("good", "bad")), number).value is None
    assert len(chat.requests) == 1


def test_nothing_to_ask_sends_nothing() -> None:
    assert ask_all(ScriptedChat([]), [], number) == []
