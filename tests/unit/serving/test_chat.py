"""The adapter on the real client library, over a transport that answers instead of the network."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from agent.errors import BadInput, EngineError
from agent.exchange import ChatFailure, ChatReply, ChatRequest
from prompts.messages import Message
from serving.llm.chat import LangChainChat
from serving.llm.meter import Cap, Meter, prompt_bound
from serving.llm.retry import Retry
from tests.support.fake_openai import FakeOpenAI

Body = dict[str, Any]


@dataclass(frozen=True)
class Honours:
    label_logprobs: bool = True
    logprob_token_ids: bool = True
    structured_outputs: bool = True
    tokenize: bool = True


VLLM = Honours()
PLAIN = Honours(logprob_token_ids=False, structured_outputs=False, tokenize=False)
URL = "http://127.0.0.1:9"


def ask(text: str = "hello", **fields: Any) -> ChatRequest:
    return ChatRequest(
        messages=(Message(role="system", content="be brief"), Message(role="user", content=text)), **fields
    )


class Wire(httpx.BaseTransport):
    """Keeps every chat body; answers from the fake server's rules unless `respond` does."""

    def __init__(self, respond: Callable[[Body, str], httpx.Response | Exception | None] = lambda _b, _h: None) -> None:
        self.fake = FakeOpenAI(answer=lambda body: body["messages"][-1]["content"])
        self.fake._server.server_close()
        self.respond = respond
        self.bodies: list[Body] = []
        self.headers: list[httpx.Headers] = []
        self.hosts: list[str] = []
        self.lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        with self.lock:
            if request.url.path == "/tokenize":
                return httpx.Response(200, json=self.fake.tokenize(body))
            self.bodies.append(body)
            self.headers.append(request.headers)
            self.hosts.append(request.url.host)
            answer = self.respond(body, request.url.host)
            if isinstance(answer, Exception):
                raise answer
            return answer or httpx.Response(200, json=self.fake.chat(body))


@pytest.fixture
def connect() -> Iterator[Callable[..., LangChainChat]]:
    made: list[LangChainChat] = []

    def build(wire: Wire, honours: Honours = VLLM, urls: tuple[str, ...] = (URL,), **options: Any) -> LangChainChat:
        options.setdefault("retry", Retry(pause=lambda _: None, chance=lambda: 0.0))
        made.append(LangChainChat(urls, "m", honours, transport=wire, **options))
        return made[-1]

    yield build
    for chat in made:
        chat.close()


Connect = Callable[..., LangChainChat]


def reply_of(outcome: ChatReply | ChatFailure) -> ChatReply:
    assert isinstance(outcome, ChatReply), outcome
    return outcome


def failure_of(outcome: ChatReply | ChatFailure) -> ChatFailure:
    assert isinstance(outcome, ChatFailure), outcome
    return outcome


def test_the_body_of_a_question(connect: Connect) -> None:
    wire = Wire()
    request = ask("hi", max_tokens=7, temperature=0.5, top_p=0.9, seed=3, stop=("\n",), pattern=r"\d+")
    connect(wire).complete([request])
    assert wire.bodies == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
            "max_tokens": 7,
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 3,
            "stop": ["\n"],
            "stream": False,
            "structured_outputs": {"regex": r"\d+"},
        }
    ]


def test_the_body_of_a_label_read(connect: Connect) -> None:
    wire = Wire()
    (outcome,) = connect(wire).complete([ask("good or bad?", read=("good", "bad"), max_tokens=99, temperature=1.0)])
    (body,) = wire.bodies
    wanted = body.pop("logprob_token_ids")
    del body["messages"]
    assert body == {
        "model": "m",
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": True,
        "return_tokens_as_token_ids": True,
        "stream": False,
    }
    assert len(wanted) == len(set(wanted)) == 12
    reading = reply_of(outcome).reading
    assert reading is not None
    assert sum(reading.probabilities.values()) == pytest.approx(1)
    assert set(reading.probabilities) == {"good", "bad"}
    assert reading.label_mass == pytest.approx(0.9)


def test_without_token_ids_a_label_read_asks_for_the_likeliest_tokens(connect: Connect) -> None:
    wire = Wire()
    (outcome,) = connect(wire, PLAIN).complete([ask("good or bad?", read=("good", "bad"))])
    (body,) = wire.bodies
    assert body["top_logprobs"] == 20
    assert "logprob_token_ids" not in body
    reading = reply_of(outcome).reading
    assert reading is not None
    assert 0 < reading.label_mass < 0.9


def test_a_server_without_log_probabilities_is_refused_before_anything_is_sent(connect: Connect) -> None:
    wire = Wire()
    chat = connect(wire, Honours(False, False, False, False))
    with pytest.raises(EngineError, match="gives no log-probabilities"):
        chat.complete([ask(), ask(read=("good", "bad"))])
    assert wire.bodies == []


@pytest.mark.parametrize("honours", [VLLM, PLAIN])
def test_words_that_begin_alike_are_refused(connect: Connect, honours: Honours) -> None:
    wire = Wire()
    with pytest.raises(BadInput, match="'no' and 'no way'"):
        connect(wire, honours).complete([ask(read=("no", "no way"))])
    assert wire.bodies == []


def test_a_pattern_is_sent_only_where_it_is_honoured(connect: Connect) -> None:
    wire = Wire()
    connect(wire, PLAIN).complete([ask(pattern="a+")])
    assert "structured_outputs" not in wire.bodies[0]


def test_fields_of_every_request_stay_beside_those_of_one(connect: Connect) -> None:
    wire = Wire()
    chat = connect(wire, extra_body={"repetition_penalty": 1.0})
    chat.complete([ask(pattern="a"), ask(read=("good", "bad"))])
    assert [body["repetition_penalty"] for body in wire.bodies] == [1.0, 1.0]
    by_kind = {body["max_tokens"]: body for body in wire.bodies}
    assert "structured_outputs" in by_kind[256]
    assert "logprob_token_ids" in by_kind[1]


def test_wire_settings_name_what_changes_an_answer(connect: Connect) -> None:
    vllm, plain = connect(Wire(), extra_body={"top_k": 1}), connect(Wire(), PLAIN)
    assert vllm.wire(ask()) == {"extra_body": {"top_k": 1}}
    assert plain.wire(ask()) == {}
    assert vllm.wire(ask(read=("a", "b")))["read"] == "token-ids"
    assert plain.wire(ask(read=("a", "b")))["read"] == "top-20"
    assert plain.wire(ask(pattern="x")) == {"pattern": False}


def test_what_an_answer_cost(connect: Connect) -> None:
    ticks = iter(range(100))
    chat = connect(Wire(), clock=lambda: float(next(ticks)))
    reply = reply_of(chat.complete([ask("one two three")])[0])
    assert reply.text == "one two three"
    assert reply.finish == "stop"
    assert (reply.cost.calls, reply.cost.tokens_out, reply.cost.seconds) == (1, 3, 1.0)
    assert reply.cost.cached_tokens == reply.cost.tokens_in // 2 > 0
    assert chat.meter.spent().paid == reply.cost


def test_a_cut_answer_is_an_answer(connect: Connect) -> None:
    reply = reply_of(connect(Wire()).complete([ask("one two three", max_tokens=2)])[0])
    assert (reply.text, reply.finish) == ("one two", "length")


def test_a_server_that_does_not_count_is_charged_the_upper_bound(connect: Connect) -> None:
    wire = Wire()
    wire.fake.usage = False
    chat = connect(wire)
    reply = reply_of(chat.complete([ask("one")])[0])
    assert reply.cost.tokens_in == prompt_bound(ask("one"))
    assert reply.cost.tokens_out == 3
    assert chat.meter.spent().unmetered == 1


def test_order_is_kept_and_failures_touch_nobody_else(connect: Connect) -> None:
    def respond(body: Body, _host: str) -> httpx.Response | None:
        bad = body["messages"][-1]["content"].startswith("bad")
        return httpx.Response(400, json={"error": {"message": "too bad"}}) if bad else None

    outcomes = connect(Wire(respond)).complete([ask(f"{'bad' if n % 3 == 0 else 'ok'} {n}") for n in range(30)])
    for n, outcome in enumerate(outcomes):
        if n % 3 == 0:
            assert failure_of(outcome).kind == "refused"
            assert "too bad" in failure_of(outcome).message
        else:
            assert reply_of(outcome).text == f"ok {n}"


@pytest.mark.parametrize(
    ("answer", "kind", "attempts"),
    [
        (httpx.Response(500, text="oops"), "server", 4),
        (httpx.Response(503, json={"error": "full"}), "busy", 7),
        (httpx.Response(429, json={}), "busy", 7),
        (httpx.Response(401, json={"error": {"message": "who?"}}), "refused", 1),
        (httpx.Response(404, json={"error": {"message": "what?"}}), "refused", 1),
        (httpx.ConnectError("nobody"), "connection", 5),
        (httpx.RemoteProtocolError("hung up"), "connection", 5),
        (httpx.ConnectTimeout("slow"), "connection", 5),
        (httpx.ReadTimeout("slow"), "timeout", 3),
        (
            httpx.Response(200, text="<html>a proxy speaks</html>", headers={"content-type": "text/html"}),
            "malformed",
            5,
        ),
        (httpx.Response(200, content=b'{"choices": [', headers={"content-type": "application/json"}), "malformed", 5),
        (httpx.Response(200, json={}), "malformed", 5),
        (httpx.Response(200, json=[]), "malformed", 5),
        (httpx.Response(200, json={"choices": None}), "malformed", 5),
        (httpx.Response(200, json={"choices": []}), "malformed", 5),
        (httpx.Response(200, json={"choices": [{}]}), "malformed", 5),
        (httpx.Response(200, json={"choices": [{"message": None}]}), "malformed", 5),
        (httpx.Response(200, json={"choices": [{"message": {"role": "assistant", "content": 3}}]}), "malformed", 5),
        (httpx.Response(200, json={"error": {"message": "inside"}}), "malformed", 5),
        (httpx.Response(200, json={"choices": [{"message": {"role": "assistant", "content": " \n"}}]}), "malformed", 5),
        (
            httpx.Response(
                200,
                json={
                    "choices": [
                        {"message": {"role": "assistant", "content": ""}, "finish_reason": "content_filter"},
                    ]
                },
            ),
            "refused",
            1,
        ),
    ],
)
def test_every_way_to_fail_is_one_failure(
    connect: Connect, answer: httpx.Response | Exception, kind: str, attempts: int
) -> None:
    def respond(_body: Body, _host: str) -> httpx.Response | Exception:
        if isinstance(answer, Exception):
            return answer
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    wire = Wire(respond)
    chat = connect(wire)
    failure = failure_of(chat.complete([ask()])[0])
    assert (failure.kind, failure.attempts) == (kind, attempts)
    assert len(wire.bodies) == attempts
    spent = chat.meter.spent()
    assert (spent.requests, spent.retries, spent.failures) == (attempts, attempts - 1, {kind: attempts})


def test_an_answer_without_log_probabilities_is_malformed(connect: Connect) -> None:
    answer = {"choices": [{"message": {"role": "assistant", "content": "good"}, "finish_reason": "length"}]}
    usage = {"prompt_tokens": 7, "completion_tokens": 1}
    chat = connect(Wire(lambda _b, _h: httpx.Response(200, json={**answer, "usage": usage})))
    assert failure_of(chat.complete([ask(read=("good", "bad"))])[0]).kind == "malformed"
    paid = chat.meter.spent().paid
    assert (paid.calls, paid.tokens_in, paid.tokens_out) == (5, 35, 5)


def test_what_cannot_be_written_down_is_replaced(connect: Connect) -> None:
    answer = {"choices": [{"message": {"role": "assistant", "content": "a\ud83d"}, "finish_reason": "stop"}]}
    body = json.dumps(answer).encode()
    wire = Wire(lambda _b, _h: httpx.Response(200, content=body, headers={"content-type": "application/json"}))
    assert reply_of(connect(wire).complete([ask()])[0]).text == "a?"


def test_an_unreachable_replica_is_left_for_another_at_once(connect: Connect) -> None:
    pauses: list[float] = []

    def respond(_body: Body, host: str) -> Exception | None:
        return httpx.ConnectError("down") if host == "one" else None

    wire = Wire(respond)
    chat = connect(wire, urls=("http://one/v1", "http://two"), retry=Retry(pause=pauses.append), concurrency=1)
    assert all(isinstance(outcome, ChatReply) for outcome in chat.complete([ask(str(n)) for n in range(10)]))
    assert wire.hosts == ["one", *["two"] * 10]
    assert pauses == []
    assert chat.meter.spent().failures == {"connection": 1}


def test_replicas_share_the_work(connect: Connect) -> None:
    wire = Wire()
    connect(wire, urls=("http://one", "http://two"), concurrency=1).complete([ask(str(n)) for n in range(10)])
    assert sorted(wire.hosts) == ["one"] * 5 + ["two"] * 5


def test_all_replicas_unreachable_is_one_failure(connect: Connect) -> None:
    chat = connect(Wire(lambda _b, _h: httpx.ConnectError("down")), urls=("http://one", "http://two"))
    assert failure_of(chat.complete([ask()])[0]).kind == "connection"
    assert chat.meter.spent().requests == 10


def test_a_server_that_stopped_answering_is_not_waited_for_again_and_again(connect: Connect) -> None:
    pauses: list[float] = []
    wire = Wire(lambda _b, _h: httpx.ConnectError("down"))
    chat = connect(wire, retry=Retry(pause=pauses.append), concurrency=1)
    outcomes = chat.complete([ask(str(n)) for n in range(50)])
    assert {failure_of(outcome).kind for outcome in outcomes} == {"connection"}
    assert len(pauses) == 4
    assert len(wire.bodies) == 5
    assert "not sent" in failure_of(outcomes[-1]).message


def test_a_slow_question_does_not_stop_the_others(connect: Connect) -> None:
    def respond(body: Body, _host: str) -> Exception | None:
        return httpx.ReadTimeout("slow") if body["messages"][-1]["content"] == "slow" else None

    outcomes = connect(Wire(respond), concurrency=2).complete([ask("a"), ask("slow"), *(ask(str(n)) for n in range(9))])
    assert failure_of(outcomes[1]).kind == "timeout"
    assert sum(isinstance(outcome, ChatReply) for outcome in outcomes) >= 1


def test_past_the_cap_nothing_is_sent(connect: Connect) -> None:
    wire = Wire()
    chat = connect(wire, meter=Meter(Cap(requests=3)), concurrency=4)
    outcomes = chat.complete([ask(str(n)) for n in range(10)])
    refused = [outcome for outcome in outcomes if isinstance(outcome, ChatFailure)]
    assert len(wire.bodies) == 3
    assert len(refused) == 7
    assert all(failure.kind == "capped" and "cap of 3 requests" in failure.message for failure in refused)


def test_no_more_than_the_bound_is_under_way_over_all_threads() -> None:
    with FakeOpenAI(latency=0.02) as server, LangChainChat([server.url], "m", VLLM, concurrency=3) as chat:
        batches = [
            threading.Thread(target=chat.complete, args=([ask(f"{b} {n}") for n in range(6)],)) for b in range(3)
        ]
        for batch in batches:
            batch.start()
        for batch in batches:
            batch.join()
    assert len(server.bodies) == 18
    assert server.most_under_way == 3


def test_the_key_goes_to_the_server_and_nowhere_else(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire(lambda _b, _h: httpx.Response(401, json={"error": {"message": "no"}}))
    chat = connect(wire, api_key=SecretStr("sesame"))
    failure = failure_of(chat.complete([ask()])[0])
    assert wire.headers[0]["authorization"] == "Bearer sesame"
    assert "sesame" not in failure.message + caplog.text + repr(chat.__dict__)


def test_nothing_is_reported_to_a_tracing_service(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    from langsmith import utils

    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    utils.get_env_var.cache_clear()
    seen: list[object] = []
    connect(Wire(lambda _b, _h: seen.append(utils.tracing_is_enabled()))).complete([ask()])
    assert utils.tracing_is_enabled() is True
    assert seen == [False]
    utils.get_env_var.cache_clear()


def test_the_environment_of_another_client_changes_nothing(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL", "OPENAI_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://elsewhere:1")
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    wire = Wire()
    connect(wire).complete([ask()])
    assert wire.hosts == ["127.0.0.1"]
    assert wire.headers[0]["authorization"] == "Bearer none"


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host/v1", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="no address"):
        LangChainChat([url], "m", VLLM)


def test_no_address_is_refused() -> None:
    with pytest.raises(BadInput, match="no address"):
        LangChainChat([], "m", VLLM)
