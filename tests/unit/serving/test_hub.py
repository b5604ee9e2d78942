import threading

import httpx
import pytest

from serving.models.hub import Hub, HubUnavailable, within


def broken(error: Exception) -> Hub:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return Hub("http://hub.test", transport=httpx.MockTransport(answer))


def answering(status: int, body: object) -> Hub:
    return Hub("http://hub.test", transport=httpx.MockTransport(lambda _: httpx.Response(status, json=body)))


def test_a_hub_that_does_not_answer_is_given_up_in_time() -> None:
    hold = threading.Event()

    def never() -> bytes:
        hold.wait(30)
        return b""

    with pytest.raises(HubUnavailable, match=r"no answer within 0\.05 s"):
        within(0.05, never)
    hold.set()


@pytest.mark.parametrize(
    ("hub", "reason"),
    [
        (Hub(""), "switched off"),
        (broken(httpx.ConnectError("refused")), "ConnectError refused"),
        (broken(httpx.ConnectTimeout("late")), "ConnectTimeout late"),
        (broken(httpx.InvalidURL("what")), "InvalidURL what"),
        (answering(401, {}), "HTTP 401"),
        (answering(503, {}), "HTTP 503"),
        (answering(200, {"hello": "captive portal"}), "not a hub's"),
        (answering(200, {"sha": "1", "siblings": [{"rfilename": "pytorch_model.bin"}]}), "no safetensors"),
    ],
)
def test_no_usable_answer_says_why(hub: Hub, reason: str) -> None:
    with pytest.raises(HubUnavailable, match=reason):
        hub.snapshot("grain/barley", "main")


def test_the_token_is_sent_and_the_revision_asked_for() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"sha": "1", "siblings": [{"rfilename": "model.safetensors", "size": 3}]})

    from pydantic import SecretStr

    got = Hub("http://hub.test/", SecretStr("t"), httpx.MockTransport(answer)).snapshot("grain/barley", "v2")
    assert got.size == 3
    assert seen[0].url.path == "/api/models/grain/barley/revision/v2"
    assert seen[0].headers["Authorization"] == "Bearer t"
