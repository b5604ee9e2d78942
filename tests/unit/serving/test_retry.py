"""Every exception of the client libraries has a class; each class has its own patience."""

import importlib
import importlib.util
import inspect
import re
from collections import Counter
from email.utils import formatdate
from pathlib import Path
from time import time

import httpx
import openai
import pytest

from agent.exchange import ChatFailure
from serving.llm.faults import Fault, Faulty, fault_of
from serving.llm.retry import Policies, Policy, Retry

# Newer versions of the client library are built on a twin of httpx.
TWIN = [importlib.import_module("httpx2")] if importlib.util.find_spec("httpx2") else []
REQUEST = httpx.Request("POST", "http://127.0.0.1/v1/chat/completions")


def response(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, request=REQUEST, headers={k.replace("_", "-"): v for k, v in headers.items()})


def status_error(status: int, **headers: str) -> openai.APIStatusError:
    return openai.APIStatusError("no", response=response(status, **headers), body=None)


def exceptions_of(module: object) -> list[type[Exception]]:
    found = {
        v for v in (getattr(module, name) for name in dir(module)) if inspect.isclass(v) and issubclass(v, Exception)
    }
    return sorted(found, key=lambda cls: cls.__name__)


def blank(cls: type[Exception]) -> Exception:
    """An instance without going through a constructor that wants the whole exchange."""
    error = cls.__new__(cls)
    if isinstance(error, openai.APIStatusError | httpx.HTTPStatusError):
        status = getattr(cls, "status_code", 500)
        error.response, error.status_code = response(status), status
    return error


@pytest.mark.parametrize("cls", [cls for m in (openai, httpx, *TWIN) for cls in exceptions_of(m)], ids=str)
def test_every_exception_of_the_client_libraries_has_a_class(cls: type[Exception]) -> None:
    assert fault_of(blank(cls)) is not None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (openai.APIConnectionError(request=REQUEST), "connection"),
        (openai.APITimeoutError(REQUEST), "timeout"),
        (httpx.ConnectTimeout("slow"), "connection"),
        (httpx.ReadTimeout("slow"), "timeout"),
        (httpx.PoolTimeout("full"), "connection"),
        (httpx.RemoteProtocolError("gone"), "connection"),
        (httpx.LocalProtocolError("bad header"), "refused"),
        (httpx.UnsupportedProtocol("ftp"), "refused"),
        (httpx.DecodingError("zip"), "malformed"),
        *((module.ReadTimeout("slow"), "timeout") for module in TWIN),
        (httpx.HTTPStatusError("no", request=REQUEST, response=response(404)), "refused"),
        (status_error(400), "refused"),
        (status_error(401), "refused"),
        (status_error(404), "refused"),
        (status_error(422), "refused"),
        (status_error(429), "busy"),
        (status_error(500), "server"),
        (status_error(502), "server"),
        (status_error(503), "busy"),
        (status_error(302), "malformed"),
        (ConnectionResetError("reset"), "connection"),
        (Faulty(Fault("malformed", "odd")), "malformed"),
    ],
)
def test_class_of_a_failure(error: Exception, kind: str) -> None:
    fault = fault_of(error)
    assert fault is not None
    assert fault.kind == kind
    assert "\n" not in fault.message


def test_a_timeout_while_connecting_is_seen_through_the_client_librarys_wrapping() -> None:
    wrapped = openai.APITimeoutError(REQUEST)
    wrapped.__cause__ = httpx.ConnectTimeout("nobody there")
    fault = fault_of(wrapped)
    assert fault is not None
    assert fault.kind == "connection"
    assert "nobody there" in fault.message


@pytest.mark.parametrize("error", [ZeroDivisionError(), AssertionError(), RuntimeError(), TypeError()])
def test_a_mistake_of_our_own_has_no_class_and_is_raised(error: Exception) -> None:
    assert fault_of(error) is None

    def fails(again: int) -> str:
        raise error

    with pytest.raises(type(error)):
        Retry(pause=lambda _: None).call(fails, lambda _: None)


class Script:
    """Raises one error after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.given: list[int] = []

    def __call__(self, again: int) -> str:
        self.given.append(again)
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def run(
    script: Script, policies: Policies | None = None, chance: float = 0.0
) -> tuple[object, list[float], Counter[str]]:
    waits: list[float] = []
    kinds: Counter[str] = Counter()
    retry = Retry(policies, pause=waits.append, chance=lambda: chance)
    result = retry.call(script, lambda fault: kinds.update([fault.kind]))
    return result, waits, kinds


def test_each_class_is_repeated_within_its_own_allowance_and_counted() -> None:
    script = Script(status_error(500), status_error(503), httpx.ConnectError("no"), status_error(500))
    result, waits, kinds = run(script)
    assert result == "answer"
    assert script.given == [0, 1, 2, 3, 4]
    assert waits == [1.0, 1.0, 0.5, 2.0]
    assert kinds == {"server": 2, "busy": 1, "connection": 1}


@pytest.mark.parametrize("kind", list(Policies.model_fields))
def test_no_class_is_repeated_for_ever(kind: str) -> None:
    policy = getattr(Policies(), kind)
    script = Script(*(Faulty(Fault(kind, f"no {n}")) for n in range(100)))
    result, waits, _ = run(script)
    assert result == ChatFailure(kind=kind, message=f"no {policy.again}", attempts=policy.again + 1)
    assert len(waits) == policy.again
    assert all(wait <= policy.longest for wait in waits)
    assert sum(waits) < 150


def test_refusals_are_not_repeated() -> None:
    result, waits, _ = run(Script(status_error(400)))
    assert isinstance(result, ChatFailure)
    assert (result.kind, result.attempts, waits) == ("refused", 1, [])


def test_jitter_shortens_a_wait_by_up_to_a_half() -> None:
    policies = Policies(server=Policy(again=5, first=2.0, longest=8.0))
    errors = [status_error(500) for _ in range(5)]
    assert run(Script(*errors), policies, chance=0.0)[1] == [2.0, 4.0, 8.0, 8.0, 8.0]
    assert run(Script(*errors), policies, chance=1.0)[1] == [1.0, 2.0, 4.0, 4.0, 4.0]


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after_ms": "2500", "retry_after": "9"}, 2.5),
        ({"retry_after": "soon"}, 1.0),
        ({"retry_after": "0"}, 1.0),
        ({}, 1.0),
    ],
)
def test_what_the_server_asks_for_is_waited_at_least(headers: dict[str, str], wait: float) -> None:
    assert run(Script(status_error(429, **headers)))[1] == [wait]


def test_retry_after_may_be_a_date() -> None:
    (wait,) = run(Script(status_error(503, retry_after=formatdate(time() + 30, usegmt=True))))[1]
    assert 20 < wait <= 31


def test_a_server_that_wants_to_be_left_alone_for_an_hour_is_not_asked_again() -> None:
    result, waits, _ = run(Script(status_error(429, retry_after="3600")))
    assert isinstance(result, ChatFailure)
    assert (result.kind, waits) == ("busy", [])


def test_the_manual_tells_the_policies_as_they_are() -> None:
    manual = (Path(__file__).parents[3] / "serving" / "README.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|[^|]*\|$", manual, flags=re.MULTILINE))
    assert {kind: int(told[kind]) for kind in Policies.model_fields} == {
        kind: getattr(Policies(), kind).again for kind in Policies.model_fields
    }
