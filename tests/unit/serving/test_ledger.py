"""Nothing is asked twice: not in a batch, not by two threads, not by two processes, not after a kill."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import Engine, select, update

from agent.errors import StoreError
from agent.exchange import ChatFailure, ChatReply, ChatRequest, Cost
from agent.scripted import ScriptedChat
from prompts.messages import Message
from serving.database import open_database, reading, writing
from serving.llm.ledger import Claim, Ledger, LedgeredChat, Served, calls, key_of
from serving.llm.meter import Meter
from serving.system.owner import Owner, new_owner

WEIGHTS = Served(model="m", weights="ab12", dtype="float32")


def ask(text: str = "hello", **fields: Any) -> ChatRequest:
    return ChatRequest(messages=(Message(role="user", content=text),), **fields)


def reply_of(outcome: ChatReply | ChatFailure) -> ChatReply:
    assert isinstance(outcome, ChatReply), outcome
    return outcome


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = open_database(database)
    yield engine
    engine.dispose()


class Slow:
    """Echoes, and counts how often each text was asked; waits until it is let go."""

    name = "slow"

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()
        self.lock = threading.Lock()

    def complete(self, requests: Any) -> list[ChatReply | ChatFailure]:
        with self.lock:
            self.asked.update(request.messages[-1].content for request in requests)
        self.entered.release()
        assert self.go.wait(20)
        return [ChatReply(text=request.messages[-1].content, cost=Cost(calls=1, tokens_in=5)) for request in requests]


# --- the key


def test_the_key_is_stable() -> None:
    """If this changes, everything that users have paid for is asked again: change `_KEY_VERSION` knowingly."""
    key = key_of(ask("grüße", read=("a", "b")), WEIGHTS, {"read": "token-ids"})
    assert key == "dfb424c7861f924fed6d53a8238b65948e362977fa3f55e4ded251954c4cd2a4"


BASE = ask("hello")


@pytest.mark.parametrize(
    "other",
    [
        ask("hello "),
        ask("hello", max_tokens=255),
        ask("hello", temperature=0.1),
        ask("hello", top_p=0.9),
        ask("hello", seed=0),
        ask("hello", stop=("x",)),
        ask("hello", read=("a",)),
        ask("hello", pattern="a"),
        ask("hello", repeat=1),
        ChatRequest(messages=(Message(role="system", content="hello"),)),
        ChatRequest(messages=(*BASE.messages, *BASE.messages)),
    ],
)
def test_every_field_of_a_request_is_in_the_key(other: ChatRequest) -> None:
    assert key_of(BASE, WEIGHTS, {}) != key_of(other, WEIGHTS, {})


def test_every_field_of_a_request_is_tried_above() -> None:
    assert set(ChatRequest.model_fields) == {
        "messages", "max_tokens", "temperature", "top_p", "seed", "stop", "read", "pattern", "repeat",
    }  # fmt: skip


def test_weights_dtype_and_wire_settings_are_in_the_key() -> None:
    keys = {
        key_of(BASE, WEIGHTS, {}),
        key_of(BASE, WEIGHTS, {"pattern": True}),
        key_of(BASE, Served(model="m", weights="cd34", dtype="float32"), {}),
        key_of(BASE, Served(model="m", weights="ab12", dtype="bfloat16"), {}),
        key_of(BASE, Served(model="m", server="http://a"), {}),
        key_of(BASE, Served(model="m", server="http://b"), {}),
        key_of(BASE, Served(model="n", server="http://a"), {}),
    }
    assert len(keys) == 7


def test_known_weights_are_the_same_wherever_and_under_whatever_name_they_run() -> None:
    elsewhere = Served(model="other", weights="ab12", dtype="float32", server="http://b")
    assert key_of(BASE, WEIGHTS, {}) == key_of(BASE, elsewhere, {})


def test_a_model_that_nothing_identifies_is_refused() -> None:
    with pytest.raises(ValidationError, match="hash of the weights or the address"):
        Served(model="m")


@settings(max_examples=50)
@given(st.text(), st.text())
def test_different_texts_have_different_keys(a: str, b: str) -> None:
    assert (key_of(ask(a), WEIGHTS, {}) == key_of(ask(b), WEIGHTS, {})) == (a == b)


# --- asking through the ledger


def test_a_second_time_nothing_is_sent_and_the_answer_is_whole(engine: Engine) -> None:
    first = ScriptedChat([{"good": 0.6, "bad": 0.2}])
    meter = Meter()
    (paid,) = LedgeredChat(first, Ledger(engine), WEIGHTS, meter=meter).complete([ask(read=("good", "bad"))])
    again = LedgeredChat(ScriptedChat([]), Ledger(engine), WEIGHTS, meter=meter)
    (recorded,) = again.complete([ask(read=("good", "bad"))])
    assert recorded == reply_of(paid).model_copy(update={"recorded": True})
    reading = reply_of(recorded).reading
    assert reading is not None
    assert reading.probabilities == pytest.approx({"good": 0.75, "bad": 0.25})
    assert reading.label_mass == pytest.approx(0.8)
    assert (meter.spent().hits, meter.spent().saved) == (1, reply_of(paid).cost)
    assert Ledger(engine).totals() == reply_of(paid).cost


def test_equal_questions_of_a_batch_are_asked_once(engine: Engine) -> None:
    chat = ScriptedChat(lambda request: request.messages[-1].content)
    ledgered = LedgeredChat(chat, Ledger(engine), WEIGHTS)
    outcomes = ledgered.complete([ask("a"), ask("b"), ask("a"), ask("a", repeat=1)])
    assert [reply_of(outcome).text for outcome in outcomes] == ["a", "b", "a", "a"]
    assert [reply_of(outcome).recorded for outcome in outcomes] == [False, False, True, False]
    assert len(chat.requests) == 3
    assert ledgered.meter.spent().hits == 1


def test_failures_are_not_kept_and_touch_nobody_else(engine: Engine) -> None:
    down = ChatFailure(kind="connection", message="down")
    chat = ScriptedChat(lambda request: down if request.messages[-1].content == "bad" else "fine")
    ledgered = LedgeredChat(chat, Ledger(engine), WEIGHTS)
    assert [type(outcome) for outcome in ledgered.complete([ask("ok"), ask("bad"), ask("bad")])] == [
        ChatReply, ChatFailure, ChatFailure,
    ]  # fmt: skip
    down = "back again"
    outcomes = ledgered.complete([ask("ok"), ask("bad")])
    assert [reply_of(outcome).recorded for outcome in outcomes] == [True, False]
    assert len(chat.requests) == 3


def test_what_the_chat_model_raises_is_raised_and_the_claim_given_back(engine: Engine) -> None:
    def fail(_request: ChatRequest) -> str:
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        LedgeredChat(ScriptedChat(fail), Ledger(engine), WEIGHTS).complete([ask("a"), ask("b")])
    (outcome,) = LedgeredChat(ScriptedChat(["fine"]), Ledger(engine), WEIGHTS).complete([ask("a")])
    assert reply_of(outcome).text == "fine"


def test_an_empty_batch(engine: Engine) -> None:
    assert LedgeredChat(ScriptedChat([]), Ledger(engine), WEIGHTS).complete([]) == []


def test_large_batches_are_looked_up_in_pieces_and_progress_is_told(engine: Engine) -> None:
    told: list[tuple[int, int]] = []
    chat = ScriptedChat(lambda request: request.messages[-1].content)
    ledgered = LedgeredChat(chat, Ledger(engine), WEIGHTS, progress=lambda done, total: told.append((done, total)))
    requests = [ask(str(n)) for n in range(1200)]
    ledgered.complete(requests)
    assert sorted(told) == [(n + 1, 1200) for n in range(1200)]
    outcomes = ledgered.complete(requests)
    assert [reply_of(outcome).text for outcome in outcomes] == [str(n) for n in range(1200)]
    assert all(reply_of(outcome).recorded for outcome in outcomes)
    assert len(chat.requests) == 1200


def test_threads_with_equal_questions_share_one_answer(engine: Engine) -> None:
    slow = Slow()
    results: list[ChatReply] = []

    def work() -> None:
        chat = LedgeredChat(slow, Ledger(engine), WEIGHTS, pause=lambda _: time.sleep(0.005))
        results.extend(reply_of(outcome) for outcome in chat.complete([ask("a"), ask("b")]))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert slow.entered.acquire(timeout=20)
    slow.go.set()
    for thread in threads:
        thread.join(20)
    assert slow.asked == {"a": 1, "b": 1}
    assert Counter((reply.text, reply.recorded) for reply in results) == {
        ("a", False): 1, ("b", False): 1, ("a", True): 5, ("b", True): 5,
    }  # fmt: skip


def test_each_answer_is_written_as_it_comes(engine: Engine) -> None:
    """Of a batch of four, two at a time, the first two are on disk before the others are answered."""
    slow = Slow()
    ledger = Ledger(engine)
    chat = LedgeredChat(slow, ledger, WEIGHTS, width=2)
    thread = threading.Thread(target=chat.complete, args=([ask(str(n)) for n in range(4)],))
    thread.start()
    for _ in range(2):
        assert slow.entered.acquire(timeout=20)
    assert ledger.totals().calls == 0
    slow.go.set()
    thread.join(20)
    assert ledger.totals().calls == 4


# --- claims


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def foreign(**changes: Any) -> Owner:
    """An owner on another machine: nobody here can tell whether it lives."""
    return Owner(**{"place": "elsewhere", "pid": 7, "started": "1", "token": "t", **changes})


def test_a_claim_holds_until_it_expires(engine: Engine) -> None:
    clock = Clock()
    ledger = Ledger(engine, lease=60, clock=clock)
    assert ledger.claim("k", foreign(), ask(), "m") is Claim.OURS
    assert ledger.claim("k", new_owner(), ask(), "m") is Claim.THEIRS
    clock.now += 61
    mine = new_owner()
    assert ledger.claim("k", mine, ask(), "m") is Claim.OURS
    assert ledger.claim("k", foreign(), ask(), "m") is Claim.THEIRS
    ledger.release("k", foreign())
    assert ledger.claim("k", foreign(), ask(), "m") is Claim.THEIRS
    ledger.release("k", mine)
    assert ledger.claim("k", foreign(), ask(), "m") is Claim.OURS


def test_an_answer_that_came_late_does_not_replace_the_first(engine: Engine) -> None:
    ledger = Ledger(engine)
    ledger.claim("k", foreign(), ask(), "m")
    assert ledger.record("k", ChatReply(text="first")).text == "first"
    late = ledger.record("k", ChatReply(text="late"))
    assert (late.text, late.recorded) == ("first", True)
    claimed = ledger.claim("k", new_owner(), ask(), "m")
    assert isinstance(claimed, ChatReply)
    assert claimed.text == "first"


def test_an_answer_without_a_claim_is_refused(engine: Engine) -> None:
    with pytest.raises(StoreError, match="no claim for question k"):
        Ledger(engine).record("k", ChatReply(text="x"))


def test_a_claim_of_another_is_waited_for_and_its_answer_used(engine: Engine) -> None:
    ledger = Ledger(engine)
    chat = ScriptedChat([])
    waits: list[float] = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 8:
            ledger.record(ledgered.key(ask()), ChatReply(text="theirs"))

    ledgered = LedgeredChat(chat, ledger, WEIGHTS, pause=pause)
    ledger.claim(ledgered.key(ask()), foreign(), ask(), "m")
    assert reply_of(ledgered.complete([ask()])[0]).text == "theirs"
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_where_the_other_fails_the_question_is_asked_here(engine: Engine) -> None:
    ledger = Ledger(engine)
    ledgered = LedgeredChat(
        ScriptedChat(["ours"]), ledger, WEIGHTS, pause=lambda _: ledger.release(ledgered.key(ask()), foreign())
    )
    ledger.claim(ledgered.key(ask()), foreign(), ask(), "m")
    assert reply_of(ledgered.complete([ask()])[0]).text == "ours"


def test_the_claim_of_a_dead_process_is_taken_over_at_once(engine: Engine) -> None:
    ledger = Ledger(engine)
    here = new_owner()
    recycled = Owner(here.place, here.pid, "17", "t")
    ledger.claim("k", recycled, ask(), "m")
    assert ledger.claim("k", here, ask(), "m") is Claim.OURS


def test_an_unreadable_record_is_named(engine: Engine) -> None:
    chat = LedgeredChat(ScriptedChat(["x"]), Ledger(engine), WEIGHTS)
    chat.complete([ask()])
    with writing(engine) as connection:
        connection.execute(update(calls).values(reply='{"half": '))
    with pytest.raises(StoreError, match="cannot be read"):
        chat.complete([ask()])


def test_the_record_holds_the_whole_exchange(engine: Engine) -> None:
    chat = LedgeredChat(ScriptedChat(["the answer"]), Ledger(engine), WEIGHTS)
    chat.complete([ask("the question")])
    with reading(engine) as connection:
        row = connection.execute(select(calls)).one()
    assert ChatRequest.model_validate_json(row.request) == ask("the question")
    assert ChatReply.model_validate_json(row.reply).text == "the answer"
    assert (row.model, row.calls, row.tokens_in, row.tokens_out) == ("m", 1, 3, 3)
