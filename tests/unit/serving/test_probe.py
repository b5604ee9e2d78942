import json
import math
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from agent.errors import EngineError
from serving.llm.probe import Honours, demand_reads, probe

URL = "http://llm.test/v1"
Body = dict[str, Any]


def tops(tokens: dict[str, float]) -> Body:
    """The log-probabilities of one answered token."""
    listed = [{"token": token, "logprob": value} for token, value in tokens.items()]
    return {"content": [{"token": "x", "logprob": -0.1, "top_logprobs": listed}]}


class Server:
    """A server of which each ability can be taken away, or made to fail as one was seen to fail."""

    def __init__(self, **lacks: Any) -> None:
        self.lacks = lacks
        self.seen: list[Body] = []
        self.prompts: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/v1/models":
            names = self.lacks.get("models", ["tiny@1"])
            return httpx.Response(200, json={"data": [{"id": name, "max_model_len": 512} for name in names]})
        body = json.loads(request.content)
        if path == "/tokenize":
            tokens = {"yes": [7], "no": [8]}[body["prompt"]]
            return httpx.Response(404) if "tokenize" in self.lacks else httpx.Response(200, json={"tokens": tokens})
        return self.chat(body)

    def chat(self, body: Body) -> httpx.Response:
        self.seen.append(body)
        if "status" in self.lacks:
            return httpx.Response(self.lacks["status"])
        text = "QZ123X" if "structured_outputs" in body and "structured" not in self.lacks else "Yes"
        prompt = body["messages"][0]["content"]
        cached = 128 if prompt in self.prompts and "cache" not in self.lacks else 0
        self.prompts.append(prompt)
        usage = {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": cached}}
        choice = {"message": {"content": text}, "logprobs": self.logprobs(body)}
        return httpx.Response(200, json={"choices": [choice], "usage": usage, "system_fingerprint": "barley-1.0"})

    def logprobs(self, body: Body) -> Body | None:
        if "logprobs" in self.lacks or not body.get("logprobs"):
            return None
        if "logprob_token_ids" in body and "ids" not in self.lacks:
            return tops({f"token_id:{token}": -2.0 for token in body["logprob_token_ids"]})
        if "top" in self.lacks:
            return tops(self.lacks["top"])
        return tops({f"t{number}": math.log(0.1) for number in range(body.get("top_logprobs", 0))})

    def probed(self, **fields: Any) -> Honours:
        return probe(URL, transport=httpx.MockTransport(self), **fields)


def test_a_server_that_honours_all_of_it() -> None:
    got = Server().probed()
    assert got == Honours(
        label_logprobs=True,
        logprob_token_ids=True,
        structured_outputs=True,
        prefix_cache=True,
        tokenize=True,
        server="barley-1.0",
        model="tiny@1",
        max_model_len=512,
    )
    assert got.shortcomings() == ()


@pytest.mark.parametrize(
    ("lacks", "field"),
    [
        ({"structured": True}, "structured_outputs"),
        ({"cache": True}, "prefix_cache"),
        ({"ids": True}, "logprob_token_ids"),
        # As a CPU build of vLLM does: one real token, and another that nothing can be.
        ({"top": {"Yes": -0.2, "!": -9999.0}}, "label_logprobs"),
        # Each of five tokens cannot be nearly certain.
        ({"top": {f"t{n}": -0.01 for n in range(5)}}, "label_logprobs"),
    ],
)
def test_an_ignored_field_is_found_out(lacks: Body, field: str) -> None:
    got = Server(**lacks).probed()
    assert not getattr(got, field)
    others = {"label_logprobs", "logprob_token_ids", "structured_outputs", "prefix_cache", "tokenize"} - {field}
    assert all(getattr(got, other) for other in others)
    if field != "label_logprobs":
        assert len(got.shortcomings()) == 1


def test_without_tokenize_there_are_no_reads_by_token_id() -> None:
    got = Server(tokenize=True).probed()
    assert (got.tokenize, got.logprob_token_ids, got.reads) == (False, False, True)


def test_no_log_probabilities_at_all_are_refused_where_labels_must_be_read() -> None:
    got = Server(logprobs=True).probed()
    assert not got.reads
    assert "labels cannot be read as probabilities" in got.shortcomings()[0]
    with pytest.raises(EngineError, match="gives no log-probabilities for tiny@1"):
        demand_reads(got)
    demand_reads(Server().probed())


def test_a_refused_key_is_said() -> None:
    with pytest.raises(EngineError, match=r"HTTP 401; .*THRESHER_API_KEY"):
        Server(status=401).probed()
    with pytest.raises(EngineError, match="HTTP 500"):
        Server(status=500).probed()


def test_a_server_that_refuses_plain_questions_is_refused() -> None:
    with pytest.raises(EngineError, match="does not answer a plain question"):
        Server(status=400).probed()


def test_the_model_must_be_served_and_be_the_only_one_unless_named() -> None:
    server = Server(models=["a", "b"])
    assert server.probed(model="b").model == "b"
    with pytest.raises(EngineError, match="serves a, b; name one"):
        server.probed()
    with pytest.raises(EngineError, match="'c' is wanted"):
        server.probed(model="c")


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ReadTimeout("late")])
def test_no_answer_is_an_error(error: Exception) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(EngineError, match=r"no OpenAI-compatible server answers at http://llm\.test/v1"):
        probe(URL, transport=httpx.MockTransport(fail))


def test_a_connection_that_breaks_off_is_an_error() -> None:
    server = Server()

    def breaks(request: httpx.Request) -> httpx.Response:
        if server.seen:
            raise httpx.ReadError("gone")
        return server(request)

    with pytest.raises(EngineError, match="broke off: ReadError gone"):
        probe(URL, transport=httpx.MockTransport(breaks))


def test_the_key_is_sent() -> None:
    keys: list[str] = []

    def keep(handler: Callable[[httpx.Request], httpx.Response]) -> Callable[[httpx.Request], httpx.Response]:
        def kept(request: httpx.Request) -> httpx.Response:
            keys.append(request.headers.get("Authorization", ""))
            return handler(request)

        return kept

    probe(URL, SecretStr("k"), transport=httpx.MockTransport(keep(Server())))
    assert set(keys) == {"Bearer k"}
